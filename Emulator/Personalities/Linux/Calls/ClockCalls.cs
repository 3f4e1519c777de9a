using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Setting the real-time clock: clock_settime(2), settimeofday(2), adjtimex(2).</summary>
public static class ClockCalls
{
    private const int Realtime = 0;
    private const long Second = 1_000_000_000, Microsecond = 1000;

    /// <summary>Seconds up to which the clock can be set: 30 years before the nanoseconds of 64 bits end (TIME_SETTOD_SEC_MAX).</summary>
    private const long LatestSecond = (long.MaxValue / Second) - (30L * 365 * 24 * 3600);

    private const uint SetOffset = 0x1, SetFrequency = 0x2, SetMaxError = 0x4, SetEstimatedError = 0x8, SetStatus = 0x10, SetConstant = 0x20;
    private const uint SetAtomicOffset = 0x80, Step = 0x100, InMicroseconds = 0x1000, InNanoseconds = 0x2000, SetTick = 0x4000;
    private const uint SingleShot = 0x8000, ReadSingleShot = 0x2000;
    private const int ReadOnlyStatus = 0xFF00, Nanoseconds = 0x2000, Unsynchronised = 0x40, Insert = 0x10, Delete = 0x20;

    /// <summary>struct timex.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 208)]
    private struct ClockState
    {
        [FieldOffset(0)] public uint Modes;
        [FieldOffset(8)] public long Offset;
        [FieldOffset(16)] public long Frequency;
        [FieldOffset(24)] public long MaxError;
        [FieldOffset(32)] public long EstimatedError;
        [FieldOffset(40)] public int Status;
        [FieldOffset(48)] public long Constant;
        [FieldOffset(56)] public long Precision;
        [FieldOffset(64)] public long Tolerance;
        [FieldOffset(72)] public long Seconds;
        [FieldOffset(80)] public long Fraction;
        [FieldOffset(88)] public long Tick;
        [FieldOffset(160)] public int AtomicOffset;
    }

