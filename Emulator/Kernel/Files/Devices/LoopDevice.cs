using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Devices;

/// <summary>A block device whose blocks are a file's (loop(4)).</summary>
public sealed class LoopDevice(int number)
{
    public const int SectorSize = 512;

    private OpenFile? _backing;
    private bool _isEnding;

    public int Number => number;

    public ulong Device => DeviceNumber.Make(LoopDevices.Major, (uint)number);

    /// <summary>The file, as long as requests see the device bound to it.</summary>
    public OpenFile? Backing => _isEnding ? null : _backing;

    public bool IsFree => _backing is null;

    /// <summary>Where in the file the device begins, and its most bytes; 0 is all.</summary>
    public ulong Offset { get; private set; }

    public ulong SizeLimit { get; private set; }

    /// <summary>What it was said to be made of: 64 bytes.</summary>
    public byte[] Name { get; set; } = new byte[64];

    public bool IsReadOnly { get; set; }

    /// <summary>It is taken off its file at the last close.</summary>
    public bool EndsWithLastClose { get; set; }

    public bool HasPartitions { get; set; }

    public bool IsDirect { get; set; }

    public int BlockSize { get; private set; } = SectorSize;

    public int SoftBlockSize { get; set; } = 4096;

    /// <summary>Sectors that are read ahead; kept and told.</summary>
    public ulong ReadAhead { get; set; } = 256;

    public int Openers { get; private set; }

    /// <summary>What is mounted from it.</summary>
    public FileSystem? Volume { get; set; }

    /// <summary>Open files that have it for themselves (O_EXCL).</summary>
    private int _claims;

    /// <summary>Somebody has it for himself: a file system, or who opened it so.</summary>
    public bool IsClaimed => _claims > 0 || Volume is not null;

    /// <summary>Requests served, and sectors of 512 bytes that they moved, for reading and for writing.</summary>
    public (ulong Requests, ulong Sectors) Reads { get; private set; }

    public (ulong Requests, ulong Sectors) Writes { get; private set; }

    private static (ulong, ulong) Count((ulong Requests, ulong Sectors) counter, int bytes) => (counter.Requests + 1, counter.Sectors + (((ulong)bytes + SectorSize - 1) / SectorSize));

    /// <summary>Writes its file to where that is kept.</summary>
    public Errno Synchronize()
    {
        if (_isBusy || _backing is null)
            return Errno.None;
        _isBusy = true;
        Errno error = _backing.Inode.Synchronize();
        _isBusy = false;
        return error;
    }

    internal void Claim(int by) => _claims += by;

    /// <summary>Bytes, whole sectors.</summary>
    public long Size { get; private set; }

    /// <summary>Takes its blocks from a file: EINVAL for what is neither a regular file nor another device of blocks, or ends in this one.</summary>
    public Errno Bind(OpenFile file, int blockSize, bool isReadOnly)
    {
        if (_backing is not null)
            return Errno.EBUSY;
        if (!MayBack(file))
            return Errno.EINVAL;
        file.AddReference();
        _depth = DepthOf(file) + 1;
        (_backing, _isEnding) = (file, false);
        IsReadOnly = isReadOnly || !file.CanWrite;
        BlockSize = blockSize;
        Name = new byte[64];
        Measure();
        return Errno.None;
    }

    /// <summary>Devices on files of what is mounted from devices, and so on: each needs of the host's stack for what the next one does.</summary>
    private const int MostNested = 8;

    private int _depth;
    private bool _isBusy;

    /// <summary>How many devices are below what is mounted from this one.</summary>
    internal int Depth => _depth;

    private static int DepthOf(OpenFile file) => file is BlockFile block ? block.Device._depth : file.Inode.FileSystem?.Depth ?? 0;

    private bool MayBack(OpenFile file) =>
        file.Inode.Kind is FileKind.Regular or FileKind.BlockDevice && DepthOf(file) < MostNested && !(file is BlockFile block && block.Device.EndsIn(this));

    private bool EndsIn(LoopDevice other) => this == other || (_backing is BlockFile below && below.Device.EndsIn(other));

    /// <summary>Another file of the same size in place of the first, for readers (LOOP_CHANGE_FD).</summary>
    public Errno Rebind(OpenFile file)
    {
        if (!IsReadOnly || !MayBack(file) || file.Size != _backing!.Size)
            return Errno.EINVAL;
        file.AddReference();
        _backing!.Release();
        _backing = file;
        return Errno.None;
    }

