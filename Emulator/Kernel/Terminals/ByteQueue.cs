namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>Bytes on their way, first in first out, up to a limit.</summary>
internal sealed class ByteQueue(int limit)
{
    private byte[] _bytes = [];
    private int _start;

    public int Count { get; private set; }

    public int Room => limit - Count;

    /// <summary>What lies in one piece at the front; more may follow after <see cref="Skip"/>.</summary>
    public ReadOnlySpan<byte> Front => _bytes.AsSpan(_start, Math.Min(Count, _bytes.Length - _start));

    /// <summary>Takes some or all bytes.</summary>
    public int Add(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Math.Min(bytes.Length, Room)];
        if (Count + bytes.Length > _bytes.Length)
            Grow(Count + bytes.Length);
        if (bytes.IsEmpty)
            return 0;
        int end = (_start + Count) % _bytes.Length;
        int first = Math.Min(bytes.Length, _bytes.Length - end);
        bytes[..first].CopyTo(_bytes.AsSpan(end));
        bytes[first..].CopyTo(_bytes);
        Count += bytes.Length;
        return bytes.Length;
    }

    public int Take(Span<byte> destination)
    {
        int taken = 0;
        while (taken < destination.Length && Count > 0)
        {
            ReadOnlySpan<byte> front = Front;
            front = front[..Math.Min(front.Length, destination.Length - taken)];
            front.CopyTo(destination[taken..]);
            taken += front.Length;
            Skip(front.Length);
        }
        return taken;
    }

    public void Skip(int count)
    {
        Count -= count;
        _start = Count == 0 ? 0 : (_start + count) % _bytes.Length;
    }

    /// <summary>Drops all but the first <paramref name="kept"/> bytes.</summary>
    public void Cut(int kept) => Count = Math.Min(Count, kept);

    private void Grow(int needed)
    {
        byte[] larger = new byte[Math.Min(limit, Math.Max(needed, Math.Max(256, 2 * _bytes.Length)))];
        int count = Count;
        Take(larger.AsSpan(0, count));
        (_bytes, _start, Count) = (larger, 0, count);
    }
}
