using System.Buffers.Binary;
using System.Numerics;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>The super block of a volume (struct ext4_super_block): what was checked when it was read, and the fields that change.</summary>
internal sealed class ExtSuperBlock
{
    public const int Place = 1024, Length = 1024;
    public const ushort Magic = 0xEF53;
    public const ushort StateValid = 1, StateErrors = 2;

    private const int ChecksumPlace = 0x3FC;
    private const int PageSize = 4096;

    public ExtSuperBlock(byte[] raw)
    {
        Raw = raw;
        Compatible = (ExtCompatible)Get32(0x5C);
        Incompatible = (ExtIncompatible)Get32(0x60);
        ReadOnlyCompatible = (ExtReadOnlyCompatible)Get32(0x64);
        bool isOld = Get32(0x4C) == 0;
        if (isOld)
            (Compatible, Incompatible, ReadOnlyCompatible) = (ExtCompatible.None, ExtIncompatible.None, ExtReadOnlyCompatible.None);
        InodeSize = isOld ? 128 : Get16(0x58);
        FirstInode = isOld ? 11 : Get32(0x54);
        DescriptorSize = Has(ExtIncompatible.Wide) ? Get16(0xFE) : 32;
        Blocks = Wide(4, 0x150);
        ReservedBlocks = Math.Min(Wide(8, 0x154), Blocks);
        Inodes = Get32(0);
        FirstDataBlock = Get32(0x14);
        LogBlockSize = Get32(0x18);
        BlocksPerGroup = Get32(0x20);
        InodesPerGroup = Get32(0x28);
        // crc32c over the volume's identifier, unless the seed was fixed when that was changed.
        ChecksumSeed = Has(ExtIncompatible.ChecksumSeed) ? Get32(0x270) : Crc32.Of(uint.MaxValue, raw.AsSpan(0x68, 16));
    }

    public byte[] Raw { get; }

    public ExtCompatible Compatible { get; private set; }

    public ExtIncompatible Incompatible { get; private set; }

    public ExtReadOnlyCompatible ReadOnlyCompatible { get; private set; }

    public int InodeSize { get; }

    public uint FirstInode { get; }

    public int DescriptorSize { get; }

    public ulong Blocks { get; }

    /// <summary>Blocks that only who may exceed quotas gets.</summary>
    public ulong ReservedBlocks { get; }

    public uint Inodes { get; }

    public uint FirstDataBlock { get; }

    private uint LogBlockSize { get; }

    public int BlockSize => 1024 << (int)LogBlockSize;

    public uint BlocksPerGroup { get; }

    public uint InodesPerGroup { get; }

    public uint ChecksumSeed { get; }

    public uint Groups => (uint)((Blocks - FirstDataBlock + BlocksPerGroup - 1) / BlocksPerGroup);

    public ushort State { get => Get16(0x3A); set => Set16(0x3A, value); }

    public ushort Mounts { get => Get16(0x34); set => Set16(0x34, value); }

    public uint MountTime { set => Set32(0x2C, value); }

    public uint WriteTime { set => Set32(0x30, value); }

    public uint JournalInode => Get32(0xE0);

    public uint LastOrphan { get => Get32(0xE8); set => Set32(0xE8, value); }

    public uint OrphanFile => Get32(0x280);

    public uint FirstMetaGroup => Get32(0x104);

    public uint ReservedDescriptorBlocks => Get16(0xCE);

    public int WantedExtraSize => Math.Max(Get16(0x15E), Get16(0x15C));

    public bool HasChecksums => Has(ExtReadOnlyCompatible.MetadataChecksum);

    public bool HasGroupChecksums => (ReadOnlyCompatible & (ExtReadOnlyCompatible.MetadataChecksum | ExtReadOnlyCompatible.GroupChecksum)) != 0;

    /// <summary>Mounting by default goes with access lists and attributes of users alike; this volume's identifier.</summary>
    public ReadOnlySpan<byte> Identifier => Raw.AsSpan(0x68, 16);

    public ulong FreeBlocks
    {
        set
        {
            Set32(0xC, (uint)value);
            if (Has(ExtIncompatible.Wide))
                Set32(0x158, (uint)(value >> 32));
        }
    }

    public uint FreeInodes { set => Set32(0x10, value); }

    public bool Has(ExtCompatible feature) => (Compatible & feature) != 0;

    public bool Has(ExtIncompatible feature) => (Incompatible & feature) != 0;

    public bool Has(ExtReadOnlyCompatible feature) => (ReadOnlyCompatible & feature) != 0;

    public void Add(ExtCompatible feature) => Set32(0x5C, (uint)(Compatible |= feature));

    public void Add(ExtReadOnlyCompatible feature) => Set32(0x64, (uint)(ReadOnlyCompatible |= feature));

    public void Remove(ExtReadOnlyCompatible feature) => Set32(0x64, (uint)(ReadOnlyCompatible &= ~feature));

    public void Remove(ExtIncompatible feature) => Set32(0x60, (uint)(Incompatible &= ~feature));

