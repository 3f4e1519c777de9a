using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Light-weight processes: _lwp_create(2), _lwp_park(2) and their kin.</summary>
public static class ThreadCalls
{
    /// <summary>A thread with the registers and mask of a context.</summary>
    public static CallResult LwpCreate(CallContext call, GuestAddress context, ulong flags, GuestAddress id)
    {
        BsdArchitecture architecture = BsdPersonality.ArchitectureOf(call);
        Span<byte> wanted = stackalloc byte[architecture.ContextSize];
        if (!call.Memory.TryRead(context, wanted))
            return Errno.EFAULT;
        const CloneShares all = CloneShares.Memory | CloneShares.Files | CloneShares.FileContext | CloneShares.Actions | CloneShares.Process;
        Errno error = call.Process.Clone(call.Thread, all, 0, call.Process.Space, out GuestThread? thread);
        if (error != Errno.None)
            return error;
        ref CpuState state = ref thread!.Cpu.State;
        architecture.Return(ref state, 0, isError: false);
        architecture.SecondResult(ref state) = 0;
        architecture.RestoreContext(thread, context);
        return call.Memory.TryWrite(id, call.Pids.Inside(thread.Id)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult LwpExit(CallContext call)
    {
        call.Process.ExitThread(call.Thread, 0);
        return CallResult.NoReturn;
    }

    public static CallResult LwpGetprivate(CallContext call) => (long)BsdPersonality.ArchitectureOf(call).ThreadPointer(ref call.Thread.Cpu.State);

    public static CallResult LwpSetprivate(CallContext call, GuestAddress value)
    {
        BsdPersonality.ArchitectureOf(call).ThreadPointer(ref call.Thread.Cpu.State) = value.Value;
        return CallResult.Ok();
    }

    public static CallResult LwpKill(CallContext call, int target, int signal)
    {
        int neutral = NetBsdPersonality.Instance.Numbers.ToNeutral(signal);
        if (signal != 0 && neutral == 0)
            return Errno.EINVAL;
        return LinuxSignals.Tgkill(call, call.ProcessNumber, target == 0 ? call.Pids.Inside(call.Thread.Id) : target, neutral);
    }

    /// <summary>Lets a parked thread go on; one that is not parked will not park the next time (_lwp_unpark(2)).</summary>
    public static CallResult LwpUnpark(CallContext call, int target, GuestAddress hint)
    {
        if (call.FindThread(target) is not { } thread || thread.Process != call.Process)
            return Errno.ESRCH;
        thread.IsUnparked = true;
        thread.ParkSource.Pulse();
        return CallResult.Ok();
    }

    /// <summary>Waits to be unparked: EALREADY when it was before, ETIMEDOUT, EINTR (_lwp_park(2)).</summary>
    public static CallResult LwpPark60(CallContext call, int clock, int flags, GuestAddress time, int unpark, GuestAddress hint, GuestAddress unparkHint)
    {
        const int absolute = 1;
        if (call.State is null)
        {
            if (!time.IsNull && SetLimit(call, clock, (flags & absolute) != 0, time) is not Errno.None and var error)
                return error;
            if (unpark != 0 && LwpUnpark(call, unpark, unparkHint) is { Outcome: CallOutcome.Error } failed)
                return failed;
            if (call.Thread.IsUnparked)
            {
                call.Thread.IsUnparked = false;
                return Errno.EALREADY;
            }
            call.State = call.Thread.ParkSource;
        }
        if (call.Thread.IsUnparked)
        {
            call.Thread.IsUnparked = false;
            return CallResult.Ok();
        }
        return call.DeadlinePassed ? Errno.ETIMEDOUT : call.Wait(call.Thread.ParkSource, RestartKind.Never);
    }

    private static Errno SetLimit(CallContext call, int clock, bool isAbsolute, GuestAddress time)
    {
        Errno error = call.ReadTime(time, out long nanoseconds);
        if (error != Errno.None)
            return error;
        if (isAbsolute)
            call.SetDeadline(clock == 0 ? call.World.MonotonicOf(nanoseconds) : nanoseconds);
        else
            call.SetTimeout(nanoseconds);
        return Errno.None;
    }

    public static CallResult Wait450(CallContext call, int pid, GuestAddress status, uint options, GuestAddress usage)
    {
        // WNOHANG and WUNTRACED; WCONTINUED is 16 here.
        const uint shared = 3, continued = 16, freeBsdContinued = 4;
        return FreeBsd.Calls.ProcessCalls.Wait4(call, pid, status, (options & shared) | ((options & continued) != 0 ? freeBsdContinued : 0), usage);
    }

    public static CallResult ClockGettime50(CallContext call, int clock, GuestAddress time) => ToLinux(clock) is { } linux ? TimeCalls.ClockGettime(call, linux, time) : Errno.EINVAL;

    public static CallResult ClockGetres50(CallContext call, int clock, GuestAddress time) => ToLinux(clock) is { } linux ? TimeCalls.ClockGetres(call, linux, time) : Errno.EINVAL;

    private static int? ToLinux(int clock) => clock switch
    {
        0 => 0,
        1 or 2 => 2, // CLOCK_VIRTUAL, CLOCK_PROF
        3 => 1,
        _ => null,
    };
}
