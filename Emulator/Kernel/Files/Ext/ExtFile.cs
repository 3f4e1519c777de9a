using System.Buffers;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// A regular file of a volume. What is written goes to the device at once; as long as the file is mapped its bytes are in an object of memory as well, which reads
/// see, and what mappings wrote there goes to the device when the file is synchronized or let go of.
/// </summary>
public sealed partial class ExtFile : ExtNode
{
    private const int Chunk = 1 << 16;

    private readonly ExtMap _map;
    private MemoryObject? _content;
    private bool _isWrittenByMappings;
    private int _opens;

    internal ExtFile(ExtFileSystem fileSystem, ExtRecord record)
        : base(fileSystem, record) => _map = ExtMap.Of(record);

    /// <summary>Made without a name, which it may still get.</summary>
    internal bool IsLinkable { get; set; }

    private int BlockSize => Volume.BlockSize;

    private long MostBytes => (long)Math.Min(_map.MostBlocks * (ulong)BlockSize, long.MaxValue);

    private protected override bool IsUsed => _opens > 0;

    public override IoResult ReadAt(long offset, Span<byte> destination)
    {
        if (_content is not null)
            return _content.Read(offset, destination);
        if (offset >= Record.Size)
            return 0;
        int count = (int)Math.Min(destination.Length, Record.Size - offset);
        Volume.Cache.Trim();
        Errno error = ReadDevice(offset, destination[..count]);
        return error == Errno.None ? count : error;
    }

