namespace Vivarium.Emulator.Kernel;

/// <summary>Something that is to go wrong with calls of one number, for tests of what a program does then.</summary>
/// <param name="Number">The personality's number.</param>
/// <param name="Nth">Which call of that number in the world, from 1; 0 = any.</param>
/// <param name="Percent">How many in a hundred it befalls, by the world's seed.</param>
/// <param name="Delay">How much longer the call takes, nanoseconds; other threads go on meanwhile, signals do not end it.</param>
/// <param name="Error">What it fails with, without being done; none = it is done.</param>
public readonly record struct PlannedFault(int Number, long Nth, double Percent, long Delay, Errno Error);

/// <summary>Finds out which calls of a world are struck. Its chance is its own: the world's other random numbers stay what they were.</summary>
internal sealed class CallFaults
{
    private readonly Dictionary<int, PlannedFault[]> _plans;
    private readonly Dictionary<int, long> _counts = [];
    private readonly WorldRandom _random;

    public CallFaults(IReadOnlyList<PlannedFault> plans, ulong seed)
    {
        _plans = plans.GroupBy(static plan => plan.Number).ToDictionary(static group => group.Key, static group => group.ToArray());
        _random = new WorldRandom(seed ^ 0xFA177);
    }

    /// <summary>
    /// What becomes of a call before its handler runs: <paramref name="result"/> when true, with <see cref="CallOutcome.Blocked"/> for a
    /// thread that is held up now.
    /// </summary>
    public bool Strikes(GuestThread thread, out CallResult result)
    {
        CallContext call = thread.Call;
        result = default;
        long now = thread.Process.World.Clock.Monotonic;
        if (call.HeldUntil is not { } until)
        {
            (long delay, call.PlannedError) = Plan(call.Number);
            call.HeldUntil = until = delay == 0 ? 0 : now + delay;
        }
        if (until > now)
        {
            thread.Hold(until);
            result = CallResult.Blocked(RestartKind.IfHandlerAllows);
            return true;
        }
        if (call.PlannedError == Errno.None)
            return false;
        result = CallResult.Fail(call.PlannedError);
        return true;
    }

    private (long Delay, Errno Error) Plan(int number)
    {
        if (!_plans.TryGetValue(number, out PlannedFault[]? plans))
            return (0, Errno.None);
        long nth = _counts[number] = _counts.GetValueOrDefault(number) + 1;
        (long delay, Errno error) = (0, Errno.None);
        foreach (PlannedFault plan in plans)
        {
            // A number is drawn for each, struck or not: one plan's chance does not change another's.
            bool isChosen = plan.Percent >= 100 || _random.Below(1_000_000) < plan.Percent * 10_000;
            if (!isChosen || (plan.Nth != 0 && plan.Nth != nth))
                continue;
            delay = Math.Max(delay, plan.Delay);
            error = plan.Error == Errno.None ? error : plan.Error;
        }
        return (delay, error);
    }
}
