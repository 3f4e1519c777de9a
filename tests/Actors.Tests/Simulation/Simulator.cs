using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Tests.Simulation;

/// <summary>Virtual time: events in order, all on one thread, chance from one seed. The same seed is the same run.</summary>
internal sealed class Simulator(int seed)
{
    public const long Millisecond = 1_000_000;
    public const long Second = 1000 * Millisecond;

    private readonly PriorityQueue<Action, (long Time, long Order)> _events = new();
    private long _order;

    public int Seed { get; } = seed;

    public Random Random { get; } = new(seed);

    public long Now { get; private set; } = Second;

    /// <summary>A digest of what happened: two runs of one seed must have the same.</summary>
    public ulong Trace { get; private set; } = 14695981039346656037;

    public void After(long delay, Action action) => _events.Enqueue(action, (Now + delay, _order++));

    public void RunUntil(long time)
    {
        while (_events.TryPeek(out _, out (long Time, long Order) next) && next.Time <= time)
        {
            Action action = _events.Dequeue();
            Now = next.Time;
            action();
        }
        Now = time;
    }

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public long Between(long least, long most) => Random.NextInt64(least, most + 1);

    public Guid NewGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.NextBytes(bytes);
        return new Guid(bytes);
    }

    /// <summary>Adds something that happened to the digest (FNV-1a).</summary>
    public void Note(string what)
    {
        foreach (char c in what)
            Trace = (Trace ^ c) * 1099511628211;
        Trace = (Trace ^ (ulong)Now) * 1099511628211;
    }
}

/// <summary>One machine's clocks: the monotonic one a little fast or slow, the other set by whoever likes.</summary>
internal sealed class SimulatedClock(Simulator simulator) : IClock
{
    private readonly double _rate = 1 + ((simulator.Random.NextDouble() - 0.5) / 100);

    public long Step { get; set; }

    public long Monotonic => (long)(simulator.Now * _rate);

    public long Realtime => simulator.Now + Step;
}
