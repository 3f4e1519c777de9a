using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>S_IFMT of the kinds of file (inode(7)).</summary>
public static class FileType
{
    public const uint Mask = 0xF000;

    public static uint Encode(FileKind kind) => (uint)DirectoryType(kind) << 12;

    /// <summary>DT_ values of readdir(3), which are S_IFMT shifted.</summary>
    public static byte DirectoryType(FileKind kind) => kind switch
    {
        FileKind.Fifo => 1,
        FileKind.CharacterDevice => 2,
        FileKind.Directory => 4,
        FileKind.BlockDevice => 6,
        FileKind.Regular => 8,
        FileKind.SymbolicLink => 10,
        FileKind.Socket => 12,
        _ => 0,
    };

    public static FileKind Decode(uint mode) => (mode & Mask) switch
    {
        0x1000 => FileKind.Fifo,
        0x2000 => FileKind.CharacterDevice,
        0x4000 => FileKind.Directory,
        0x6000 => FileKind.BlockDevice,
        0x8000 => FileKind.Regular,
        0xA000 => FileKind.SymbolicLink,
        0xC000 => FileKind.Socket,
        _ => FileKind.Unknown,
    };
}

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FileTime
{
    public const long NanosecondsPerSecond = 1_000_000_000;

    public long Seconds;
    public long Nanoseconds;

    /// <summary>Clamped to what 64 bits of nanoseconds hold (years 1677 to 2262).</summary>
    public readonly long TotalNanoseconds =>
        (long)Int128.Clamp(((Int128)Seconds * NanosecondsPerSecond) + Nanoseconds, long.MinValue, long.MaxValue);

    public static FileTime From(long nanoseconds)
    {
        long seconds = Math.DivRem(nanoseconds, NanosecondsPerSecond, out long rest);
        return rest < 0 ? new() { Seconds = seconds - 1, Nanoseconds = rest + NanosecondsPerSecond } : new() { Seconds = seconds, Nanoseconds = rest };
    }
}

/// <summary>struct stat of x86-64 (asm/stat.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Stat
{
    public ulong Device;
    public ulong Inode;
    public ulong Links;
    public uint Mode;
    public uint User;
    public uint Group;
    private int _padding;
    public ulong RawDevice;
    public long Size;
    public long BlockSize;
    public long Blocks;
    public FileTime AccessTime;
    public FileTime ModifyTime;
    public FileTime ChangeTime;
    private long _unused0;
    private long _unused1;
    private long _unused2;

    public static Stat From(in FileStatus status) => new()
    {
        Device = status.Device,
        Inode = status.Inode,
        Links = status.Links,
        Mode = FileType.Encode(status.Kind) | status.Mode,
        User = status.User,
        Group = status.Group,
        RawDevice = status.RawDevice,
        Size = status.Size,
        BlockSize = status.BlockSize,
        Blocks = status.Blocks,
        AccessTime = FileTime.From(status.AccessTime),
        ModifyTime = FileTime.From(status.ModifyTime),
        ChangeTime = FileTime.From(status.ChangeTime),
    };
}

/// <summary>struct stat of architectures that have the common one (asm-generic/stat.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GenericStat
{
    public ulong Device;
    public ulong Inode;
    public uint Mode;
    public uint Links;
    public uint User;
    public uint Group;
    public ulong RawDevice;
    private ulong _padding1;
    public long Size;
    public int BlockSize;
    private int _padding2;
    public long Blocks;
    public FileTime AccessTime;
    public FileTime ModifyTime;
    public FileTime ChangeTime;
    private long _unused;

    public static GenericStat From(in FileStatus status) => new()
    {
        Device = status.Device,
        Inode = status.Inode,
        Mode = FileType.Encode(status.Kind) | status.Mode,
        Links = (uint)status.Links,
        User = status.User,
        Group = status.Group,
        RawDevice = status.RawDevice,
        Size = status.Size,
        BlockSize = (int)status.BlockSize,
        Blocks = status.Blocks,
        AccessTime = FileTime.From(status.AccessTime),
        ModifyTime = FileTime.From(status.ModifyTime),
        ChangeTime = FileTime.From(status.ChangeTime),
    };
}

