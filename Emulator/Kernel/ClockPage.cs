using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A page that programs read clocks from without a call, and code of the personality's behind it. The processor's time stamp counter is the
/// world's monotonic clock; the page's words, numbered as Linux numbers clocks, are what the clock of that number is ahead of it, in nanoseconds.
/// </summary>
public sealed class ClockPage : IDisposable
{
    /// <summary>How far the host's clocks may drift apart before programs are told: what two readings differ by is no news.</summary>
    private const long Tolerance = 20_000;

    private const int Realtime = 0, Monotonic = 1, MonotonicRaw = 4, Boot = 7;

    private readonly IClock _clock;
    private readonly AnonymousObject _content;
    private readonly ReadOnlyMemory<byte> _code;
    private readonly bool _isPooled;
    private long _ahead;

    /// <summary>The page of a space that guests made, with its offsets of the clocks since boot.</summary>
    public ClockPage(IClock clock, MemoryAccountant accountant, ReadOnlyMemory<byte> code, TimeSpace space)
    {
        (_clock, _code) = (clock, code);
        _content = Make(accountant, code);
        Length = GuestAddress.PageSize + (ulong)code.Length;
        Store(Realtime, _ahead = clock.Realtime - clock.Monotonic);
        Store(Monotonic, space.MonotonicOffset);
        Store(MonotonicRaw, space.MonotonicOffset);
        Store(Boot, space.BootOffset);
    }

    /// <summary>A world's own page, which one before it may have left: the clocks since boot have no offsets.</summary>
    public ClockPage(IClock clock, ReadOnlyMemory<byte> code)
    {
        _clock = clock;
        (_code, _isPooled) = (code, true);
        Length = GuestAddress.PageSize + (ulong)code.Length;
        _content = Pool.Take(code) ?? Make(new MemoryAccountant(ulong.MaxValue), code);
        Store(Realtime, _ahead = clock.Realtime - clock.Monotonic);
    }

    private static AnonymousObject Make(MemoryAccountant accountant, ReadOnlyMemory<byte> code)
    {
        var content = new AnonymousObject(accountant, "clocks", isOurs: true);
        content.Write((long)GuestAddress.PageSize, code.Span);
        return content;
    }

    /// <summary>Nobody maps it any more.</summary>
    public void Dispose()
    {
        if (!_isPooled || !Pool.TryKeep(_content, _code))
            _content.Release();
    }

    /// <summary>What lies behind the clocks.</summary>
    public ReadOnlyMemory<byte> Code => _code;

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

    /// <summary>Pages of worlds that have ended: a job's clocks then cost one word. Thread-safe.</summary>
    private static class Pool
    {
        private const int Most = 16;

        private static readonly Lock Gate = new();
        private static readonly Stack<(AnonymousObject Content, ReadOnlyMemory<byte> Code)> Free = [];

        /// <summary>The last page that was left; null when there is none, or it has other code.</summary>
        public static AnonymousObject? Take(ReadOnlyMemory<byte> code)
        {
            lock (Gate)
                return Free.Count > 0 && Free.Peek().Code.Equals(code) ? Free.Pop().Content : null;
        }

        public static bool TryKeep(AnonymousObject content, ReadOnlyMemory<byte> code)
        {
            lock (Gate)
            {
                if (Free.Count == Most)
                    return false;
                Free.Push((content, code));
                return true;
            }
        }
    }
}
