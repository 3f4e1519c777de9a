using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// Keeps one attempt's output: what the guest writes goes to the journal in chunks, in the order it was written over both streams.
/// Writes that come while a chunk is on its way are put together, and a guest far ahead of the store waits.
/// </summary>
public sealed class JobOutput(IEntityContext context, int attempt, long limit)
{
    private const int LargestChunk = 1 << 18;

    /// <summary>Bytes on their way or waiting, after which the guest's writes wait.</summary>
    private const int Window = 1 << 20;

    private readonly Lock _lock = new();
    private readonly List<byte> _pending = [];
    private OutputStream _pendingStream;
    private long _offset;
    private int _unwritten;
    private bool _isFlushing;
    private bool _isOver;
    private bool _isAbandoned;

    /// <summary>Whose output this is, from 1.</summary>
    public int Attempt => attempt;

    /// <summary>What a run writes to.</summary>
    public IHostOutput Open(OutputStream stream) => new Writer(this, stream);

    /// <summary>Sends what is left; called at the run's end, before its result is committed.</summary>
    public void Complete()
    {
        lock (_lock)
            Send();
    }

    /// <summary>The shard is lost: nothing more is written, and nobody waits for it.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            _isAbandoned = true;
            _pending.Clear();
            _unwritten = 0;
        }
        RoomAvailable?.Invoke();
    }

    private event Action? RoomAvailable;

    private int Write(OutputStream stream, ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_isAbandoned || _isOver)
                return bytes.Length;
            int room = Window - _unwritten - _pending.Count;
            if (room <= 0)
                return 0;
            int taken = Math.Min(room, bytes.Length);
            if (_offset + _pending.Count + taken > limit)
            {
                Cap(stream, bytes);
                return bytes.Length;
            }
            Add(stream, bytes[..taken]);
            if (!_isFlushing)
                Send();
            return taken;
        }
    }

    private void Add(OutputStream stream, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_pending.Count > 0 && (_pendingStream != stream || _pending.Count == LargestChunk))
                Send();
            _pendingStream = stream;
            int size = Math.Min(LargestChunk - _pending.Count, bytes.Length);
            _pending.AddRange(bytes[..size]);
            bytes = bytes[size..];
        }
    }

    /// <summary>Takes what still fits, says that the rest is missing, and takes no more.</summary>
    private void Cap(OutputStream stream, ReadOnlySpan<byte> bytes)
    {
        Add(stream, bytes[..(int)Math.Max(0, limit - _offset - _pending.Count)]);
        Add(OutputStream.Error, System.Text.Encoding.UTF8.GetBytes($"\nviv: output is cut off after {limit} bytes\n"));
        Send();
        _isOver = true;
    }

    private void Send()
    {
        if (_pending.Count == 0 || _isAbandoned)
            return;
        var chunk = new OutputChunk(_offset, _pendingStream, _pending.ToArray());
        _pending.Clear();
        _offset = chunk.End;
        _unwritten += chunk.Bytes.Length;
        _isFlushing = true;
        context.WriteOutput(attempt, chunk, _ => Written(chunk.Bytes.Length));
    }

    private void Written(int size)
    {
        lock (_lock)
        {
            _unwritten = Math.Max(0, _unwritten - size);
            _isFlushing = _unwritten > 0;
            if (!_isFlushing)
                Send();
        }
        RoomAvailable?.Invoke();
    }

    private sealed class Writer(JobOutput output, OutputStream stream) : IHostOutput
    {
        public event Action? RoomAvailable
        {
            add => output.RoomAvailable += value;
            remove => output.RoomAvailable -= value;
        }

        public bool IsTerminal => false;

        public int TryWrite(ReadOnlySpan<byte> source) => output.Write(stream, source);
    }
}
