using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>An entry in a block of a directory; at inode 0 it is free.</summary>
internal readonly record struct ExtEntry(int Place, uint Inode, int Length, int NameLength, byte Kind)
{
    public const int Header = 8;

    /// <summary>Bytes that it needs of those that it has.</summary>
    public int Used => Inode == 0 ? 0 : Needed(NameLength);

    public static int Needed(int nameLength) => (Header + nameLength + 3) & ~3;

    public ReadOnlySpan<byte> Name(byte[] block) => block.AsSpan(Place + Header, NameLength);

    /// <summary>Reads the entry at a place; false when it cannot be one (ext4_check_dir_entry).</summary>
    public static bool TryRead(byte[] block, int place, uint inodes, out ExtEntry entry)
    {
        entry = default;
        if (place + Header > block.Length)
            return false;
        ReadOnlySpan<byte> raw = block.AsSpan(place);
        entry = new ExtEntry(place, BinaryPrimitives.ReadUInt32LittleEndian(raw), BinaryPrimitives.ReadUInt16LittleEndian(raw[4..]), raw[6], raw[7]);
        return entry.Length >= Header + 4 && entry.Length % 4 == 0 && entry.Length <= raw.Length && Needed(entry.NameLength) <= entry.Length && entry.Inode <= inodes;
    }

    public static void Write(byte[] block, int place, uint inode, int length, ReadOnlySpan<byte> name, byte kind)
    {
        Span<byte> raw = block.AsSpan(place);
        BinaryPrimitives.WriteUInt32LittleEndian(raw, inode);
        BinaryPrimitives.WriteUInt16LittleEndian(raw[4..], (ushort)length);
        raw[6] = (byte)name.Length;
        raw[7] = kind;
        name.CopyTo(raw[Header..]);
    }

    public static void SetLength(byte[] block, int place, int length) => BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(place + 4), (ushort)length);

    public static void SetInode(byte[] block, int place, uint inode, byte kind)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(place), inode);
        block[place + 7] = kind;
    }

    public static byte KindOf(FileKind kind) => kind switch
    {
        FileKind.Regular => 1,
        FileKind.Directory => 2,
        FileKind.CharacterDevice => 3,
        FileKind.BlockDevice => 4,
        FileKind.Fifo => 5,
        FileKind.Socket => 6,
        FileKind.SymbolicLink => 7,
        _ => 0,
    };

    public static FileKind KindOf(byte kind) => kind switch
    {
        1 => FileKind.Regular,
        2 => FileKind.Directory,
        3 => FileKind.CharacterDevice,
        4 => FileKind.BlockDevice,
        5 => FileKind.Fifo,
        6 => FileKind.Socket,
        7 => FileKind.SymbolicLink,
        _ => FileKind.Unknown,
    };
}
