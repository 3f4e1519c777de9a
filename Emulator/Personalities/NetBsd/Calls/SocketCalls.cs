using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Calls about sockets that only NetBSD has.</summary>
public static class SocketCalls
{
    /// <summary>paccept(2), without a mask of signals for its duration.</summary>
    public static CallResult Paccept(CallContext call, int fd, GuestAddress address, GuestAddress length, GuestAddress mask, int flags) =>
        mask.IsNull ? Bsd.Calls.SocketCalls.Accept4(call, fd, address, length, flags) : Errno.EINVAL;
}