    /// <summary>Takes it off its file once nobody else has it open.</summary>
    public void End()
    {
        EndsWithLastClose = true;
        _isEnding = Openers == 1;
    }

    public void SetRange(ulong offset, ulong sizeLimit)
    {
        (Offset, SizeLimit) = (offset, sizeLimit);
        Measure();
    }

    public void SetBlockSize(int size) => BlockSize = size;

    /// <summary>Follows the file's size (LOOP_SET_CAPACITY).</summary>
    public void Measure()
    {
        long size = Math.Max(0, (_backing?.Size ?? 0) - (long)Offset);
        if (SizeLimit > 0 && (ulong)size > SizeLimit)
            size = (long)SizeLimit;
        Size = size / SectorSize * SectorSize;
    }

    internal void Open() => Openers++;

    internal void Close()
    {
        if (--Openers > 0 || !EndsWithLastClose)
            return;
        _backing?.Release();
        (_backing, _isEnding) = (null, false);
        (Offset, SizeLimit, Size, BlockSize) = (0, 0, 0, SectorSize);
        (IsReadOnly, EndsWithLastClose, HasPartitions, IsDirect) = (false, false, false, false);
        Name = new byte[64];
    }

    public IoResult Read(long offset, Span<byte> destination)
    {
        if (_backing is null || offset >= Size)
            return 0;
        int count = (int)Math.Min(destination.Length, Size - offset);
        // Whose blocks are in a file of its own has none.
        if (_isBusy)
            return Errno.EIO;
        _isBusy = true;
        IoResult result = _backing.ReadAt(offset + (long)Offset, destination[..count]);
        _isBusy = false;
        if (result.Error != Errno.None)
            return Errno.EIO;
        Reads = Count(Reads, count);
        // The file may have become shorter.
        destination[(int)result.Count..count].Clear();
        return count;
    }

    public IoResult Write(long offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        if (_backing is null || offset >= Size)
            return Errno.ENOSPC;
        int count = (int)Math.Min(source.Length, Size - offset);
        if (_isBusy)
            return Errno.EIO;
        _isBusy = true;
        IoResult result = _backing.WriteAt(offset + (long)Offset, source[..count]);
        _isBusy = false;
        Writes = Count(Writes, count);
        return result.Error == Errno.None ? result.Count : Errno.EIO;
    }

    /// <summary>Its bytes as an object to map, from where the device begins; null for what cannot be.</summary>
    internal MemoryObject? MapObject(ref ulong offset)
    {
        offset += Offset;
        return Offset % GuestAddress.PageSize == 0 ? _backing?.MapObject() : null;
    }
}

/// <summary>An open block device.</summary>
public sealed class BlockFile : OpenFile
{
    private readonly Inode _inode;

    internal BlockFile(LoopDevice device, Inode inode, PathEntry path, OpenFlags flags)
        : base(flags)
    {
        (Device, _inode, Path) = (device, inode, path);
        device.Open();
        if (IsExclusive = (flags & OpenFlags.Exclusive) != 0)
            device.Claim(1);
    }

    public LoopDevice Device { get; }

    private bool IsExclusive { get; }

    public override Inode Inode => _inode;

    public override PathEntry? Path { get; }

    public override bool CanSeek => true;

    public override long Size => Device.Size;

    public override IoResult Read(Span<byte> destination)
    {
        IoResult result = ReadAt(Position, destination);
        Position += result.Count;
        return result;
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        IoResult result = WriteAt(Position, source);
        Position += result.Count;
        return result;
    }

    public override IoResult ReadAt(long offset, Span<byte> destination) 
    {
        // What is mounted from it shows here as it is.
        Device.Volume?.Synchronize();
        return IsOdd(offset, destination.Length) ? Errno.EINVAL : Device.Read(offset, destination);
    }

    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source)
    {
        if (Device.IsReadOnly)
            return Errno.EPERM;
        return IsOdd(offset, source.Length) ? Errno.EINVAL : Device.Write(offset, source);
    }

    /// <summary>What bypasses the cache moves whole blocks (open(2), "O_DIRECT").</summary>
    private bool IsOdd(long offset, int length) => (Flags & OpenFlags.Direct) != 0 && ((offset | (long)length) & (Device.BlockSize - 1)) != 0;

    public override MemoryObject? MapObject(ref ulong offset) => Device.MapObject(ref offset);

    protected override void OnLastClose()
    {
        if (IsExclusive)
            Device.Claim(-1);
        Device.Close();
    }
}
