using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Records;

/// <summary>A job's records: as many of the latest as its limit allows. What had to go is counted.</summary>
/// <param name="limit">Bytes.</param>
public sealed class SegmentStore(long limit)
{
    /// <summary>Records and bytes at which a segment is closed.</summary>
    private const int MostRecords = 1 << 16;
    private const int MostBytes = 512 << 10;

    private readonly Queue<CallSegment> _segments = new();
    private SegmentEncoder? _encoder;
    private long _size;

    /// <summary>Records taken so far.</summary>
    public long Count { get; private set; }

    /// <summary>Records that had to make room for later ones.</summary>
    public long Lost { get; private set; }

    public void Add(ReadOnlySpan<CallRecord> records)
    {
        _encoder ??= new SegmentEncoder();
        foreach (ref readonly CallRecord record in records)
            _encoder.Add(record);
        Count += records.Length;
        if (_encoder.Count >= MostRecords || _encoder.Length >= MostBytes)
            Close();
    }

    /// <summary>Everything that is kept, in order.</summary>
    public IReadOnlyList<CallSegment> Segments()
    {
        Close();
        return [.. _segments];
    }

    private void Close()
    {
        if (_encoder is not { Count: > 0 })
            return;
        CallSegment segment = _encoder.Close(Count - _encoder.Count);
        _segments.Enqueue(segment);
        _size += segment.Size;
        // The last one stays whatever its size: a trace without any call helps nobody.
        while (_size > limit && _segments.Count > 1)
        {
            CallSegment oldest = _segments.Dequeue();
            _size -= oldest.Size;
            Lost += oldest.Count;
        }
    }
}
