using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Abi;

/// <summary>struct stat since FreeBSD 12, with 64-bit inodes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 224)]
internal struct FreeBsdStat
{
    public ulong Device;
    public ulong Inode;
    public ulong Links;
    public ushort Mode;
    private short _padding0;
    public uint User;
    public uint Group;
    private int _padding1;
    public ulong RawDevice;
    public FileTime AccessTime;
    public FileTime ModifyTime;
    public FileTime ChangeTime;
    public FileTime BirthTime;
    public long Size;
    public long Blocks;
    public int BlockSize;
    public uint Flags;
    public ulong Generation;

    public static FreeBsdStat From(in FileStatus status) => new()
    {
        Device = status.Device,
        Inode = status.Inode,
        Links = status.Links,
        Mode = (ushort)(FileType.Encode(status.Kind) | status.Mode),
        User = status.User,
        Group = status.Group,
        RawDevice = status.RawDevice,
        AccessTime = FileTime.From(status.AccessTime),
        ModifyTime = FileTime.From(status.ModifyTime),
        ChangeTime = FileTime.From(status.ChangeTime),
        BirthTime = FileTime.From(status.HasBirthTime ? status.BirthTime : status.ChangeTime),
        Size = status.Size,
        Blocks = status.Blocks,
        BlockSize = (int)status.BlockSize,
    };
}

/// <summary>struct freebsd11_stat; what does not fit is cut.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
internal struct FreeBsdOldStat
{
    public uint Device;
    public uint Inode;
    public ushort Mode;
    public ushort Links;
    public uint User;
    public uint Group;
    public uint RawDevice;
    public FileTime AccessTime;
    public FileTime ModifyTime;
    public FileTime ChangeTime;
    public long Size;
    public long Blocks;
    public int BlockSize;
    public uint Flags;
    public uint Generation;
    private int _spare;
    public FileTime BirthTime;

    public static FreeBsdOldStat From(in FileStatus status) => new()
    {
        Device = (uint)status.Device,
        Inode = (uint)status.Inode,
        Mode = (ushort)(FileType.Encode(status.Kind) | status.Mode),
        Links = (ushort)Math.Min(status.Links, ushort.MaxValue),
        User = status.User,
        Group = status.Group,
        RawDevice = (uint)status.RawDevice,
        AccessTime = FileTime.From(status.AccessTime),
        ModifyTime = FileTime.From(status.ModifyTime),
        ChangeTime = FileTime.From(status.ChangeTime),
        Size = status.Size,
        Blocks = status.Blocks,
        BlockSize = (int)status.BlockSize,
        BirthTime = FileTime.From(status.HasBirthTime ? status.BirthTime : status.ChangeTime),
    };
}

/// <summary>struct statfs since FreeBSD 12 (statfs(2)).</summary>
internal static class FreeBsdStatFs
{
    private const int Size = 2344;
    private const uint Version = 0x20140518;
    private const int NameMax = 184, TypeName = 280, From = 296, On = 1320;
    private const int LongestType = 16, LongestPath = 1024;

    public static byte[] Encode(Mount mount)
    {
        byte[] bytes = new byte[Size];
        FileSystemStatus status = mount.FileSystem.Status;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Version);
        ReadOnlySpan<ulong> words =
        [
            mount.IsReadOnly ? 1UL : 0, (ulong)status.BlockSize, (ulong)status.BlockSize, (ulong)status.Blocks, (ulong)status.FreeBlocks,
            (ulong)status.AvailableBlocks, (ulong)status.Files, (ulong)status.FreeFiles,
        ];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 + (8 * i)), words[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(NameMax), (uint)status.NameLength);
        Put(bytes.AsSpan(TypeName, LongestType), Encoding.UTF8.GetBytes(mount.FileSystem.TypeName));
        Put(bytes.AsSpan(From, LongestPath), Encoding.UTF8.GetBytes(mount.FileSystem.TypeName));
        Put(bytes.AsSpan(On, LongestPath), new PathEntry(mount, mount.Root).FullPath());
        return bytes;
    }

    private static void Put(Span<byte> field, ReadOnlySpan<byte> text) => text[..Math.Min(text.Length, field.Length - 1)].CopyTo(field);
}
