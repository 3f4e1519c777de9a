using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Bytes in memory: the content of a tmpfs file, shared anonymous memory. Small content lives in a managed buffer; it moves
/// to a memory file of the host when it is mapped or grows, so that ten thousand small files cost no descriptors.
/// <paramref name="isOurs"/> says that it is small and no guest's, so that mappings may outlive it.
/// </summary>
public sealed unsafe class AnonymousObject(MemoryAccountant accountant, string name = "vivarium", bool isOurs = false) : MemoryObject
{
    private const int BufferLimit = 1 << 20;

    private byte[] _buffer = [];

    // Which pages of the buffer were written.
    private readonly ulong[] _written = new ulong[BufferLimit / (int)GuestAddress.PageSize / 64];
    private int _file = -1;
    private long _length;
    private ulong _charged;

    public override long Length => _length;

    internal override object? Backing => isOurs ? this : null;

    internal override int MapHandle()
    {
        if (_file < 0)
            Promote();
        return _file;
    }

    public override int Read(long offset, Span<byte> destination)
    {
        if (offset >= _length || destination.IsEmpty)
            return 0;
        int count = (int)Math.Min(destination.Length, _length - offset);
        if (_file >= 0)
            PositionedIo.ReadFully(_file, offset, destination[..count]);
        else
            CopyFromBuffer(offset, destination[..count]);
        return count;
    }

    public override bool Write(long offset, ReadOnlySpan<byte> source)
    {
        ReleaseCode(offset, source.Length);
        long end = offset + source.Length;
        if (end > _length && !SetLength(end))
            return false;
        if (_file >= 0)
            return PositionedIo.WriteFully(_file, offset, source);
        EnsureBuffer(end);
        source.CopyTo(_buffer.AsSpan((int)offset));
        Mark(offset, end, isWritten: true);
        return true;
    }

    public override bool SetLength(long length)
    {
        ulong pages = ((ulong)length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        // Sparse growth is charged when it is large only by what a buffer would hold; written pages follow by length.
        if (pages > _charged && !accountant.TryCharge(pages - _charged))
            return false;
        if (pages < _charged)
            accountant.Release(_charged - pages);
        _charged = pages;
        if (_file < 0 && length > BufferLimit)
            Promote();
        if (_file >= 0)
        {
            if (LibC.Truncate(_file, length) != 0)
                return false;
        }
        else if (length < _buffer.Length)
        {
            Array.Clear(_buffer, (int)length, _buffer.Length - (int)length);
            Mark((long)pages, BufferLimit, isWritten: false);
        }
        _length = length;
        return true;
    }

    public override void Dispose()
    {
        if (_file >= 0)
            _ = LibC.Close(_file);
        _file = -1;
        accountant.Release(_charged);
        _charged = 0;
        _length = 0;
        _buffer = [];
    }

    public override long NextData(long offset) => Find(offset, isData: true);

    public override long NextHole(long offset) => Find(offset, isData: false);

    private long Find(long offset, bool isData)
    {
        if (offset >= _length)
            return _length;
        if (_file < 0)
            return FindPage(offset, _length, isData);
        const int seekData = 3, seekHole = 4;
        long found = LibC.Seek(_file, offset, isData ? seekData : seekHole);
        return found < 0 ? _length : found;
    }

    public override long Kept
    {
        get
        {
            long kept = 0;
            for (long at = NextData(0); at < _length; at = NextData(at))
            {
                long end = NextHole(at);
                kept += end - at;
                at = end;
            }
            return kept;
        }
    }

    public override void Punch(long offset, long length)
    {
        const int keepSize = 1, punchHole = 2;
        long end = Math.Min(offset + length, _length);
        if (offset >= end)
            return;
        ReleaseCode(offset, (int)Math.Min(end - offset, int.MaxValue));
        if (_file >= 0)
        {
            _ = HostFileCalls.Allocate(_file, keepSize | punchHole, offset, length);
            TellPunched((ulong)offset, (ulong)(end - offset));
            return;
        }
        int held = (int)Math.Min(end, _buffer.Length);
        if (offset < held)
            Array.Clear(_buffer, (int)offset, held - (int)offset);
        long firstWhole = (offset + (long)GuestAddress.PageSize - 1) & ~((long)GuestAddress.PageSize - 1);
        long lastWhole = end == _length ? BufferLimit : end & ~((long)GuestAddress.PageSize - 1);
        Mark(firstWhole, lastWhole, isWritten: false);
    }

    /// <summary>The next offset in a page that was written, or was not; <paramref name="end"/> when there is none.</summary>
    private long FindPage(long offset, long end, bool isWritten)
    {
        while (offset < end && IsWritten(offset) != isWritten)
            offset = (offset & ~((long)GuestAddress.PageSize - 1)) + (long)GuestAddress.PageSize;
        return Math.Min(offset, end);
    }

    private bool IsWritten(long offset)
    {
        int page = (int)(offset / (long)GuestAddress.PageSize);
        return page / 64 < _written.Length && ((_written[page / 64] >> (page % 64)) & 1) != 0;
    }

    private void Mark(long start, long end, bool isWritten)
    {
        for (long at = start; at < end; at = (at & ~((long)GuestAddress.PageSize - 1)) + (long)GuestAddress.PageSize)
        {
            int page = (int)(at / (long)GuestAddress.PageSize);
            ulong bit = 1UL << (page % 64);
            _written[page / 64] = isWritten ? _written[page / 64] | bit : _written[page / 64] & ~bit;
        }
    }

    private void CopyFromBuffer(long offset, Span<byte> destination)
    {
        int held = (int)Math.Clamp(_buffer.Length - offset, 0, destination.Length);
        if (held > 0)
            _buffer.AsSpan((int)offset, held).CopyTo(destination);
        destination[held..].Clear();
    }

    private void EnsureBuffer(long length)
    {
        if (length > _buffer.Length)
            Array.Resize(ref _buffer, (int)Math.Min(BufferLimit, Math.Max(length, _buffer.Length * 2L)));
    }

    private void Promote()
    {
        int file = HostMemory.NewFile(name.Length < 60 ? name : "vivarium");
        if (file < 0 || LibC.Truncate(file, _length) != 0)
            throw new InvalidOperationException("the host refuses another memory file");
        _file = file;
        long held = Math.Min(_buffer.Length, _length);
        for (long at = FindPage(0, held, isWritten: true); at < held; at = FindPage(at, held, isWritten: true))
        {
            long end = FindPage(at, held, isWritten: false);
            PositionedIo.WriteFully(file, at, _buffer.AsSpan((int)at, (int)(end - at)));
            at = end;
        }
        _buffer = [];
    }
}
