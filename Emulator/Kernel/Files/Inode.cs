using Vivarium.Emulator.Kernel.Events;

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
}

/// <summary>
/// A file, directory or device of some file system. Mutating operations default to EROFS/EPERM-like failures and are
/// overridden by file systems that have them. The path walk, permission checks and caching are the caller's (<c>PathWalk</c>).
/// </summary>
public abstract class Inode
{
    public abstract FileKind Kind { get; }

    public abstract FileStatus Status { get; }

    /// <summary>Opens a description; permission was checked.</summary>
    public abstract Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file);
}
