using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>prctl(2), personality(2).</summary>
public static class ProcessControlCalls
{
    private const int NameLength = 16;

    public static CallResult Prctl(CallContext call, int option, ulong argument, ulong third, ulong fourth, ulong fifth)
    {
        const int SetDeathSignal = 1;
        const int GetDeathSignal = 2;
        const int GetDumpable = 3;
        const int SetDumpable = 4;
        const int GetKeepCapabilities = 7;
        const int SetKeepCapabilities = 8;
        const int SetName = 15;
        const int GetName = 16;
        const int ReadBounding = 23;
        const int SetTimerSlack = 29;
        const int GetTimerSlack = 30;
        const int SetSubreaper = 36;
        const int GetSubreaper = 37;
        const int SetNoNewPrivileges = 38;
        const int GetNoNewPrivileges = 39;
        Process process = call.Process;
        switch (option)
        {
            case SetDeathSignal:
                if (argument > Signal.Last)
                    return Errno.EINVAL;
                process.ParentDeathSignal = (int)argument;
                return CallResult.Ok();
            case GetDeathSignal:
                return Write(call, argument, process.ParentDeathSignal);
            case GetDumpable:
                return CallResult.Ok(1);
            case SetDumpable:
                return argument > 1 ? Errno.EINVAL : CallResult.Ok();
            case GetKeepCapabilities:
                return CallResult.Ok(0);
            case SetKeepCapabilities:
                return argument > 1 ? Errno.EINVAL : CallResult.Ok();
            case SetName:
                return Rename(call, new GuestAddress(argument));
            case GetName:
                Span<byte> name = stackalloc byte[NameLength];
                name.Clear();
                call.Thread.Name.CopyTo(name);
                return call.Memory.TryWrite(new GuestAddress(argument), name) ? CallResult.Ok() : Errno.EFAULT;
            case ReadBounding:
                return argument > 40 ? Errno.EINVAL : CallResult.Ok(1);
            case SetTimerSlack:
                return CallResult.Ok();
            case GetTimerSlack:
                return CallResult.Ok(50_000);
            case SetSubreaper:
                process.IsSubreaper = argument != 0;
                return CallResult.Ok();
            case GetSubreaper:
                return Write(call, argument, process.IsSubreaper ? 1 : 0);
            case SetNoNewPrivileges:
                if (argument != 1 || third != 0 || fourth != 0 || fifth != 0)
                    return Errno.EINVAL;
                process.NoNewPrivileges = true;
                return CallResult.Ok();
            case GetNoNewPrivileges:
                return CallResult.Ok(process.NoNewPrivileges ? 1 : 0);
            default:
                return Errno.EINVAL;
        }
    }

    public static CallResult Personality(CallContext call, uint persona)
    {
        // Asking changes nothing; no other behaviour than Linux's own is to be had.
        const uint Ask = 0xFFFFFFFF;
        return persona is Ask or 0 ? CallResult.Ok() : Errno.EINVAL;
    }

    private static CallResult Rename(CallContext call, GuestAddress address)
    {
        Span<byte> name = stackalloc byte[NameLength - 1];
        int length = 0;
        while (length < name.Length)
        {
            if (!call.Memory.TryRead(address + (ulong)length, out byte letter))
                return Errno.EFAULT;
            if (letter == 0)
                break;
            name[length++] = letter;
        }
        call.Thread.Name = name[..length].ToArray();
        return CallResult.Ok();
    }

    private static CallResult Write(CallContext call, ulong address, int value) =>
        call.Memory.TryWrite(new GuestAddress(address), value) ? CallResult.Ok() : Errno.EFAULT;
}
