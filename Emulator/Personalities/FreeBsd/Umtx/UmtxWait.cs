using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>What a thread waits for at an address: waiters of one kind do not see wakes of another.</summary>
[Flags]
internal enum UmtxQueue : uint
{
    Word = 1,
    Mutex = 2,
    InheritingMutex = 4,
    ProtectedMutex = 8,
    Condition = 16,
    Readers = 32,
    Writers = 64,
    Semaphore = 128,
}

/// <summary>How a wait ended that an earlier run of the call began.</summary>
internal enum Slept
{
    /// <summary>There was none.</summary>
    NotYet,
    Still,
    Woken,
    TimedOut,
    Interrupted,
}

/// <summary>Waiting and waking for _umtx_op(2).</summary>
internal static class UmtxWait
{
    /// <summary>USYNC_PROCESS_SHARED.</summary>
    private const uint ProcessShared = 1;

    /// <summary>The place that an object's address stands for, by the object's flags; null = EFAULT.</summary>
    public static (object Key, ulong Offset)? Key(GuestThread thread, GuestAddress address, uint flags) =>
        thread.Process.Memory.FutexKey(address, isPrivate: (flags & ProcessShared) == 0);

    /// <summary>Ends the wait of an earlier run, unless it goes on.</summary>
    public static Slept Resume(CallContext call)
    {
        if (call.State is not FutexWaiter waiter)
            return Slept.NotYet;
        Slept slept = waiter.IsWoken ? Slept.Woken : Ended(call);
        if (slept == Slept.Still)
            return slept;
        call.World.Futexes.Leave(waiter);
        call.State = null;
        return slept;
    }

    /// <summary>Whether a wait ends that nobody woke.</summary>
    public static Slept Ended(CallContext call) => call.DeadlinePassed ? Slept.TimedOut : call.Interrupted ? Slept.Interrupted : Slept.Still;

    /// <summary>Begins to wait; the call is run again when it is woken, late or interrupted.</summary>
    public static CallResult Sleep(CallContext call, (object Key, ulong Offset) key, UmtxQueue queue, RestartKind restart = RestartKind.Never)
    {
        if (call.Interrupted)
            return call.Wait(restart);
        call.State = call.World.Futexes.Wait(key, (uint)queue, call.Thread);
        return Continue(call, restart);
    }

    /// <summary>Goes on waiting.</summary>
    public static CallResult Continue(CallContext call, RestartKind restart = RestartKind.Never) => call.Wait(((FutexWaiter)call.State!).Source, restart);

    /// <summary>The result of a wait that was not woken.</summary>
    public static CallResult Failed(CallContext call, Slept slept, RestartKind restart = RestartKind.Never) =>
        slept == Slept.TimedOut ? Errno.ETIMEDOUT : call.Wait(restart);

    public static int Wake(GuestThread by, (object Key, ulong Offset) key, UmtxQueue queue, int count = int.MaxValue) =>
        by.Process.World.Futexes.Wake(key, count, (uint)queue);

    public static int Count(GuestThread by, (object Key, ulong Offset) key, UmtxQueue queue) => by.Process.World.Futexes.Count(key, (uint)queue);

    /// <summary>Sets the call's limit at its first run from a struct timespec, or by its larger size a struct _umtx_time with flags and a clock.</summary>
    public static Errno SetLimit(CallContext call, GuestAddress size, GuestAddress time)
    {
        const ulong plainSize = 16;
        const uint isAbsolute = 1;
        if (time.IsNull || call.State is not null)
            return Errno.None;
        uint flags = 0, clock = 0;
        if (size.Value > plainSize && (!call.Memory.TryRead(time + 16, out flags) || !call.Memory.TryRead(time + 20, out clock)))
            return Errno.EFAULT;
        return SetLimit(call, time, (int)clock, (flags & isAbsolute) != 0);
    }

    /// <summary>Sets the call's limit from a struct timespec on a clock.</summary>
    public static Errno SetLimit(CallContext call, GuestAddress time, int clock, bool isAbsolute)
    {
        Errno error = call.ReadTime(time, out long nanoseconds);
        if (error != Errno.None)
            return error;
        if (isAbsolute)
            call.SetDeadline(IsRealTime(clock) ? call.World.MonotonicOf(nanoseconds) : nanoseconds);
        else
            call.SetTimeout(nanoseconds);
        return Errno.None;
    }

    /// <summary>CLOCK_REALTIME, its precise and fast forms, CLOCK_SECOND.</summary>
    private static bool IsRealTime(int clock) => clock is 0 or 9 or 10 or 13;
}
