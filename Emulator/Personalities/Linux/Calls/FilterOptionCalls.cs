using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Programs;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Programs that choose what a socket takes: SO_ATTACH_FILTER and its kin (socket(7)).</summary>
internal static class FilterOptionCalls
{
    public const int Attach = 26, Detach = 27, Lock = 44, AttachExtended = 50;

    /// <summary>Null for options that are another's.</summary>
    public static CallResult? Set(CallContext call, Socket socket, int name, GuestAddress value, int length)
    {
        if (name is not (Attach or Detach or Lock or AttachExtended))
            return null;
        if (length < sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int number))
            return Errno.EFAULT;
        if (name == Lock)
        {
            if (socket.IsFilterLocked && number == 0)
                return Errno.EPERM;
            socket.IsFilterLocked = number != 0;
            return 0;
        }
        if (name == Detach)
        {
            if (socket.IsFilterLocked)
                return Errno.EPERM;
            bool had = socket.MessageFilter is not null;
            socket.MessageFilter = null;
            return had ? 0 : Errno.ENOENT;
        }
        Errno error = name == Attach ? ReadClassic(call, value, length, out IMessageFilter? filter) : ReadExtended(call, value, length, out filter);
        if (error == Errno.None && socket.IsFilterLocked)
            error = Errno.EPERM;
        if (error == Errno.None)
            socket.MessageFilter = filter;
        return error;
    }

    /// <summary>struct sock_fprog: how many instructions, and where.</summary>
    public static Errno ReadClassic(CallContext call, GuestAddress value, int length, out IMessageFilter? filter)
    {
        const int size = 16;
        filter = null;
        if (length != size)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out ushort count) || !call.Memory.TryRead(value + 8, out ulong at))
            return Errno.EFAULT;
        if (at == 0 || count is 0 or > ClassicProgram<FilteredMessage>.MostInstructions)
            return Errno.EINVAL;
        var instructions = new ClassicInstruction[count];
        if (!call.Memory.TryRead(new GuestAddress(at), MemoryMarshal.AsBytes(instructions.AsSpan())))
            return Errno.EFAULT;
        filter = ClassicProgram<FilteredMessage>.TryMake(instructions) is { } program ? new ClassicFilter(program) : null;
        return filter is null ? Errno.EINVAL : Errno.None;
    }

    /// <summary>A descriptor of a program that bpf(2) loaded.</summary>
    public static Errno ReadExtended(CallContext call, GuestAddress value, int length, out IMessageFilter? filter)
    {
        filter = null;
        if (length != sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int fd))
            return Errno.EFAULT;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        filter = (file as ProgramFile)?.Program;
        return filter is null ? Errno.EINVAL : Errno.None;
    }
}
