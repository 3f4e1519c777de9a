using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Bytes in memory: the content of a tmpfs file, shared anonymous memory. Small content lives in a managed buffer; it moves
/// to a memory file of the host when it is mapped or grows, so that ten thousand small files cost no descriptors.
/// </summary>
public sealed unsafe class AnonymousObject(MemoryAccountant accountant, string name = "vivarium") : MemoryObject
{
    private const int BufferLimit = 1 << 20;

    private byte[] _buffer = [];
    private int _file = -1;
    private long _length;
    private ulong _charged;

    public override long Length => _length;

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
        int held = (int)Math.Min(_buffer.Length, _length);
        PositionedIo.WriteFully(file, 0, _buffer.AsSpan(0, held));
        _buffer = [];
    }
}
