using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>FreeBSD's system calls, generated from <c>freebsd.abi</c>; amd64 and arm64 number them alike.</summary>
public static partial class FreeBsdTable
{
    /// <summary>True when a handler exists.</summary>
    public static bool IsImplemented(int number) =>
        (uint)number / 64 < (uint)ImplementedBits.Length && (ImplementedBits[number / 64] >> (number % 64) & 1) != 0;

    /// <summary>ENOSYS, and SIGSYS as FreeBSD sends it for a number that it does not know (nosys in sys/kern/kern_sig.c).</summary>
    private static CallResult Unimplemented(CallContext call)
    {
        call.World.CountMissing(call);
        call.World.Send(call.Thread, new Kernel.Signals.SignalInfo(Kernel.Signals.Signal.BadCall));
        return Errno.ENOSYS;
    }
}
