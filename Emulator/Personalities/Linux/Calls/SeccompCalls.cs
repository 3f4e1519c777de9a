using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Programs;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Seccomp;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>seccomp(2), and its older way by prctl(2).</summary>
public static class SeccompCalls
{
    private const int SetStrict = 0, SetFilter = 1, GetActionAvailable = 2, GetNoticeSizes = 3;
    private const uint Synchronize = 1, LogActions = 2, AllowSpeculation = 4, NewListener = 8, TellFailure = 16, WaitKillable = 32;

    public static CallResult Seccomp(CallContext call, int operation, uint flags, GuestAddress arguments) => operation switch
    {
        SetStrict => flags != 0 || !arguments.IsNull ? Errno.EINVAL : Restrict(call),
        SetFilter => AddFilter(call, flags, arguments),
        GetActionAvailable => flags != 0 ? Errno.EINVAL : TellAction(call, arguments),
        GetNoticeSizes => flags != 0 ? Errno.EINVAL : TellSizes(call, arguments),
        _ => Errno.EINVAL,
    };

    /// <summary>PR_SET_SECCOMP.</summary>
    internal static CallResult SetMode(CallContext call, ulong mode, GuestAddress program) => mode switch
    {
        1 => Restrict(call),
        2 => AddFilter(call, 0, program),
        _ => Errno.EINVAL,
    };

    /// <summary>PR_GET_SECCOMP.</summary>
    internal static CallResult GetMode(CallContext call) => CallResult.Ok(call.Thread.Filter is CallFilter filter ? filter.Mode : 0);

    private static CallResult Restrict(CallContext call)
    {
        if (call.Thread.Filter is CallFilter { Mode: not 1 })
            return Errno.EINVAL;
        call.Thread.Filter = CallFilter.Strict;
        return CallResult.Ok();
    }

    private static CallResult AddFilter(CallContext call, uint flags, GuestAddress arguments)
    {
        const uint known = Synchronize | LogActions | AllowSpeculation | NewListener | TellFailure | WaitKillable;
        // A listener's descriptor and a thread's number are both results.
        if ((flags & ~known) != 0 || (flags & (Synchronize | NewListener | TellFailure)) == (Synchronize | NewListener))
            return Errno.EINVAL;
        if ((flags & (WaitKillable | NewListener)) == WaitKillable)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(arguments, out ushort count) || !call.Memory.TryRead(arguments + 8, out ulong table))
            return Errno.EFAULT;
        if (count is 0 or > ClassicProgram<CallData>.MostInstructions)
            return Errno.EINVAL;
        if (!call.Process.NoNewPrivileges && !call.Thread.Credentials.Has(Capability.Administer))
            return Errno.EACCES;
        var instructions = new ClassicInstruction[count];
        if (!call.Memory.TryRead(new GuestAddress(table), MemoryMarshal.AsBytes(instructions.AsSpan())))
            return Errno.EFAULT;
        var older = call.Thread.Filter as CallFilter;
        if (ClassicProgram<CallData>.TryMake(instructions) is not { } program || older?.Mode == 1)
            return Errno.EINVAL;
        if ((flags & Synchronize) != 0)
        {
            foreach (GuestThread thread in call.Process.Threads)
            {
                // All others must have what this thread has, or an older part of it.
                if (thread.Filter is CallFilter other && !other.IsWithin(older))
                    return (flags & TellFailure) != 0 ? Errno.ESRCH : CallResult.Ok(call.Pids.Inside(thread.Id));
            }
        }
        var filter = new CallFilter(program, older);
        CallResult result = 0;
        if ((flags & NewListener) != 0)
        {
            result = Listen(call, filter);
            if (result.Outcome == CallOutcome.Error)
                return result;
        }
        call.Thread.Filter = filter;
        if ((flags & Synchronize) != 0)
        {
            foreach (GuestThread thread in call.Process.Threads)
                thread.Filter = filter;
        }
        return result;
    }

    /// <summary>A descriptor by which somebody decides about calls; only one filter of a chain has one (EBUSY).</summary>
    private static CallResult Listen(CallContext call, CallFilter filter)
    {
        for (CallFilter? at = filter.Older; at is not null; at = at.Older)
        {
            if (at.Listener is { IsClosed: false })
                return Errno.EBUSY;
        }
        var listener = new CallListener(call.World, filter);
        filter.Listener = listener;
        return PipeCalls.Install(call, listener, closeOnExec: true);
    }

    private static CallResult TellAction(CallContext call, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out uint action))
            return Errno.EFAULT;
        return action is CallFilter.KillProcess or CallFilter.KillThread or CallFilter.Trap or CallFilter.Fail or CallFilter.Notify or CallFilter.Trace or CallFilter.Log or CallFilter.Allow
            ? CallResult.Ok() : Errno.EOPNOTSUPP;
    }

    /// <summary>struct seccomp_notif_sizes: what a listener would be told in.</summary>
    private static CallResult TellSizes(CallContext call, GuestAddress address)
    {
        ReadOnlySpan<ushort> sizes = [80, 24, 64];
        return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(sizes)) ? CallResult.Ok() : Errno.EFAULT;
    }
}
