namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Features of a volume that who does not know them may ignore (Documentation/filesystems/ext4/super.rst).</summary>
[Flags]
internal enum ExtCompatible : uint
{
    None = 0,
    HasJournal = 0x4,
    ExtendedAttributes = 0x8,
    DirectoryIndex = 0x20,
    SparseSuper2 = 0x200,
    OrphanFile = 0x1000,
}

/// <summary>Features that keep who does not know them from the volume.</summary>
[Flags]
internal enum ExtIncompatible : uint
{
    None = 0,
    FileType = 0x2,
    Recover = 0x4,
    MetaGroups = 0x10,
    Extents = 0x40,
    Wide = 0x80,
    FlexGroups = 0x200,
    ChecksumSeed = 0x2000,
    LargeDirectory = 0x4000,

    Known = FileType | Recover | MetaGroups | Extents | Wide | FlexGroups | ChecksumSeed | LargeDirectory,
    KnownToExt2 = FileType | MetaGroups,
    KnownToExt3 = FileType | MetaGroups | Recover,
}

/// <summary>Features that keep who does not know them from writing.</summary>
[Flags]
internal enum ExtReadOnlyCompatible : uint
{
    None = 0,
    SparseSuper = 0x1,
    LargeFile = 0x2,
    Trees = 0x4,
    HugeFile = 0x8,
    GroupChecksum = 0x10,
    DirectoryLinks = 0x20,
    ExtraInodeSize = 0x40,
    MetadataChecksum = 0x400,
    OrphanPresent = 0x10000,

    Known = KnownToExt2 | HugeFile | GroupChecksum | DirectoryLinks | ExtraInodeSize | MetadataChecksum | OrphanPresent,
    KnownToExt2 = SparseSuper | LargeFile | Trees,
}

/// <summary>Flags of an inode.</summary>
[Flags]
internal enum ExtInodeFlags : uint
{
    None = 0,
    Immutable = 0x10,
    AppendOnly = 0x20,
    NoDump = 0x40,
    NoAccessTime = 0x80,
    Encrypted = 0x800,
    Indexed = 0x1000,
    HugeFile = 0x40000,
    Extents = 0x80000,
    AttributeInode = 0x200000,
    InlineData = 0x10000000,
    CaseFolded = 0x40000000,

    /// <summary>A new node has them from its directory (EXT4_FL_INHERITED).</summary>
    Inherited = 0x8 | 0x40 | 0x80 | 0x1 | 0x2 | 0x4 | 0x400 | 0x4000 | 0x8000 | 0x10000,
    OfOthers = 0x8 | 0x1 | 0x2 | 0x4 | 0x400 | 0x4000 | 0x8000 | 0x10000,
}