    public static CallResult ClockSettime(CallContext call, int clock, GuestAddress time)
    {
        ProcessorClock? processor = clock == Realtime ? null : TimeCalls.ProcessorClockOf(call, clock);
        if (clock != Realtime && (clock is 2 or 3 || processor is null))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(time, out long seconds) || !call.Memory.TryRead(time + 8, out long fraction))
            return Errno.EFAULT;
        return processor is not null ? Errno.EPERM : Set(call, seconds, fraction);
    }

    public static CallResult Settimeofday(CallContext call, GuestAddress time, GuestAddress zone)
    {
        long seconds = 0, fraction = 0;
        if (!time.IsNull)
        {
            if (!call.Memory.TryRead(time, out seconds) || !call.Memory.TryRead(time + 8, out fraction))
                return Errno.EFAULT;
            if (fraction is < 0 or > 1_000_000)
                return Errno.EINVAL;
        }
        if (!zone.IsNull && !call.Memory.TryRead(zone, out ulong _))
            return Errno.EFAULT;
        if (!time.IsNull)
            return Set(call, seconds, fraction * Microsecond);
        return MaySet(call) ? 0 : Errno.EPERM;
    }

    /// <summary>A time zone's offset is kept by nobody: it would change no clock.</summary>
    private static bool MaySet(CallContext call) => call.Thread.Credentials is { IsInUserSpace: false } who && who.Has(Capability.Time);

    /// <summary>Not before the epoch, nor before the world was up as long as it is (timekeeping.c, do_settimeofday64).</summary>
    private static Errno Set(CallContext call, long seconds, long nanoseconds)
    {
        if (seconds < 0 || seconds >= LatestSecond || (ulong)nanoseconds >= (ulong)Second)
            return Errno.EINVAL;
        if (!MaySet(call))
            return Errno.EPERM;
        long wanted = (seconds * Second) + nanoseconds;
        if (wanted < call.World.Clock.Monotonic)
            return Errno.EINVAL;
        call.World.SetRealtime(wanted);
        return Errno.None;
    }

    public static CallResult Adjtimex(CallContext call, GuestAddress buffer) => ClockAdjtime(call, Realtime, buffer);

    public static CallResult ClockAdjtime(CallContext call, int clock, GuestAddress buffer)
    {
        if (!call.Memory.TryRead(buffer, out ClockState state))
            return Errno.EFAULT;
        if (clock != Realtime)
            return TimeCalls.Read(call, clock) is null ? Errno.EINVAL : Errno.EOPNOTSUPP;
        Errno error = Check(call, state);
        if (error != Errno.None)
            return error;
        ClockDiscipline discipline = call.World.Discipline;
        long offset = Adjust(call, discipline, ref state);
        Tell(call, discipline, offset, ref state);
        const int ok = 0, insert = 1, delete = 2, error5 = 5;
        int result = (discipline.Status & Unsynchronised) != 0 ? error5 : (discipline.Status & Insert) != 0 ? insert : (discipline.Status & Delete) != 0 ? delete : ok;
        return call.Memory.TryWrite(buffer, state) ? result : Errno.EFAULT;
    }

    /// <summary>In the order of timekeeping_validate_timex.</summary>
    private static Errno Check(CallContext call, in ClockState state)
    {
        uint modes = state.Modes;
        if ((modes & SingleShot) != 0)
        {
            if ((modes & SetOffset) == 0)
                return Errno.EINVAL;
            return (modes & ReadSingleShot) == 0 && !MaySet(call) ? Errno.EPERM : Errno.None;
        }
        if (modes != 0 && !MaySet(call))
            return Errno.EPERM;
        if ((modes & SetTick) != 0 && (state.Tick < ClockDiscipline.LeastTick || state.Tick > ClockDiscipline.MostTick))
            return Errno.EINVAL;
        if ((modes & Step) != 0 && (state.Fraction < 0 || state.Fraction >= ((modes & InNanoseconds) != 0 ? Second : Second / Microsecond)))
            return Errno.EINVAL;
        return Errno.None;
    }

    /// <summary>Takes over what the modes name; returns the offset to tell.</summary>
    private static long Adjust(CallContext call, ClockDiscipline discipline, ref ClockState state)
    {
        uint modes = state.Modes;
        if ((modes & SingleShot) != 0)
        {
            long before = discipline.SingleShot;
            if ((modes & ReadSingleShot) == 0)
                discipline.SingleShot = state.Offset;
            return before;
        }
        if ((modes & Step) != 0)
            call.World.SetRealtime(call.World.Clock.Realtime + (state.Seconds * Second) + (state.Fraction * ((modes & InNanoseconds) != 0 ? 1 : Microsecond)));
        if ((modes & SetStatus) != 0)
            discipline.Status = (discipline.Status & ReadOnlyStatus) | (state.Status & ~ReadOnlyStatus);
        if ((modes & InNanoseconds) != 0)
            discipline.Status |= Nanoseconds;
        if ((modes & InMicroseconds) != 0)
            discipline.Status &= ~Nanoseconds;
        if ((modes & SetFrequency) != 0)
            discipline.Frequency = Math.Clamp(state.Frequency, -ClockDiscipline.MostFrequency, ClockDiscipline.MostFrequency);
        if ((modes & SetMaxError) != 0)
            discipline.MaxError = Math.Clamp(state.MaxError, 0, 16_000_000);
        if ((modes & SetEstimatedError) != 0)
            discipline.EstimatedError = Math.Clamp(state.EstimatedError, 0, 16_000_000);
        if ((modes & SetConstant) != 0)
            discipline.TimeConstant = Math.Clamp(state.Constant + ((discipline.Status & Nanoseconds) == 0 ? 4 : 0), 0, 10);
        if ((modes & SetAtomicOffset) != 0 && state.Constant is >= 0 and <= 100_000)
            discipline.AtomicOffset = (int)state.Constant;
        if ((modes & SetOffset) != 0 && (discipline.Status & 1) != 0)
            discipline.Offset = state.Offset;
        if ((modes & SetTick) != 0)
            discipline.Tick = state.Tick;
        return discipline.Offset;
    }

    private static void Tell(CallContext call, ClockDiscipline discipline, long offset, ref ClockState state)
    {
        long now = call.World.Clock.Realtime;
        bool isFine = (discipline.Status & Nanoseconds) != 0;
        state = new ClockState
        {
            Modes = state.Modes, Offset = offset, Frequency = discipline.Frequency, MaxError = discipline.MaxError, EstimatedError = discipline.EstimatedError,
            Status = discipline.Status, Constant = discipline.TimeConstant, Precision = 1, Tolerance = ClockDiscipline.MostFrequency,
            Seconds = now / Second, Fraction = now % Second / (isFine ? 1 : Microsecond), Tick = discipline.Tick, AtomicOffset = discipline.AtomicOffset,
        };
    }
}
