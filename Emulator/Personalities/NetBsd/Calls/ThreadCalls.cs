using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Light-weight processes: _lwp_create(2), _lwp_park(2), __futex(2) and their kin.</summary>
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
        call.World.FollowNew(call.Thread, thread, Kernel.Tracing.TraceEvent.Clone);
        return call.Memory.TryWrite(id, call.Pids.Inside(thread.Id)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult LwpExit(CallContext call)
    {
        if (call.World.TellThreadEnd(call))
            return call.Wait();
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

    /// <summary>Lets all of a table go on: ESRCH when one of them is gone. Without a table, tells how long one may be.</summary>
    public static CallResult LwpUnparkAll(CallContext call, GuestAddress targets, ulong count, GuestAddress hint)
    {
        const int most = 1024;
        if (targets.IsNull)
            return most;
        if (count is 0 or > most)
            return Errno.EINVAL;
        Span<byte> table = stackalloc byte[(int)count * sizeof(int)];
        if (!call.Memory.TryRead(targets, table))
            return Errno.EFAULT;
        CallResult result = CallResult.Ok();
        foreach (int target in MemoryMarshal.Cast<byte, int>(table))
        {
            CallResult one = LwpUnpark(call, target, hint);
            result = one.Outcome == CallOutcome.Error ? one : result;
        }
        return result;
    }

    /// <summary>Waits to be unparked: EALREADY when it was before, ETIMEDOUT, EINTR (_lwp_park(2)). What is left of a span of time is told.</summary>
    public static CallResult LwpPark60(CallContext call, int clock, int flags, GuestAddress time, int unpark, GuestAddress hint, GuestAddress unparkHint)
    {
        const int absolute = 1;
        bool isAbsolute = (flags & absolute) != 0;
        if (call.State is null)
        {
            if (!time.IsNull && SetLimit(call, clock, isAbsolute, time) is not Errno.None and var error)
                return error;
            if (unpark != 0 && LwpUnpark(call, unpark, unparkHint) is { Outcome: CallOutcome.Error } failed)
                return failed;
            if (isAbsolute && call.DeadlinePassed)
                return Errno.ETIMEDOUT;
            if (call.Thread.IsUnparked)
            {
                call.Thread.IsUnparked = false;
                return Errno.EALREADY;
            }
            call.State = call.Thread.ParkSource;
        }
        bool isUnparked = call.Thread.IsUnparked;
        call.Thread.IsUnparked = false;
        if (!isUnparked && !call.DeadlinePassed && !call.Interrupted)
            return call.Wait(call.Thread.ParkSource, RestartKind.Never);
        if (!time.IsNull && !isAbsolute)
            TellRest(call, time);
        return isUnparked ? CallResult.Ok() : call.DeadlinePassed ? Errno.ETIMEDOUT : call.Wait(RestartKind.Never);
    }

    private static void TellRest(CallContext call, GuestAddress time)
    {
        long rest = Math.Max(0, call.Deadline!.Value - call.World.Clock.Monotonic);
        call.Memory.TryWrite(time, rest / 1_000_000_000);
        call.Memory.TryWrite(time + 8, rest % 1_000_000_000);
    }

    /// <summary>__futex(2): Linux's without inheritance of priorities; the second number has an argument of its own.</summary>
    public static CallResult Futex(CallContext call, GuestAddress address, int operation, int value, GuestAddress timeout, GuestAddress second, int number, int third)
    {
        const int privateFlag = 128, realTimeFlag = 256;
        const int wait = 0, wake = 1, requeue = 3, compareRequeue = 4, wakeOperation = 5, waitBits = 9, wakeBits = 10;
        return (operation & ~(privateFlag | realTimeFlag)) switch
        {
            wait or wake or waitBits or wakeBits => FutexCalls.Futex(call, address, operation, (uint)value, timeout.Value, second, (uint)third),
            requeue or compareRequeue or wakeOperation => FutexCalls.Futex(call, address, operation, (uint)value, (uint)number, second, (uint)third),
            _ => Errno.ENOSYS,
        };
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
