using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Time-outs and signal masks that calls which wait take.</summary>
internal static class WaitArguments
{
    /// <summary>Reads a struct timespec into nanoseconds: EFAULT, EINVAL when it is negative or its fraction too large.</summary>
    public static Errno ReadTime(this CallContext call, GuestAddress address, out long nanoseconds)
    {
        Errno error = call.ReadMoment(address, out nanoseconds);
        return error == Errno.None && nanoseconds < 0 ? Errno.EINVAL : error;
    }

    /// <summary>The same of a point in time, which may be negative: that is -1.</summary>
    public static Errno ReadMoment(this CallContext call, GuestAddress address, out long nanoseconds)
    {
        nanoseconds = 0;
        if (!call.Memory.TryRead(address, out long seconds) || !call.Memory.TryRead(address + 8, out long fraction))
            return Errno.EFAULT;
        if (fraction is < 0 or >= 1_000_000_000)
            return Errno.EINVAL;
        nanoseconds = seconds < 0 ? -1 : seconds > long.MaxValue / 1_000_000_000 - 1 ? long.MaxValue : (seconds * 1_000_000_000) + fraction;
        return Errno.None;
    }

    /// <summary>Sets the time-out from a struct timespec; null means none.</summary>
    public static Errno SetTimeout(this CallContext call, GuestAddress address)
    {
        if (address.IsNull)
            return Errno.None;
        Errno error = call.ReadTime(address, out long nanoseconds);
        if (error == Errno.None)
            call.SetTimeout(nanoseconds);
        return error;
    }

    /// <summary>What the caller's CLOCK_MONOTONIC or CLOCK_BOOTTIME is ahead of the world's, in nanoseconds (time_namespaces(7)).</summary>
    public static long ClockOffset(this CallContext call, bool isBootTime = false)
    {
        TimeSpace space = call.Thread.Namespaces.Time;
        return isBootTime ? space.BootOffset : space.MonotonicOffset;
    }

    /// <summary>Nanoseconds to the deadline, not below 0; null without one.</summary>
    public static long? TimeLeft(this CallContext call) =>
        call.Deadline is { } deadline ? Math.Max(0, deadline - call.World.Clock.Monotonic) : null;

    /// <summary>The raw calls write the time left back (select(2), "C library/kernel differences").</summary>
    public static CallResult WithTimeLeft(this CallContext call, CallResult result, GuestAddress address)
    {
        // STICKY_TIMEOUTS of personality(2).
        const uint sticky = 0x4000000;
        if (!address.IsNull && result.Outcome != CallOutcome.Blocked && (call.Process.Persona & sticky) == 0 && call.TimeLeft() is { } left)
        {
            call.Memory.TryWrite(address, left / 1_000_000_000);
            call.Memory.TryWrite(address + 8, left % 1_000_000_000);
        }
        return result;
    }

    /// <summary>Blocks another set of signals for the call's duration; a null mask leaves them.</summary>
    public static Errno UseTemporaryMask(this CallContext call, GuestAddress mask, ulong size)
    {
        if (mask.IsNull)
            return Errno.None;
        if (size != sizeof(ulong))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(mask, out ulong signals))
            return Errno.EFAULT;
        // A handler that is run again must not take the temporary mask for the thread's own.
        call.Thread.SavedMask ??= call.Thread.Blocked;
        call.Thread.Blocked = new SignalSet(signals) & ~Signal.Unstoppable;
        return Errno.None;
    }
}
