using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Kernel;

/// <summary>A world's time: the host's counted from boot, or its own.</summary>
public sealed class WorldClock : IClock
{
    /// <summary>2025-01-01 00:00 UTC: when virtual worlds boot.</summary>
    private const long VirtualEpoch = 1_735_689_600_000_000_000;

    private readonly IClock? _host;
    private readonly CounterClock? _counter;
    private readonly long _bootMonotonic;
    private readonly long _bootRealtime;
    private long _virtual;

    /// <summary>What guests set the real-time clock ahead by.</summary>
    private long _ahead;

    private WorldClock(IClock? host)
    {
        (_host, _counter) = (host, host?.Counter);
        _bootMonotonic = host?.Monotonic ?? 0;
        _bootRealtime = host?.Realtime ?? VirtualEpoch;
    }

    /// <inheritdoc/>
    public bool IsVirtual => _host is null;

    public static WorldClock Real(IClock host) => new(host);

    public static WorldClock Virtual() => new(null);

    /// <summary>
    /// How long a world has been up when it starts: an hour, as a machine that somebody set up before. 0 has meanings of its own, and
    /// clocks of a time name space can be set back only as far as they have run (time_namespaces(7)).
    /// </summary>
    public const long UptimeAtStart = 3600L * 1_000_000_000;

    public long Monotonic
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => UptimeAtStart - _bootMonotonic + (_counter is not null && _counter.TryRead(out long now) ? now : AskHost());
    }

    private long AskHost() => _host?.Monotonic ?? _virtual;

    /// <summary>The time stamp counter of the world's processors: <see cref="Monotonic"/>.</summary>
    public TimeStampCounter TimeStamp => new(() => (ulong)Monotonic, _host?.MonotonicFunction ?? 0, UptimeAtStart - _bootMonotonic, _counter);

    public long Realtime => _ahead + (_host?.Realtime ?? _bootRealtime + _virtual);

    /// <summary>Sets what <see cref="Realtime"/> tells from now on.</summary>
    internal void SetRealtime(long now) => _ahead += now - Realtime;

    /// <summary>The host's monotonic time for a world's; meaningless for virtual time.</summary>
    public long ToHost(long monotonic) => monotonic - UptimeAtStart > long.MaxValue - _bootMonotonic ? long.MaxValue : monotonic - UptimeAtStart + _bootMonotonic;

    /// <summary>Virtual time moves on; nothing happens in real time.</summary>
    internal void Advance(long nanoseconds)
    {
        if (IsVirtual)
            _virtual += nanoseconds;
    }

    internal void AdvanceTo(long monotonic)
    {
        if (IsVirtual && monotonic > Monotonic)
            _virtual = monotonic - UptimeAtStart;
    }
}

/// <summary>The world's random numbers: SplitMix64 (Steele, Lea, Flood 2014), for schedule and guests alike.</summary>
public sealed class WorldRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number below <paramref name="limit"/>.</summary>
    public int Below(int limit) => (int)(Next() % (uint)limit);

    public void Fill(Span<byte> destination)
    {
        Span<byte> word = stackalloc byte[8];
        while (!destination.IsEmpty)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(word, Next());
            int count = Math.Min(8, destination.Length);
            word[..count].CopyTo(destination);
            destination = destination[count..];
        }
    }
}