    /// <summary>EINVAL for what is no volume, or one with a geometry that cannot be; EBADMSG for a wrong checksum. The sentence is for the kernel's log.</summary>
    public Errno Check(long deviceSize, out string? problem)
    {
        problem = null;
        if (Get16(0x38) != Magic)
            problem = "VFS: Can't find ext4 filesystem";
        else if (LogBlockSize > 2)
            problem = "bad block size";
        else if (Get32(0x1C) != LogBlockSize && Get32(0x4C) != 0)
            problem = "fragment/cluster size != block size";
        else if (InodeSize < 128 || InodeSize > BlockSize || !BitOperations.IsPow2(InodeSize))
            problem = $"unsupported inode size: {InodeSize}";
        else if (DescriptorSize < (Has(ExtIncompatible.Wide) ? 64 : 32) || DescriptorSize > 1024 || !BitOperations.IsPow2(DescriptorSize))
            problem = $"unsupported descriptor size {DescriptorSize}";
        else if (BlocksPerGroup == 0 || BlocksPerGroup > BlockSize * 8 || BlocksPerGroup % 8 != 0)
            problem = $"#blocks per group too big: {BlocksPerGroup}";
        else if (InodesPerGroup < BlockSize / InodeSize || InodesPerGroup > BlockSize * 8 || InodesPerGroup % (BlockSize / InodeSize) != 0 || InodesPerGroup % 8 != 0)
            problem = $"invalid inodes per group: {InodesPerGroup}";
        else if (FirstDataBlock != (BlockSize == 1024 ? 1 : 0) || FirstDataBlock >= Blocks)
            problem = $"bad geometry: first data block {FirstDataBlock} is beyond end of filesystem ({Blocks})";
        else if (Blocks > (ulong)deviceSize / (uint)BlockSize)
            problem = $"bad geometry: block count {Blocks} exceeds size of device ({deviceSize / BlockSize} blocks)";
        else if ((ulong)Groups * InodesPerGroup != Inodes || FirstInode < 11 || FirstInode >= Inodes)
            problem = $"inodes count not valid: {Inodes} vs {(ulong)Groups * InodesPerGroup}";
        if (problem is not null)
            return Errno.EINVAL;
        if (!HasChecksums)
            return Errno.None;
        problem = Raw[0x175] != 1 ? "VFS: Found ext4 filesystem with unknown checksum algorithm." : null;
        if (problem is not null)
            return Errno.EINVAL;
        problem = Get32(ChecksumPlace) != Checksum() ? "VFS: Found ext4 filesystem with invalid superblock checksum.  Run e2fsck?" : null;
        return problem is null ? Errno.None : Errno.EBADMSG;
    }

    /// <summary>Groups that hold a copy of the super block and of the descriptors: with sparse_super 0, 1 and the powers of 3, 5 and 7.</summary>
    public bool HasCopy(uint group)
    {
        if (group == 0)
            return true;
        if (Has(ExtCompatible.SparseSuper2))
            return group == Get32(0x24C) || group == Get32(0x250);
        if (group == 1 || !Has(ExtReadOnlyCompatible.SparseSuper))
            return true;
        return IsPower(group, 3) || IsPower(group, 5) || IsPower(group, 7);
    }

    private static bool IsPower(uint number, uint @base)
    {
        while (number % @base == 0)
            number /= @base;
        return number == 1;
    }

    /// <summary>The block of a group's descriptor.</summary>
    public ulong DescriptorBlock(uint group)
    {
        uint perBlock = (uint)(BlockSize / DescriptorSize), index = group / perBlock;
        if (!Has(ExtIncompatible.MetaGroups) || index < FirstMetaGroup)
            return FirstDataBlock + 1UL + index;
        uint first = index * perBlock;
        return FirstDataBlock + ((ulong)first * BlocksPerGroup) + (HasCopy(first) ? 1u : 0);
    }

    /// <summary>How many blocks at a group's start are copies of the super block and of descriptors, with room for more of them.</summary>
    public uint CopiedBlocks(uint group)
    {
        uint perBlock = (uint)(BlockSize / DescriptorSize), copy = HasCopy(group) ? 1u : 0;
        uint meta = group / perBlock;
        if (!Has(ExtIncompatible.MetaGroups) || meta < FirstMetaGroup)
        {
            uint all = (Groups + perBlock - 1) / perBlock;
            uint blocks = Has(ExtIncompatible.MetaGroups) ? Math.Min(FirstMetaGroup, all) : all;
            return copy == 0 ? 0 : 1 + blocks + ReservedDescriptorBlocks;
        }
        uint first = meta * perBlock;
        return copy + (group == first || group == first + 1 || group == first + perBlock - 1 ? 1u : 0);
    }

    /// <summary>Its bytes, ready to be written.</summary>
    public byte[] Seal()
    {
        if (HasChecksums)
            Set32(ChecksumPlace, Checksum());
        return Raw;
    }

    private uint Checksum() => Crc32.Of(uint.MaxValue, Raw.AsSpan(0, ChecksumPlace));

    private ulong Wide(int low, int high) => Get32(low) | (Has(ExtIncompatible.Wide) ? (ulong)Get32(high) << 32 : 0);

    private uint Get32(int place) => BinaryPrimitives.ReadUInt32LittleEndian(Raw.AsSpan(place));

    private ushort Get16(int place) => BinaryPrimitives.ReadUInt16LittleEndian(Raw.AsSpan(place));

    private void Set32(int place, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Raw.AsSpan(place), value);

    private void Set16(int place, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Raw.AsSpan(place), value);
}
