using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A page that programs read clocks from without a call, and code of the personality's behind it. The processor's time stamp counter is the
/// world's monotonic clock; the page's words, numbered as Linux numbers clocks, are what the clock of that number is ahead of it, in nanoseconds.
/// </summary>
public sealed class ClockPage
{
    /// <summary>How far the host's clocks may drift apart before programs are told: what two readings differ by is no news.</summary>
    private const long Tolerance = 20_000;

    private const int Realtime = 0, Monotonic = 1, MonotonicRaw = 4, Boot = 7;

    private readonly IClock _clock;
    private readonly AnonymousObject _content;
    private long _ahead;

    /// <param name="space">Whose offsets the clocks since boot have.</param>
    public ClockPage(IClock clock, MemoryAccountant accountant, ReadOnlySpan<byte> code, TimeSpace space)
    {
        _clock = clock;
        _content = new AnonymousObject(accountant, "clocks", isOurs: true);
        Length = GuestAddress.PageSize + (ulong)code.Length;
        _content.Write((long)GuestAddress.PageSize, code);
        Store(Realtime, _ahead = clock.Realtime - clock.Monotonic);
        Store(Monotonic, space.MonotonicOffset);
        Store(MonotonicRaw, space.MonotonicOffset);
        Store(Boot, space.BootOffset);
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
            Store(Realtime, _ahead = ahead);
    }

    private void Store(int clock, long ahead)
    {
        Span<byte> word = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(word, ahead);
        _content.Write(clock * sizeof(long), word);
    }
}
