namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Ranges and holes of a file.</summary>
public sealed partial class ExtFile
{
    private bool HasExtents => (Record.Flags & ExtInodeFlags.Extents) != 0;

    public override long NextData(long offset) => Next(offset, isData: true);

    public override long NextHole(long offset) => Next(offset, isData: false);

    /// <summary>The next offset with data or without; the size when there is none.</summary>
    private long Next(long offset, bool isData)
    {
        WriteBack();
        for (long at = offset; at < Record.Size;)
        {
            if (_map.Find((ulong)(at / BlockSize), uint.MaxValue, out ExtRun run) != Errno.None)
                break;
            if (run.IsWritten == isData)
                return at;
            at = ((at / BlockSize) + run.Count) * BlockSize;
        }
        return Record.Size;
    }

    public override Errno NextExtent(long offset, out FileExtent extent)
    {
        extent = default;
        Errno error = WriteBack();
        return error != Errno.None ? error : _map.NextExtent(offset, out extent);
    }

    /// <summary>ext4_fallocate: files with a map of pointers can only have holes punched.</summary>
    public override Errno Allocate(long offset, long length, RangeChange change, bool keepSize)
    {
        Errno error = MayWrite();
        if (error == Errno.None && !HasExtents && change != RangeChange.PunchHole)
            error = Errno.EOPNOTSUPP;
        if (error == Errno.None && change != RangeChange.PunchHole && offset + length > MostBytes)
            error = Errno.EFBIG;
        if (error == Errno.None)
            error = WriteBack();
        if (error != Errno.None)
            return error;
        error = change switch
        {
            RangeChange.PunchHole => Punch(offset, length),
            RangeChange.Zero => Zero(offset, length, keepSize),
            RangeChange.Collapse => Collapse(offset, length),
            RangeChange.Insert => Insert(offset, length),
            _ => Reserve(offset, length, keepSize),
        };
        if (error == Errno.None)
            Modified();
        Errno stored = Store();
        return error != Errno.None ? error : stored;
    }

    /// <summary>Fills holes with unwritten blocks. On ENOSPC what was filled stays.</summary>
    private Errno Reserve(long offset, long length, bool keepSize)
    {
        ulong logical = (ulong)(offset / BlockSize), end = (ulong)((offset + length + BlockSize - 1) / BlockSize);
        while (logical < end)
        {
            uint most = (uint)Math.Min(end - logical, uint.MaxValue);
            Errno error = _map.Find(logical, most, out ExtRun run);
            if (error == Errno.None && run.IsHole)
                error = _map.Fill(logical, run.Count, isUnwritten: true, out run);
            if (error != Errno.None)
                return error;
            logical += run.Count;
        }
        return keepSize ? Errno.None : Grow(offset + length);
    }

    private Errno Grow(long size)
    {
        if (size <= Record.Size)
            return Errno.None;
        if (_content is not null && !_content.SetLength(size))
            return Errno.ENOSPC;
        Record.Size = size;
        NoteSize();
        return Errno.None;
    }

    /// <summary>Zeros at the edges, a hole between them; behind the end of the file nothing is done.</summary>
    private Errno Punch(long offset, long length)
    {
        if (offset >= Record.Size)
            return Errno.None;
        long end = offset + length >= Record.Size ? (Record.Size + BlockSize - 1) / BlockSize * BlockSize : offset + length;
        _content?.Punch(offset, end - offset);
        Errno error = ZeroEdges(offset, end, out ulong first, out ulong last);
        return error != Errno.None || first >= last ? error : _map.Remove(first, last - first);
    }

    /// <summary>Zeros in what a range has of blocks that are not whole; the whole ones are told.</summary>
    private Errno ZeroEdges(long offset, long end, out ulong first, out ulong last)
    {
        first = (ulong)((offset + BlockSize - 1) / BlockSize);
        last = (ulong)(end / BlockSize);
        if (first > last)
            return ZeroDevice(offset, end);
        Errno error = ZeroDevice(offset, (long)first * BlockSize);
        return error != Errno.None ? error : ZeroDevice((long)last * BlockSize, end);
    }

    /// <summary>The range reads as zeros, and has blocks.</summary>
    private Errno Zero(long offset, long length, bool keepSize)
    {
        long end = offset + length;
        if (offset < Record.Size)
            _content?.Punch(offset, Math.Min(end, Record.Size) - offset);
        Errno error = ZeroEdges(offset, end, out ulong first, out ulong last);
        for (ulong at = first; at < last && error == Errno.None;)
        {
            error = _map.Find(at, (uint)Math.Min(last - at, uint.MaxValue), out ExtRun run);
            if (error == Errno.None && run.IsWritten)
                error = _map.Mark(at, run.Count, isUnwritten: true);
            at += run.Count;
        }
        return error != Errno.None ? error : Reserve(offset, length, keepSize);
    }

    private bool IsWhole(long offset, long length) => offset % BlockSize == 0 && length % BlockSize == 0;

    private Errno Collapse(long offset, long length)
    {
        if (!IsWhole(offset, length) || offset + length >= Record.Size)
            return Errno.EINVAL;
        ulong first = (ulong)(offset / BlockSize), count = (ulong)(length / BlockSize);
        Errno error = _map.Remove(first, count);
        if (error == Errno.None)
            error = _map.Shift(first + count, -(long)count);
        if (error != Errno.None)
            return error;
        Record.Size -= length;
        return Refill();
    }

    private Errno Insert(long offset, long length)
    {
        if (!IsWhole(offset, length) || offset >= Record.Size)
            return Errno.EINVAL;
        if (Record.Size > MostBytes - length)
            return Errno.EFBIG;
        if (_content is not null && !_content.SetLength(Record.Size + length))
            return Errno.ENOSPC;
        Errno error = _map.Shift((ulong)(offset / BlockSize), length / BlockSize);
        if (error != Errno.None)
            return error;
        Record.Size += length;
        NoteSize();
        return Refill();
    }

    /// <summary>What is mapped is as it is on the device now.</summary>
    private Errno Refill()
    {
        if (_content is null)
            return Errno.None;
        _content.Punch(0, _content.Length);
        return Fill(_content);
    }
}
