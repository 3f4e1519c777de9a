using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using LinuxTime = Vivarium.Emulator.Personalities.Linux.Calls.TimeCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>clock_gettime(2) and its kin: the clocks' numbers.</summary>
public static class TimeCalls
{
    private const int Realtime = 0, Monotonic = 1, ProcessCpu = 2, ThreadCpu = 3;

    /// <summary>Linux's number of a clock; CLOCK_SECOND is its coarse one.</summary>
    private static int? ToLinux(int clock) => clock switch
    {
        0 or 9 or 10 => Realtime,
        1 or 2 => ProcessCpu, // CLOCK_VIRTUAL, CLOCK_PROF
        4 or 5 or 7 or 8 or 11 or 12 => Monotonic,
        13 => 5,
        14 => ThreadCpu,
        15 => ProcessCpu,
        _ => null,
    };

    public static CallResult ClockGettime(CallContext call, int clock, GuestAddress time) =>
        ToLinux(clock) is { } linux ? LinuxTime.ClockGettime(call, linux, time) : Errno.EINVAL;

    public static CallResult ClockGetres(CallContext call, int clock, GuestAddress time) =>
        ToLinux(clock) is { } linux ? LinuxTime.ClockGetres(call, linux, time) : Errno.EINVAL;

    public static CallResult ClockSettime(CallContext call, int clock, GuestAddress time) =>
        ToLinux(clock) is { } linux ? Linux.Calls.ClockCalls.ClockSettime(call, linux, time) : Errno.EINVAL;

    /// <summary>clock_nanosleep(2) returns its error, and sets none.</summary>
    public static CallResult ClockNanosleep(CallContext call, int clock, int flags, GuestAddress request, GuestAddress remaining)
    {
        const int absolute = 1;
        if ((flags & ~absolute) != 0 || ToLinux(clock) is not { } linux)
            return FreeBsdPersonality.Instance.Numbers.ErrorNumber(Errno.EINVAL);
        CallResult result = LinuxTime.ClockNanosleep(call, linux, flags, request, remaining);
        return result.Outcome == CallOutcome.Error ? FreeBsdPersonality.Instance.Numbers.ErrorNumber(result.Error) : result;
    }
}