    /// <summary>Reads what is on the device; holes are zeros.</summary>
    private Errno ReadDevice(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int inside = (int)(offset % BlockSize);
            Errno error = _map.Find((ulong)(offset / BlockSize), BlocksFor(inside, destination.Length), out ExtRun run);
            if (error != Errno.None)
                return error;
            int count = (int)Math.Min(destination.Length, ((long)run.Count * BlockSize) - inside);
            if (run.IsWritten)
                error = Volume.ReadData(run.Block, inside, destination[..count]);
            else
                destination[..count].Clear();
            if (error != Errno.None)
                return error;
            destination = destination[count..];
            offset += count;
        }
        return Errno.None;
    }

    private uint BlocksFor(int inside, int length) => (uint)((inside + (long)length + BlockSize - 1) / BlockSize);

    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        Errno error = MayWrite();
        if (error == Errno.None && offset >= MostBytes)
            error = Errno.EFBIG;
        if (error != Errno.None)
            return error;
        source = source[..(int)Math.Min(source.Length, MostBytes - offset)];
        long before = Record.Size;
        if (_content is not null && offset + source.Length > before && !_content.SetLength(offset + source.Length))
            return Errno.ENOSPC;
        error = WriteDevice(offset, source, out int written);
        if (written > 0)
        {
            _content?.Write(offset, source[..written]);
            Record.Size = Math.Max(before, offset + written);
            NoteSize();
            Modified();
        }
        if (_content is not null && _content.Length != Record.Size)
            _content.SetLength(Record.Size);
        Errno stored = Store();
        return written > 0 ? written : error != Errno.None ? error : stored;
    }

    private Errno MayWrite() => IsSwapArea ? Errno.ETXTBSY : Owner.MayChange();

    /// <summary>Writes to the device, where need be to new blocks: ENOSPC, and then what was written before counts.</summary>
    private Errno WriteDevice(long offset, ReadOnlySpan<byte> source, out int written)
    {
        written = 0;
        while (written < source.Length)
        {
            ulong logical = (ulong)((offset + written) / BlockSize);
            int inside = (int)((offset + written) % BlockSize);
            uint blocks = BlocksFor(inside, source.Length - written);
            Errno error = _map.Find(logical, blocks, out ExtRun run);
            bool isNew = error == Errno.None && !run.IsWritten;
            if (error == Errno.None && run.IsHole)
                error = _map.Fill(logical, Math.Min(blocks, run.Count), isUnwritten: false, out run);
            if (error != Errno.None)
                return error;
            int count = (int)Math.Min(source.Length - written, ((long)run.Count * BlockSize) - inside);
            if (isNew)
                error = Surround(run, inside, count);
            if (error == Errno.None)
                error = Volume.WriteData(run.Block, inside, source.Slice(written, count));
            if (error == Errno.None && run.IsUnwritten)
                error = _map.Mark(logical, BlocksFor(inside, count), isUnwritten: false);
            if (error != Errno.None)
                return error;
            written += count;
        }
        return Errno.None;
    }

    /// <summary>New blocks have zeros before and behind what is written to them.</summary>
    private Errno Surround(in ExtRun run, int inside, int count)
    {
        Errno error = inside == 0 ? Errno.None : ZeroData(run.Block, 0, inside);
        long end = inside + (long)count;
        int last = (int)(end % BlockSize);
        return error != Errno.None || last == 0 ? error : ZeroData(run.Block + (ulong)(end / BlockSize), last, BlockSize - last);
    }

    private Errno ZeroData(ulong block, int offset, int count)
    {
        Span<byte> zeros = stackalloc byte[count];
        zeros.Clear();
        return Volume.WriteData(block, offset, zeros);
    }

    /// <summary>Files past 2 GB are a feature of the volume.</summary>
    private void NoteSize()
    {
        if (Record.Size > int.MaxValue && !Volume.Super.Has(ExtReadOnlyCompatible.LargeFile))
            Volume.Super.Add(ExtReadOnlyCompatible.LargeFile);
    }

    private protected override Errno Resize(long size)
    {
        if (size > MostBytes)
            return Errno.EFBIG;
        Errno error = IsSwapArea ? Errno.ETXTBSY : WriteBack();
        if (error == Errno.None && _content is not null && !_content.SetLength(size))
            error = Errno.ENOSPC;
        if (error == Errno.None && size < Record.Size)
            error = Shorten(size);
        if (error != Errno.None)
            return error;
        Record.Size = size;
        NoteSize();
        Modified();
        return Store();
    }

    /// <summary>Frees what is behind the new end; what of the last block is behind it becomes zeros.</summary>
    private Errno Shorten(long size)
    {
        Errno error = ZeroDevice(size, Math.Min(Record.Size, (size + BlockSize - 1) / BlockSize * BlockSize));
        return error != Errno.None ? error : _map.Remove((ulong)((size + BlockSize - 1) / BlockSize), uint.MaxValue);
    }

    /// <summary>Makes a range within one block zeros, if there is data.</summary>
    private Errno ZeroDevice(long from, long end)
    {
        if (from >= end)
            return Errno.None;
        Errno error = _map.Find((ulong)(from / BlockSize), 1, out ExtRun run);
        int inside = (int)(from % BlockSize);
        return error != Errno.None || !run.IsWritten ? error : ZeroData(run.Block, inside, BlockSize - inside < end - from ? BlockSize - inside : (int)(end - from));
    }

    public override Errno AcquireContent(bool forWriting)
    {
        _opens++;
        return Errno.None;
    }

    public override void ReleaseContent()
    {
        if (--_opens > 0)
            return;
        if (Record.Links == 0)
        {
            LetGoOfContent();
            Delete();
            return;
        }
        WriteBack();
        if (_content is { Mappings: 0 })
            LetGoOfContent();
    }

    private void LetGoOfContent()
    {
        _content?.Release();
        _content = null;
        _isWrittenByMappings = false;
    }

    private protected override Errno DropContent()
    {
        Errno error = _map.Remove(0, uint.MaxValue);
        Record.Size = 0;
        return error;
    }

    public override Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        content = null;
        Errno error = _content is null ? Fill(_content = Owner.NewContent()) : Errno.None;
        if (error != Errno.None)
        {
            LetGoOfContent();
            return error;
        }
        _isWrittenByMappings |= forWriting;
        content = _content;
        return Errno.None;
    }

    /// <summary>Fills an object with the file's data; holes stay holes. ENOMEM when the world has no room for it.</summary>
    private Errno Fill(MemoryObject content)
    {
        if (!content.SetLength(Record.Size))
            return Errno.ENOMEM;
        return ForEachChunk(0, Record.Size, (offset, bytes) => content.Write(offset, bytes) ? Errno.None : Errno.ENOMEM);
    }

    private delegate Errno ChunkTaker(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Goes through the data of a range, not through its holes.</summary>
    private Errno ForEachChunk(long from, long end, ChunkTaker take)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Chunk);
        Errno error = Errno.None;
        for (long at = from; at < end && error == Errno.None;)
        {
            error = _map.Find((ulong)(at / BlockSize), Chunk / 1024, out ExtRun run);
            if (error != Errno.None)
                break;
            long length = Math.Min(Math.Min(end - at, ((long)run.Count * BlockSize) - (at % BlockSize)), run.IsWritten ? Chunk : long.MaxValue);
            if (run.IsWritten)
            {
                Span<byte> bytes = buffer.AsSpan(0, (int)length);
                error = Volume.ReadData(run.Block, (int)(at % BlockSize), bytes);
                if (error == Errno.None)
                    error = take(at, bytes);
            }
            at += length;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        return error;
    }

    /// <summary>Writes what mappings changed: ENOSPC when they filled holes for which there are no blocks.</summary>
    internal Errno WriteBack()
    {
        if (_content is null || !_isWrittenByMappings || IsGone)
            return Errno.None;
        _isWrittenByMappings = _content.IsMappedForWriting;
        byte[] held = ArrayPool<byte>.Shared.Rent(Chunk), kept = ArrayPool<byte>.Shared.Rent(Chunk);
        Errno error = Errno.None;
        bool isChanged = false;
        for (long at = 0; at < Record.Size && error == Errno.None;)
        {
            at = _content.NextData(at) / BlockSize * BlockSize;
            if (at >= Record.Size)
                break;
            int count = (int)Math.Min(Chunk, Record.Size - at);
            _content.Read(at, held.AsSpan(0, count));
            error = ReadDevice(at, kept.AsSpan(0, count));
            for (int place = 0; place < count && error == Errno.None; place += BlockSize)
            {
                ReadOnlySpan<byte> now = held.AsSpan(place, Math.Min(BlockSize, count - place));
                if (now.SequenceEqual(kept.AsSpan(place, now.Length)))
                    continue;
                isChanged = true;
                error = WriteDevice(at + place, now, out _);
            }
            at += count;
        }
        ArrayPool<byte>.Shared.Return(held);
        ArrayPool<byte>.Shared.Return(kept);
        if (isChanged)
        {
            Modified();
            Store();
        }
        return error;
    }
}
