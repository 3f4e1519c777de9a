using System.Text;

namespace Vivarium.Emulator.Kernel;

/// <summary>What the kernel says of itself (syslog(2)): written to by nobody but the kernel, read once by whoever follows it.</summary>
public sealed class KernelLog
{
    private readonly World _world;
    private byte[] _text;
    private int _read;
    private int _cleared;

    public KernelLog(World world)
    {
        _world = world;
        Files.Proc.SystemInfo system = world.System;
        _text = Encoding.UTF8.GetBytes($"<5>[    0.000000] {system.SystemName} version {system.Release} (vivarium@vivarium) {system.Version}\n");
    }

    /// <summary>Bytes it can hold.</summary>
    public static int Capacity => 1 << 17;

    /// <summary>Adds a line of an error's weight, while there is room.</summary>
    public void Add(string text)
    {
        decimal seconds = _world.Clock.Monotonic / 1000 / 1_000_000m;
        byte[] line = Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"<3>[{seconds,12:F6}] {text}\n"));
        if (_text.Length + line.Length > Capacity)
            return;
        _text = [.. _text, .. line];
        Source.Pulse(Events.Readiness.In);
    }

    /// <summary>Pulses when there is more to follow.</summary>
    public Events.Source Source { get; } = new();

    public int Unread => _text.Length - _read;

    /// <summary>The last bytes since it was cleared.</summary>
    public ReadOnlySpan<byte> Last(int count)
    {
        ReadOnlySpan<byte> text = _text.AsSpan(_cleared);
        return text.Length <= count ? text : [];
    }

    public void Clear() => _cleared = _text.Length;

    /// <summary>What was not followed yet; <see cref="Advance"/> takes it.</summary>
    public ReadOnlySpan<byte> Next(int count) => _text.AsSpan(_read, Math.Min(count, Unread));

    public void Advance(int count) => _read += count;
}
