using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// A volume of ext2, ext3 or ext4 on a block device (Documentation/filesystems/ext4). It is written without a journal: one that was left with
/// something to do is replayed first, and then stays empty.
/// </summary>
public sealed partial class ExtFileSystem : FileSystem
{
    private const uint Magic = 0xEF53;

    // About what an inode, its node and its cached name take.
    private const ulong NodeCost = 1024;
    private const long Second = 1_000_000_000;

    private readonly Dictionary<uint, ExtNode> _nodes = [];
    private readonly RandomBytes _random;
    private readonly Func<MemoryObject> _newContent;
    private ExtNode? _root;
    private bool _isWriting;

    internal ExtFileSystem(ExtParts parts, LoopDevice device, ExtVolume volume, string type)
        : base(parts.Clock)
    {
        (Device, Volume, TypeName, _random, _newContent) = (device, volume, type, parts.Random, parts.NewContent);
    }

    public override string TypeName { get; }

    /// <summary>The device it is on.</summary>
    public LoopDevice Device { get; }

    internal override int Depth => Device.Depth;

    internal ExtVolume Volume { get; }

    /// <summary>The number that its files' status tells as theirs.</summary>
    internal ulong DeviceNumber => Device.Device;

    public override Inode Root => _root!;

    public override FileKind RootKind => FileKind.Directory;

    public override bool IsReadOnly => ForbidsChanges || Device.IsReadOnly;

    public override FileSystemStatus Status
    {
        get
        {
            ExtSuperBlock super = Volume.Super;
            ulong free = Volume.FreeBlocks;
            ReadOnlySpan<byte> id = super.Identifier;
            return new FileSystemStatus
            {
                Magic = Magic,
                BlockSize = (uint)super.BlockSize,
                Blocks = super.Blocks - Math.Min(Volume.Overhead, super.Blocks),
                FreeBlocks = free,
                AvailableBlocks = free - Math.Min(free, super.ReservedBlocks),
                Files = super.Inodes,
                FreeFiles = Volume.FreeInodes,
                // As ext4_statfs makes it of the identifier.
                Id = BitConverter.ToUInt64(id) ^ BitConverter.ToUInt64(id[8..]),
                NameLength = 255,
            };
        }
    }

    internal uint Seconds => (uint)(Clock.Realtime / Second);

    internal MemoryObject NewContent() => _newContent();

    /// <summary>Reads the root; then it can be used.</summary>
    internal Errno Enter()
    {
        const uint rootNumber = 2;
        Errno error = Get(rootNumber, out ExtNode? root);
        if (error != Errno.None)
            return error;
        if (root is not ExtDirectory)
            return Volume.Corrupt("get root inode failed");
        _root = root;
        return Errno.None;
    }

    /// <summary>From now on it is written: until its end it counts as not cleanly unmounted.</summary>
    internal Errno BeginWriting()
    {
        if (_isWriting)
            return Errno.None;
        _isWriting = true;
        ExtSuperBlock super = Volume.Super;
        WasClean = (super.State & ExtSuperBlock.StateValid) != 0;
        super.State &= unchecked((ushort)~ExtSuperBlock.StateValid);
        super.Mounts++;
        super.MountTime = Seconds;
        return Synchronize();
    }

    /// <summary>It was left clean by who last wrote it.</summary>
    internal bool WasClean { get; private set; }

    /// <summary>From now on it is only read.</summary>
    internal Errno EndWriting()
    {
        if (!_isWriting)
            return Errno.None;
        Errno error = Synchronize();
        if (WasClean)
            Volume.Super.State |= ExtSuperBlock.StateValid;
        Errno written = Volume.Write(Seconds);
        _isWriting = false;
        return error != Errno.None ? error : written;
    }

    /// <summary>The node of an inode that a directory names.</summary>
    internal Errno Get(uint number, out ExtNode? node)
    {
        if (_nodes.TryGetValue(number, out node))
            return Errno.None;
        if (number == 0 || number > Volume.Super.Inodes || (number != 2 && number < Volume.Super.FirstInode))
            return Volume.Corrupt($"inode #{number}: iget: bogus inode number");
        var record = new ExtRecord(Volume, number);
        Errno error = record.Load();
        if (error != Errno.None)
            return error;
        if (record.IsFree)
            return Volume.Corrupt($"deleted inode referenced: {number}");
        error = Check(record);
        return error != Errno.None ? error : Add(record, out node);
    }

