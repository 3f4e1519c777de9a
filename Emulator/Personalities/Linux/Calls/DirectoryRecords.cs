using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Gathers a directory's entries as records of a system's layout.</summary>
internal abstract class DirectoryRecords(ulong room) : IDirectorySink, IDisposable
{
    /// <summary>What one call gives at the most.</summary>
    private const ulong MostBytes = 1 << 17;

    private readonly int _capacity = (int)Math.Min(room, MostBytes);
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(Math.Max((int)Math.Min(room, MostBytes), 1));
    private int _length;

    /// <summary>An entry did not fit.</summary>
    private bool _isFull;

    /// <summary>A record's length with its padding.</summary>
    protected abstract int SizeOf(int nameLength);

    /// <summary>Fills a record that is zero.</summary>
    /// <param name="next">The position of the entry behind it.</param>
    protected abstract void Write(Span<byte> record, ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next);

    public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
    {
        int size = SizeOf(name.Length);
        if (_length + size > _capacity)
        {
            _isFull = true;
            return false;
        }
        Span<byte> record = _buffer.AsSpan(_length, size);
        record.Clear();
        Write(record, name, inode, kind, next);
        _length += size;
        return true;
    }

    /// <summary>Gives the entries from a directory's position on, as many as fit: how many bytes; EINVAL when not one does. Without an effect when it fails.</summary>
    public CallResult Give(CallContext call, DirectoryFile directory, GuestAddress buffer)
    {
        long start = directory.Position;
        Errno error = directory.List(call, this);
        CallResult result = error != Errno.None ? error
            : _length == 0 ? (_isFull ? Errno.EINVAL : CallResult.Ok())
            : call.Memory.TryWrite(buffer, _buffer.AsSpan(0, _length)) ? _length : Errno.EFAULT;
        if (result.Outcome == CallOutcome.Error)
            directory.Position = start;
        if (error == Errno.None)
            FileNotifier.OnFile(directory, FileChange.Accessed);
        return result;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
