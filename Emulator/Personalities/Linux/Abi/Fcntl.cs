using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>
/// fcntl.h: open flags, AT_ flags, fcntl commands and struct flock. Open flags are those of asm-generic/fcntl.h; an architecture that has some in other
/// places turns them into these, and back, where they become the kernel's (<see cref="LinuxArchitecture.OpenFlags"/>).
/// </summary>
public static class Fcntl
{
    public const int AtCurrentDirectory = -100;
    public const uint AtSymlinkNoFollow = 0x100;
    public const uint AtRemoveDirectory = 0x200;
    public const uint AtEffectiveAccess = 0x200;
    public const uint AtSymlinkFollow = 0x400;
    public const uint AtNoAutomount = 0x800;
    public const uint AtEmptyPath = 0x1000;
    public const uint AtStatxSync = 0x6000;

    public const uint AccessMode = 3;
    public const uint Create = 0x40;
    public const uint Exclusive = 0x80;
    public const uint NoControllingTty = 0x100;
    public const uint Truncate = 0x200;
    public const uint Append = 0x400;
    public const uint NonBlocking = 0x800;
    public const uint DataSync = 0x1000;
    public const uint Async = 0x2000;
    public const uint Direct = 0x4000;
    public const uint LargeFile = 0x8000;
    public const uint Directory = 0x10000;
    public const uint NoFollow = 0x20000;
    public const uint NoAccessTime = 0x40000;
    public const uint CloseOnExec = 0x80000;
    public const uint Sync = 0x101000;
    public const uint WholeSync = 0x100000;
    public const uint PathOnly = 0x200000;
    public const uint TemporaryBit = 0x400000;
    public const uint Temporary = TemporaryBit | Directory;

    /// <summary>All flags that open knows; openat2 refuses others.</summary>
    public const uint Known = AccessMode | Create | Exclusive | NoControllingTty | Truncate | Append | NonBlocking | Sync | Async
        | Direct | LargeFile | Directory | NoFollow | NoAccessTime | CloseOnExec | PathOnly | TemporaryBit;

    /// <summary>What may stand beside O_PATH.</summary>
    public const uint OfPaths = PathOnly | Directory | NoFollow | CloseOnExec;

    // What fcntl(F_SETFL) changes, and what of it carries over from the file.
    private const OpenFlags Settable = OpenFlags.Append | OpenFlags.NonBlocking | OpenFlags.Direct | OpenFlags.Packets | OpenFlags.NoAccessTime;

    private static readonly (uint Linux, OpenFlags Flag)[] Pairs =
    [
        (Create, OpenFlags.Create), (Exclusive, OpenFlags.Exclusive), (NoControllingTty, OpenFlags.NoControllingTty),
        (Truncate, OpenFlags.Truncate), (Append, OpenFlags.Append), (NonBlocking, OpenFlags.NonBlocking),
        (DataSync, OpenFlags.DataSync), (WholeSync, OpenFlags.Sync), (Async, OpenFlags.Async), (Direct, OpenFlags.Direct | OpenFlags.Packets),
        (Directory, OpenFlags.Directory), (NoFollow, OpenFlags.NoFollow), (NoAccessTime, OpenFlags.NoAccessTime),
        (CloseOnExec, OpenFlags.CloseOnExec), (PathOnly, OpenFlags.PathOnly), (TemporaryBit, OpenFlags.Temporary),
    ];

    /// <summary>Open flags of the kernel for the caller's O_ flags. Unknown ones are ignored, unlike in openat2 (open(2), "NOTES").</summary>
    internal static OpenFlags Decode(CallContext call, uint flags) => Decode(LinuxArchitecture.Of(call.Thread).OpenFlags(flags) & Known);

    /// <summary>
    /// Open flags of the kernel for O_ flags. O_PATH ignores all but O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC (open(2)); what is written through as a whole
    /// is so with its data, too (build_open_flags in fs/open.c).
    /// </summary>
    public static OpenFlags Decode(uint flags)
    {
        if ((flags & PathOnly) != 0)
            flags &= OfPaths;
        if ((flags & WholeSync) != 0)
            flags |= DataSync;
        OpenFlags result = OpenFlags.None;
        foreach ((uint linux, OpenFlags flag) in Pairs)
        {
            if ((flags & linux) == linux)
                result |= flag;
        }
        if ((flags & PathOnly) != 0)
            return result;
        return result | (flags & AccessMode) switch
        {
            0 => OpenFlags.Read,
            1 => OpenFlags.Write,
            2 => OpenFlags.ReadWrite,
            // 3: permission for both is checked, neither is possible afterwards (open(2)).
            _ => OpenFlags.None,
        };
    }

    /// <summary>What fcntl(F_GETFL) says to the caller.</summary>
    internal static uint Encode(CallContext call, OpenFile file) => LinuxArchitecture.Of(call.Thread).OpenFlags(Encode(file));

    /// <summary>What fcntl(F_GETFL) says. Files that have a name were opened as large files, as every 64-bit program's are.</summary>
    public static uint Encode(OpenFile file)
    {
        uint result = file.CanWrite ? (file.CanRead ? 2u : 1u) : 0;
        foreach ((uint linux, OpenFlags flag) in Pairs)
        {
            if ((file.Flags & flag) != 0)
                result |= linux;
        }
        bool isNamed = file.Path is not null && (file.Flags & OpenFlags.PathOnly) == 0;
        return isNamed ? result | LargeFile : result;
    }

    /// <summary>O_DIRECT is for what has pages of contents; what else refuses it, but pipes that are open already (setfl in fs/fcntl.c).</summary>
    public static bool CanBeDirect(OpenFile file) => file.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.BlockDevice;

    /// <summary>What fcntl(F_SETFL) makes of a file's flags.</summary>
    public static OpenFlags SetStatus(OpenFlags current, OpenFlags wanted) => (current & ~Settable) | (wanted & Settable);
}

/// <summary>struct flock on 64-bit systems (fcntl(2)).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct Flock
{
    public const short ReadLock = 0;
    public const short WriteLock = 1;
    public const short Unlock = 2;

    [FieldOffset(0)] public short Type;
    [FieldOffset(2)] public short Whence;
    [FieldOffset(8)] public long Start;
    [FieldOffset(16)] public long Length;
    [FieldOffset(24)] public int ProcessId;
}

/// <summary>struct open_how (openat2(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct OpenHow
{
    public ulong Flags;
    public ulong Mode;
    public ulong Resolve;
}
