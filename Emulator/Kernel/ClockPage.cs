using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A page that programs read clocks from without a call, and code of the personality's behind it. The processor's time stamp counter is the
/// world's monotonic clock; the page's first word is what the real-time clock is ahead of it, in nanoseconds.
/// </summary>
public sealed class ClockPage
{
    /// <summary>How far the host's clocks may drift apart before programs are told: what two readings differ by is no news.</summary>
    private const long Tolerance = 20_000;

    private readonly IClock _clock;
    private readonly AnonymousObject _content = new(new MemoryAccountant(ulong.MaxValue), "clocks");
    private long _ahead;

    public ClockPage(IClock clock, ReadOnlySpan<byte> code)
    {
        _clock = clock;
        Length = GuestAddress.PageSize + (ulong)code.Length;
        _content.Write((long)GuestAddress.PageSize, code);
        Store(clock.Realtime - clock.Monotonic);
    }

    /// <summary>To be mapped readable and executable, and private.</summary>
    public MemoryObject Content => _content;

    public ulong Length { get; }

    /// <summary>Follows the real-time clock when it was set.</summary>
    public void Refresh()
    {
        long before = _clock.Monotonic, ahead = _clock.Realtime - before;
        // Two readings with a pause between them tell nothing.
        if (Math.Abs(ahead - _ahead) > Tolerance && _clock.Monotonic - before < Tolerance)
            Store(ahead);
    }

    private void Store(long ahead)
    {
        Span<byte> word = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(word, _ahead = ahead);
        _content.Write(0, word);
    }
}
