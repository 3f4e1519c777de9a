namespace Vivarium.Emulator.Kernel.Files;

public enum FileKind : byte
{
    Unknown,
    Fifo,
    CharacterDevice,
    Directory,
    BlockDevice,
    Regular,
    SymbolicLink,
    Socket,
}

/// <summary>What stat(2) tells. Times are nanoseconds since the epoch.</summary>
public record struct FileStatus
{
    public ulong Device;
    public ulong Inode;
    public FileKind Kind;

    /// <summary>Permission bits with set-id and sticky bits (07777).</summary>
    public uint Mode;
    public uint Links;
    public uint User;
    public uint Group;
    public ulong RawDevice;
    public long Size;
    public uint BlockSize;

    /// <summary>In units of 512 bytes.</summary>
    public long Blocks;
    public long AccessTime;
    public long ModifyTime;
    public long ChangeTime;
    public long BirthTime;

    /// <summary>The file system keeps birth times.</summary>
    public bool HasBirthTime;
}

/// <summary>Device numbers, encoded as Linux's user space sees them in 64 bits (makedev(3)).</summary>
public static class DeviceNumber
{
    public static ulong Make(uint major, uint minor) =>
        ((ulong)(major & 0xFFFFF000) << 32) | ((ulong)(major & 0xFFF) << 8) | ((ulong)(minor & 0xFFFFFF00) << 12) | (minor & 0xFF);

    public static uint Major(ulong device) => (uint)((device >> 32) & 0xFFFFF000) | (uint)((device >> 8) & 0xFFF);

    public static uint Minor(ulong device) => (uint)((device >> 12) & 0xFFFFFF00) | (uint)(device & 0xFF);
}
