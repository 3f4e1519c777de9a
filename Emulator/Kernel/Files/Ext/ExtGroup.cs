using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Flags of a group of blocks: what of it was never set up (uninit_bg).</summary>
[Flags]
internal enum ExtGroupFlags : ushort
{
    None = 0,
    InodesUnused = 1,
    BlocksUnused = 2,
    TableZeroed = 4,
}

/// <summary>A group's descriptor (struct ext4_group_desc), in the block that it is kept in.</summary>
internal readonly struct ExtGroup(uint number, ExtBlock block, int place, int size)
{
    public uint Number => number;

    public ulong BlockBitmap => Wide(0, 0x20);

    public ulong InodeBitmap => Wide(4, 0x24);

    public ulong InodeTable => Wide(8, 0x28);

    public uint FreeBlocks { get => Half(0xC, 0x2C); set => SetHalf(0xC, 0x2C, value); }

    public uint FreeInodes { get => Half(0xE, 0x2E); set => SetHalf(0xE, 0x2E, value); }

    public uint Directories { get => Half(0x10, 0x30); set => SetHalf(0x10, 0x30, value); }

    public ExtGroupFlags Flags
    {
        get => (ExtGroupFlags)Get16(0x12);
        set => Set16(0x12, (ushort)value);
    }

    /// <summary>Inodes at the table's end that were never used.</summary>
    public uint UnusedInodes { get => Half(0x1C, 0x32); set => SetHalf(0x1C, 0x32, value); }

    public uint BlockBitmapChecksum
    {
        get => size >= 0x3A ? Get16(0x18) | ((uint)Get16(0x38) << 16) : Get16(0x18);
        set => SetChecksum(0x18, 0x38, 0x3A, value);
    }

    public uint InodeBitmapChecksum
    {
        get => size >= 0x3C ? Get16(0x1A) | ((uint)Get16(0x3A) << 16) : Get16(0x1A);
        set => SetChecksum(0x1A, 0x3A, 0x3C, value);
    }

    /// <summary>As many bits of a bitmap's checksum as the descriptor has room for.</summary>
    public uint Fit(uint checksum, bool ofInodes) => size >= (ofInodes ? 0x3C : 0x3A) ? checksum : (ushort)checksum;

    public bool IsSealed(ExtSuperBlock super) => !super.HasGroupChecksums || Get16(0x1E) == Checksum(super);

    /// <summary>Sets its checksum, and it is to be written.</summary>
    public void Seal(ExtSuperBlock super)
    {
        if (super.HasGroupChecksums)
            Set16(0x1E, Checksum(super));
        block.IsDirty = true;
    }

    private ushort Checksum(ExtSuperBlock super)
    {
        const int checksumPlace = 0x1E, behind = 0x20;
        ReadOnlySpan<byte> raw = block.Data.AsSpan(place, size);
        if (super.HasChecksums)
        {
            uint crc = Crc32.Of(Crc32.Of(super.ChecksumSeed, number), raw[..checksumPlace]);
            return (ushort)Crc32.Of(Crc32.Of(crc, [0, 0]), raw[behind..]);
        }
        Span<byte> index = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(index, number);
        ushort old = Crc32.Of16(Crc32.Of16(Crc32.Of16(ushort.MaxValue, super.Identifier), index), raw[..checksumPlace]);
        return super.Has(ExtIncompatible.Wide) ? Crc32.Of16(old, raw[behind..]) : old;
    }

    private ulong Wide(int low, int high) => Get32(low) | (size >= 64 ? (ulong)Get32(high) << 32 : 0);

    private uint Half(int low, int high) => Get16(low) | (size >= 64 ? (uint)Get16(high) << 16 : 0);

    private void SetHalf(int low, int high, uint value)
    {
        Set16(low, (ushort)value);
        if (size >= 64)
            Set16(high, (ushort)(value >> 16));
    }

    private void SetChecksum(int low, int high, int needed, uint value)
    {
        Set16(low, (ushort)value);
        if (size >= needed)
            Set16(high, (ushort)(value >> 16));
    }

    private uint Get32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(block.Data.AsSpan(place + at));

    private ushort Get16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(block.Data.AsSpan(place + at));

    private void Set16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(block.Data.AsSpan(place + at), value);
}
