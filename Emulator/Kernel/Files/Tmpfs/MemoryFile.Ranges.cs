using System.Buffers;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>Ranges, holes and seals of a file in memory.</summary>
public sealed partial class MemoryFile
{
    private const long PageSize = 4096;

    private FileSeals _seals = FileSeals.Seal;

    /// <summary>Files of a tmpfs have them, but are born sealed against sealing; a disk's have none.</summary>
    public override FileSeals? Seals => Owner.IsOverlay ? null : _seals;

    /// <summary>Sets the seals of a new file.</summary>
    internal void Start(FileSeals seals) => _seals = seals;

    public override Errno AddSeals(FileSeals seals)
    {
        if (Owner.IsOverlay)
            return Errno.EINVAL;
        if ((_seals & FileSeals.Seal) != 0)
            return Errno.EPERM;
        if ((seals & ~_seals & FileSeals.Write) != 0 && _content is { IsMappedForWriting: true })
            return Errno.EBUSY;
        // Whoever may no longer execute it may not make it so by writing either (memfd_add_seals in mm/memfd.c).
        if ((seals & FileSeals.Execute) != 0 && (State.Mode & 0x49) != 0)
            seals |= FileSeals.Shrink | FileSeals.Grow | FileSeals.AnyWrite;
        _seals |= seals;
        return Errno.None;
    }

    public override Errno SetAttributes(in AttributeChange change)
    {
        const uint execute = 0x49;
        if ((_seals & FileSeals.Execute) != 0 && change.Mode is { } mode && ((mode ^ State.Mode) & execute) != 0)
            return Errno.EPERM;
        return base.SetAttributes(change);
    }

    public override long NextData(long offset) => _content?.NextData(offset) ?? (Lower is null ? Status.Size : offset);

    public override long NextHole(long offset) => _content?.NextHole(offset) ?? Status.Size;

    public override Errno Allocate(long offset, long length, RangeChange change, bool keepSize)
    {
        // A tmpfs has less than disks' file systems (shmem_fallocate).
        if (!Owner.IsOverlay && change is not (RangeChange.Reserve or RangeChange.PunchHole))
            return Errno.EOPNOTSUPP;
        Errno error = change == RangeChange.PunchHole ? (_seals & FileSeals.AnyWrite) != 0 ? Errno.EPERM : Errno.None
            : keepSize ? Errno.None : MayResize(Math.Max(offset + length, Status.Size));
        if (error == Errno.None)
            error = TakeOver(keep: long.MaxValue);
        if (error == Errno.None && change == RangeChange.Reserve)
            error = Fill(offset, offset + length);
        if (error == Errno.None)
            error = ChangeRange(offset, length, change, keepSize);
        if (error == Errno.None)
            Modified();
        return error;
    }

    private Errno ChangeRange(long offset, long length, RangeChange change, bool keepSize)
    {
        switch (change)
        {
            case RangeChange.Collapse or RangeChange.Insert:
                return Move(offset, length, change == RangeChange.Insert);
            case RangeChange.PunchHole or RangeChange.Zero:
                _content!.Punch(offset, length);
                DropPages(offset, offset + length);
                break;
        }
        bool grows = change != RangeChange.PunchHole && !keepSize && offset + length > _content!.Length;
        return grows && !_content!.SetLength(offset + length) ? Errno.ENOSPC : Errno.None;
    }

    /// <summary>Moves what is behind a place, by whole blocks and never at the end of the file (fallocate(2)).</summary>
    private Errno Move(long offset, long length, bool isUp)
    {
        long size = _content!.Length;
        if (offset % PageSize != 0 || length % PageSize != 0 || (isUp ? offset : offset + length) >= size)
            return Errno.EINVAL;
        if (isUp && !_content.SetLength(size + length))
            return Errno.ENOSPC;
        byte[] page = ArrayPool<byte>.Shared.Rent((int)PageSize);
        bool isMoved = true;
        if (isUp)
        {
            for (long at = (size - 1) / PageSize * PageSize; at >= offset && isMoved; at -= PageSize)
                isMoved = MovePage(page, at, at + length, size);
            _content.Punch(offset, length);
        }
        else
        {
            for (long at = offset + length; at < size && isMoved; at += PageSize)
                isMoved = MovePage(page, at, at - length, size);
            isMoved = isMoved && _content.SetLength(size - length);
        }
        ArrayPool<byte>.Shared.Return(page);
        return isMoved ? Errno.None : Errno.ENOSPC;
    }

    private bool MovePage(byte[] page, long from, long to, long size)
    {
        int count = (int)Math.Min(PageSize, size - from);
        if (_content!.NextData(from) >= from + count)
        {
            _content.Punch(to, count);
            return true;
        }
        _content.Read(from, page.AsSpan(0, count));
        return _content.Write(to, page.AsSpan(0, count));
    }

    /// <summary>Seals against a write; one that would grow the file ends at the last page it has whole (shmem_write_begin).</summary>
    private Errno MayWrite(long offset, ref ReadOnlySpan<byte> source)
    {
        if ((_seals & FileSeals.AnyWrite) != 0)
            return Errno.EPERM;
        if ((_seals & FileSeals.Grow) == 0 || offset + source.Length <= Status.Size)
            return Errno.None;
        long allowed = (Status.Size / PageSize * PageSize) - offset;
        if (allowed <= 0)
            return Errno.EPERM;
        source = source[..(int)allowed];
        return Errno.None;
    }

    private Errno MayResize(long size)
    {
        long now = Status.Size;
        bool isSealed = (size < now && (_seals & FileSeals.Shrink) != 0) || (size > now && (_seals & FileSeals.Grow) != 0);
        return isSealed ? Errno.EPERM : Errno.None;
    }
}
