using System.Text;

namespace Vivarium.Emulator.Kernel;

/// <summary>What the kernel says of itself (syslog(2)): written to by nobody but the kernel, read once by whoever follows it.</summary>
public sealed class KernelLog
{
    private readonly byte[] _text;
    private int _read;
    private int _cleared;

    public KernelLog(World world)
    {
        Files.Proc.SystemInfo system = world.System;
        _text = Encoding.UTF8.GetBytes($"<5>[    0.000000] {system.SystemName} version {system.Release} (vivarium@vivarium) {system.Version}\n");
    }

    /// <summary>Bytes it can hold.</summary>
    public static int Capacity => 1 << 17;

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
