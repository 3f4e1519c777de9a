using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>
/// A file system in memory. Alone it is a tmpfs. Over a lower tree it is an overlay: nodes start as views of lower ones and
/// take over what is changed, attributes at once, content at the first write, names as entries and whiteouts. A lower node
/// keeps its device, inode number and identity whatever happens to it, also when it is renamed or hard-linked, which a
/// copying overlay cannot offer.
/// </summary>
public sealed class MemoryFileSystem : FileSystem
{
    public const uint TmpfsMagic = 0x01021994;
    public const uint OverlayMagic = 0x794C7630;

    // Far above what a lower file system uses, so that new numbers do not meet lower ones.
    private const ulong FirstOverlayInode = 1UL << 40;

    // About what an entry, its node and its cached name take.
    private const ulong NameCost = 1024;

    private readonly Func<MemoryObject> _newContent;
    private readonly Dictionary<(ulong Device, ulong Inode), MemoryNode> _linked = [];
    private readonly Inode? _lower;
    private ulong _nextInode;

    /// <param name="device">The device number of new nodes without a lower parent.</param>
    /// <param name="newContent">Makes an empty object for a file's bytes, charged to the world.</param>
    /// <param name="lower">The directory to lie over, or null.</param>
    public MemoryFileSystem(IClock clock, ulong device, Func<MemoryObject> newContent, Inode? lower = null, uint rootMode = 0x3FF)
        : base(clock)
    {
        _newContent = newContent;
        _lower = lower;
        Device = device;
        _nextInode = lower is null ? 1 : FirstOverlayInode;
        Root = lower is null
            ? new MemoryDirectory(this, NewStatus(new NodeSpec(FileKind.Directory, rootMode, 0, 0), device), null)
            : Wrap(lower);
    }

    public override string TypeName => _lower is null ? "tmpfs" : "overlay";

    /// <summary>What it was mounted with.</summary>
    public Func<string>? GivenOptions { get; set; }

    public override string Options => GivenOptions?.Invoke() ?? "";

    public override Inode Root { get; }

    /// <summary>Nodes live over a lower tree: directories then look as a disk's do.</summary>
    public bool IsOverlay => _lower is not null;

    public ulong Device { get; }

    /// <summary>Charged for names as well, so that a guest cannot fill the host's memory with empty files; null = not counted.</summary>
    public MemoryAccountant? Accountant { get; init; }

    /// <summary>Size as statfs tells it where nothing limits it, bytes.</summary>
    public ulong Capacity { get; init; } = 8UL << 30;

    /// <summary>What a tmpfs may hold; null where the world's memory alone is the limit.</summary>
    public TemporarySpace? Space { get; internal set; }

    public override QuotaBook? Quotas(bool ofGroups) => ofGroups ? Space?.Groups : Space?.Users;

    public override bool KeepsQuotas => Space is { } space && (space.Users ?? space.Groups) is not null;

    public override FileSystemStatus Status
    {
        get
        {
            if (Space is { } space)
                return Limited(space);
            // What can be written is what the world has left, whatever the host's disk under a lower tree has.
            ulong blocks = (Accountant is { } accountant ? Math.Min(Capacity, accountant.Limit - accountant.Used) : Capacity) / 4096;
            return new FileSystemStatus
            {
                Magic = IsOverlay ? OverlayMagic : TmpfsMagic,
                BlockSize = 4096,
                Blocks = Capacity / 4096,
                FreeBlocks = blocks,
                AvailableBlocks = blocks,
                Files = 1 << 20,
                FreeFiles = (1 << 20) - Math.Min(_nextInode, 1 << 20),
                Id = Device,
                NameLength = 255,
            };
        }
    }

    /// <summary>As shmem_statfs tells it: nothing of what is not limited.</summary>
    private FileSystemStatus Limited(TemporarySpace space)
    {
        ulong left = Accountant is { } accountant ? (accountant.Limit - accountant.Used) / 4096 : ulong.MaxValue;
        ulong free = space.MaxPages == 0 ? 0 : Math.Min(space.FreePages, left);
        return new FileSystemStatus
        {
            Magic = TmpfsMagic,
            BlockSize = 4096,
            Blocks = space.MaxPages,
            FreeBlocks = free,
            AvailableBlocks = free,
            Files = space.MaxInodes,
            FreeFiles = space.MaxInodes - Math.Min(space.MaxInodes, space.UsedInodes),
            Id = Device,
            NameLength = 255,
        };
    }

    public override void Release() => _lower?.FileSystem?.Release();

    /// <summary>Reserves the memory of a name and its node; false when the world has no more (ENOSPC).</summary>
    internal bool TryReserveName() => Accountant is null || Accountant.TryCharge(NameCost);

    internal void ReleaseName() => Accountant?.Release(NameCost);

    internal MemoryObject NewContent() => _newContent();

    internal FileStatus NewStatus(in NodeSpec spec, ulong device)
    {
        long now = Clock.Realtime;
        return new FileStatus
        {
            Device = device,
            Inode = _nextInode++,
            Kind = spec.Kind,
            Mode = spec.Kind == FileKind.SymbolicLink ? 0x1FF : spec.Mode & 0xFFF,
            Links = spec.Kind == FileKind.Directory ? 2u : 1,
            User = spec.User,
            Group = spec.Group,
            RawDevice = spec.Device,
            BlockSize = 4096,
            AccessTime = now,
            ModifyTime = now,
            ChangeTime = now,
            BirthTime = now,
            HasBirthTime = true,
        };
    }

    internal MemoryNode NewNode(in NodeSpec spec, ulong device)
    {
        FileStatus status = NewStatus(spec, device);
        MemoryNode node = spec.Kind switch
        {
            FileKind.Directory => new MemoryDirectory(this, status, null),
            FileKind.Regular => new MemoryFile(this, status, null),
            FileKind.SymbolicLink => new MemoryLink(this, status with { Size = spec.Target!.Length }, spec.Target),
            _ => new MemorySpecial(this, status),
        };
        node.Start(spec);
        return node;
    }

    /// <summary>The node over a lower one. Lower files with several names get one node for all of them.</summary>
    internal MemoryNode Wrap(Inode lower)
    {
        FileStatus status = lower.Status;
        bool shared = status.Links > 1 && status.Kind != FileKind.Directory;
        if (shared && _linked.TryGetValue((status.Device, status.Inode), out MemoryNode? known))
            return known;
        MemoryNode node = status.Kind switch
        {
            FileKind.Directory => new MemoryDirectory(this, status, lower),
            FileKind.Regular => new MemoryFile(this, status, lower),
            FileKind.SymbolicLink => new MemoryLink(this, status, lower),
            _ => new MemorySpecial(this, status, lower),
        };
        if (shared)
            _linked.Add((status.Device, status.Inode), node);
        return node;
    }
}
