using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>prctl(2), personality(2).</summary>
public static class ProcessControlCalls
{
    private const int NameLength = 16;

    private const int SetDeathSignal = 1, GetDeathSignal = 2, GetDumpable = 3, SetDumpable = 4, GetKeepCapabilities = 7, SetKeepCapabilities = 8;
    private const int GetTiming = 13, SetTiming = 14, SetName = 15, GetName = 16, GetSeccomp = 21, SetSeccomp = 22, ReadBounding = 23, DropBounding = 24, GetCounter = 25, SetCounter = 26;
    private const int GetSecureBits = 27, SetSecureBits = 28, SetTimerSlack = 29, GetTimerSlack = 30, SetMap = 35, SetSubreaper = 36, GetSubreaper = 37;
    private const int SetNoNewPrivileges = 38, GetNoNewPrivileges = 39, GetTidAddress = 40, SetHugePages = 41, GetHugePages = 42, Ambient = 47;
    private const int GetAuxiliaryVector = 0x41555856;

    public static CallResult Prctl(CallContext call, int option, ulong argument, ulong third, ulong fourth, ulong fifth)
    {
        Process process = call.Process;
        bool hasMore = (third | fourth | fifth) != 0;
        return option switch
        {
            SetDeathSignal => SetSignal(process, argument),
            GetDeathSignal => Write(call, argument, process.ParentDeathSignal),
            GetDumpable => CallResult.Ok(process.Dumpable),
            SetDumpable => SetDump(process, argument),
            SetName => Rename(call, new GuestAddress(argument)),
            GetName => TellName(call, new GuestAddress(argument)),
            GetTiming => CallResult.Ok(),
            SetTiming => argument == 0 ? CallResult.Ok() : Errno.EINVAL,
            GetCounter or SetCounter => ControlCounter(call, option, argument),
            SetTimerSlack => SetSlack(call.Thread, argument),
            GetTimerSlack => CallResult.Ok((long)call.Thread.Scheduling.TimerSlack),
            GetSeccomp => SeccompCalls.GetMode(call),
            SetSeccomp => SeccompCalls.SetMode(call, argument, new GuestAddress(third)),
            SetMap => MemoryLayoutOptions.Set(call, (int)argument, third, fourth, fifth),
            SetSubreaper => SetReaper(process, argument),
            GetSubreaper => Write(call, argument, process.IsSubreaper ? 1 : 0),
            SetNoNewPrivileges => argument != 1 || hasMore ? Errno.EINVAL : GiveUpPrivileges(process),
            GetNoNewPrivileges => argument != 0 || hasMore ? Errno.EINVAL : CallResult.Ok(process.NoNewPrivileges ? 1 : 0),
            GetTidAddress => call.Memory.TryWrite(new GuestAddress(argument), call.Thread.ClearChildTid.Value) ? CallResult.Ok() : Errno.EFAULT,
            SetHugePages or GetHugePages => ControlHugePages(process, option, argument, hasMore),
            GetAuxiliaryVector => TellAuxiliaryVector(call, new GuestAddress(argument), third, fourth | fifth),
            _ => ControlCapabilities(call, option, argument, third, fourth, fifth),
        };
    }

    private static CallResult ControlCapabilities(CallContext call, int option, ulong argument, ulong third, ulong fourth, ulong fifth) => option switch
    {
        GetKeepCapabilities => CallResult.Ok((call.Thread.Credentials.Secure & SecureBits.KeepCapabilities) != 0 ? 1 : 0),
        SetKeepCapabilities => CapabilityCalls.SetKeepCapabilities(call, argument),
        ReadBounding => CapabilityCalls.ReadBounding(call, argument),
        DropBounding => CapabilityCalls.DropBounding(call, argument),
        GetSecureBits => CallResult.Ok((long)call.Thread.Credentials.Secure),
        SetSecureBits => CapabilityCalls.SetSecureBits(call, argument),
        Ambient => CapabilityCalls.ControlAmbient(call, argument, third, fourth, fifth),
        _ => Errno.EINVAL,
    };

    /// <summary>Whether RDTSC is a fault (PR_SET_TSC): of x86 alone.</summary>
    private static CallResult ControlCounter(CallContext call, int option, ulong argument)
    {
        const int enabled = 1, faults = 2;
        if (call.Thread.Cpu.Architecture != Cpu.Architecture.X64)
            return Errno.EINVAL;
        if (option == GetCounter)
            return Write(call, argument, call.Thread.Cpu.HidesTimeStamp ? faults : enabled);
        if (argument is not (enabled or faults))
            return Errno.EINVAL;
        call.Thread.Cpu.HidesTimeStamp = argument == faults;
        return CallResult.Ok();
    }

    private static CallResult SetSignal(Process process, ulong signal)
    {
        if (signal > Signal.Last)
            return Errno.EINVAL;
        process.ParentDeathSignal = (int)signal;
        return CallResult.Ok();
    }

    private static CallResult SetDump(Process process, ulong value)
    {
        if (value > 1)
            return Errno.EINVAL;
        process.Dumpable = (int)value;
        return CallResult.Ok();
    }

    /// <summary>0 and negative values bring the default back. Timers here are as exact as they can be, whatever the slack.</summary>
    private static CallResult SetSlack(GuestThread thread, ulong nanoseconds)
    {
        thread.Scheduling = thread.Scheduling with { TimerSlack = (long)nanoseconds <= 0 ? thread.Scheduling.FirstTimerSlack : nanoseconds };
        return CallResult.Ok();
    }

    private static CallResult SetReaper(Process process, ulong value)
    {
        process.IsSubreaper = value != 0;
        return CallResult.Ok();
    }

    private static CallResult GiveUpPrivileges(Process process)
    {
        process.NoNewPrivileges = true;
        return CallResult.Ok();
    }

    private static CallResult ControlHugePages(Process process, int option, ulong argument, bool hasMore)
    {
        if (hasMore || (option == GetHugePages && argument != 0))
            return Errno.EINVAL;
        if (option == GetHugePages)
            return CallResult.Ok(process.AvoidsHugePages ? 1 : 0);
        process.AvoidsHugePages = argument != 0;
        return CallResult.Ok();
    }

    private static CallResult TellAuxiliaryVector(CallContext call, GuestAddress address, ulong length, ulong others)
    {
        if (others != 0)
            return Errno.EINVAL;
        byte[] vector = call.Process.Layout.SavedAuxiliary;
        int count = (int)Math.Min(length, (ulong)vector.Length);
        return call.Memory.TryWrite(address, vector.AsSpan(0, count)) ? CallResult.Ok(vector.Length) : Errno.EFAULT;
    }

    private static CallResult TellName(CallContext call, GuestAddress address)
    {
        Span<byte> name = stackalloc byte[NameLength];
        name.Clear();
        call.Thread.Name.CopyTo(name);
        return call.Memory.TryWrite(address, name) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Personality(CallContext call, uint persona)
    {
        // All are kept; those that have an effect here are asked for where they have it.
        const uint Ask = 0xFFFFFFFF;
        uint before = call.Process.Persona;
        if (persona == Ask)
            return CallResult.Ok(before);
        call.Process.Persona = persona;
        return CallResult.Ok(before);
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