    private Errno Check(ExtRecord record)
    {
        const ExtInodeFlags foreign = ExtInodeFlags.Encrypted | ExtInodeFlags.InlineData | ExtInodeFlags.CaseFolded | ExtInodeFlags.AttributeInode;
        if (record.Kind == FileKind.Unknown || (record.Flags & foreign) != 0 || ((record.Flags & ExtInodeFlags.Extents) != 0 && !Volume.Super.Has(ExtIncompatible.Extents)))
            return Volume.Corrupt($"inode #{record.Number}: iget: bogus i_mode ({record.Mode})");
        bool isLong = record.Kind == FileKind.SymbolicLink && record.Size >= Volume.BlockSize;
        // No map has more than 2^32 blocks.
        if (record.Size < 0 || record.Size >> 32 > Volume.BlockSize || isLong || (record.Kind == FileKind.Directory && !ExtDirectory.IsSize(Volume, record.Size)))
            return Volume.Corrupt($"inode #{record.Number}: iget: bad i_size value: {record.Size}");
        return record.AttributeBlock != 0 && !Volume.IsBlock(record.AttributeBlock) ? Volume.Corrupt($"inode #{record.Number}: iget: bad extended attribute block {record.AttributeBlock}") : Errno.None;
    }

    private Errno Add(ExtRecord record, out ExtNode? node)
    {
        node = null;
        if (!Volume.TryHold(NodeCost))
            return Errno.ENOMEM;
        node = record.Kind switch
        {
            FileKind.Directory => new ExtDirectory(this, record),
            FileKind.Regular => new ExtFile(this, record),
            FileKind.SymbolicLink => new ExtLink(this, record),
            _ => new ExtSpecial(this, record),
        };
        _nodes.Add(record.Number, node);
        return Errno.None;
    }

    /// <summary>A new inode with a node; it has no name yet, and is not written.</summary>
    internal Errno NewNode(ExtNode directory, in NodeSpec spec, out ExtNode? node)
    {
        node = null;
        Errno error = Volume.TakeInode(directory.Record.Number, spec.Kind == FileKind.Directory, out uint number);
        if (error != Errno.None)
            return error;
        var record = new ExtRecord(Volume, number);
        Span<byte> generation = stackalloc byte[4];
        _random(generation);
        record.Start(spec.Kind, BitConverter.ToUInt32(generation));
        record.Mode = spec.Kind == FileKind.SymbolicLink ? 0x1FF : spec.Mode;
        (record.User, record.Group) = (spec.User, spec.Group);
        record.AccessTime = record.ModifyTime = record.ChangeTime = record.BirthTime = Clock.Realtime;
        record.Flags = directory.FlagsForNew(spec.Kind);
        bool isMapped = spec.Kind is FileKind.Regular or FileKind.Directory || (spec.Kind == FileKind.SymbolicLink && spec.Target!.Length >= ExtRecord.MapSize);
        if (isMapped && Volume.Super.Has(ExtIncompatible.Extents))
        {
            record.Flags |= ExtInodeFlags.Extents;
            ExtExtentTree.Start(record);
        }
        error = Add(record, out node);
        if (error != Errno.None)
            Volume.FreeInode(number, spec.Kind == FileKind.Directory);
        return error;
    }

    /// <summary>A node is gone, and its number free for others.</summary>
    internal void Forget(uint number)
    {
        if (_nodes.Remove(number))
            Volume.LetGo(NodeCost);
    }

    public override Errno Synchronize()
    {
        if (!_isWriting)
            return Errno.None;
        Errno error = Errno.None;
        foreach (ExtNode node in _nodes.Values.ToArray())
        {
            if (node is ExtFile file && file.WriteBack() is var failed and not Errno.None)
                error = failed;
        }
        Errno written = Volume.Write(Seconds);
        Device.Synchronize();
        return error != Errno.None ? error : written;
    }

    /// <summary>Nobody has it mounted or uses anything of it: it is written, and its device let go of.</summary>
    public override void End()
    {
        if (Device.Volume != this)
            return;
        EndWriting();
        Device.Volume = null;
        Volume.Drop();
        _nodes.Clear();
        Device.Close();
    }

    public override void Release() => End();

    /// <summary>EROFS for changes while it is only to be read.</summary>
    internal Errno MayChange()
    {
        Volume.Cache.Trim();
        return _isWriting && !IsReadOnly ? Errno.None : Errno.EROFS;
    }
}