/// <summary>struct statx_timestamp.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatxTime
{
    public long Seconds;
    public uint Nanoseconds;
    private int _reserved;

    public static StatxTime From(long nanoseconds)
    {
        FileTime time = FileTime.From(nanoseconds);
        return new() { Seconds = time.Seconds, Nanoseconds = (uint)time.Nanoseconds };
    }
}

/// <summary>struct statx (statx(2)).</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
public struct Statx
{
    public const uint BasicMask = 0x7FF;
    public const uint BirthMask = 0x800;
    public const uint MountMask = 0x1000;
    public const uint ReservedMask = 0x80000000;

    /// <summary>STATX_MNT_ID_UNIQUE: the mount by a number that does not come again.</summary>
    public const uint UniqueMountMask = 0x4000;

    /// <summary>STATX_ATTR_MOUNT_ROOT.</summary>
    public const ulong MountRootAttribute = 0x2000;

    [FieldOffset(0)] public uint Mask;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8)] public ulong Attributes;
    [FieldOffset(16)] public uint Links;
    [FieldOffset(20)] public uint User;
    [FieldOffset(24)] public uint Group;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public ulong Size;
    [FieldOffset(48)] public ulong Blocks;
    [FieldOffset(56)] public ulong AttributesMask;
    [FieldOffset(64)] public StatxTime AccessTime;
    [FieldOffset(80)] public StatxTime BirthTime;
    [FieldOffset(96)] public StatxTime ChangeTime;
    [FieldOffset(112)] public StatxTime ModifyTime;
    [FieldOffset(128)] public uint RawMajor;
    [FieldOffset(132)] public uint RawMinor;
    [FieldOffset(136)] public uint Major;
    [FieldOffset(140)] public uint Minor;
    [FieldOffset(144)] public ulong MountId;

    /// <summary>STATX_ATTR_IMMUTABLE, STATX_ATTR_APPEND, STATX_ATTR_NODUMP.</summary>
    private static ulong AttributesOf(FileMarks marks) =>
        ((marks & FileMarks.Immutable) != 0 ? 0x10ul : 0) | ((marks & FileMarks.AppendOnly) != 0 ? 0x20ul : 0) | ((marks & FileMarks.NoDump) != 0 ? 0x40ul : 0);

    public static Statx From(in FileStatus status, Mount? mount, bool isMountRoot, bool tellsUniqueMount = false, Inode? inode = null) => new()
    {
        Mask = BasicMask | (status.HasBirthTime ? BirthMask : 0) | (mount is null ? 0 : tellsUniqueMount ? UniqueMountMask : MountMask),
        BlockSize = status.BlockSize,
        Attributes = (isMountRoot ? MountRootAttribute : 0) | AttributesOf(inode?.Marks ?? FileMarks.None),
        AttributesMask = MountRootAttribute | (inode is { KeepsMarks: true } ? AttributesOf(FileMarks.Immutable | FileMarks.AppendOnly | FileMarks.NoDump) : 0),
        Links = status.Links,
        User = status.User,
        Group = status.Group,
        Mode = (ushort)(FileType.Encode(status.Kind) | status.Mode),
        Inode = status.Inode,
        Size = (ulong)status.Size,
        Blocks = (ulong)status.Blocks,
        AccessTime = StatxTime.From(status.AccessTime),
        BirthTime = StatxTime.From(status.BirthTime),
        ChangeTime = StatxTime.From(status.ChangeTime),
        ModifyTime = StatxTime.From(status.ModifyTime),
        RawMajor = DeviceNumber.Major(status.RawDevice),
        RawMinor = DeviceNumber.Minor(status.RawDevice),
        Major = DeviceNumber.Major(status.Device),
        Minor = DeviceNumber.Minor(status.Device),
        MountId = mount is null ? 0 : tellsUniqueMount ? mount.UniqueId : (ulong)mount.Id,
    };
}
