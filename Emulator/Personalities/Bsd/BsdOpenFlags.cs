using Vivarium.Emulator.Kernel.Files;
using LinuxFlags = Vivarium.Emulator.Personalities.Linux.Abi.Fcntl;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>O_ flags of open(2) and F_GETFL: the old ones are the same in both systems, the later ones are not.</summary>
internal readonly record struct BsdOpenFlags(uint Direct, uint Directory, uint CloseOnExec, uint DataSync, uint PathOnly)
{
    private const uint NonBlock = 4, Append = 8, SharedLock = 0x10, ExclusiveLock = 0x20, Async = 0x40, Sync = 0x80;
    private const uint NoFollow = 0x100, Create = 0x200, Truncate = 0x400, Exclusive = 0x800, NoControllingTty = 0x8000;

    public static bool FollowsNot(uint flags) => (flags & NoFollow) != 0;

    /// <summary>LOCK_SH or LOCK_EX that opening takes as well; 0 for none.</summary>
    public static int LockOf(uint flags) => (flags & ExclusiveLock) != 0 ? 2 : (flags & SharedLock) != 0 ? 1 : 0;

    public static bool IsNonBlocking(uint flags) => (flags & NonBlock) != 0;

    /// <summary>As the kernel has them. O_DIRECT means nothing to pipes here.</summary>
    public OpenFlags Decode(uint flags) => LinuxFlags.Decode(ToLinux(flags)) & ~OpenFlags.Packets;

    /// <summary>What F_GETFL tells.</summary>
    public uint Encode(OpenFile file) => FromLinux(LinuxFlags.Encode(file));

    public uint ToLinux(uint flags)
    {
        uint linux = flags & 3;
        Add(NonBlock, LinuxFlags.NonBlocking);
        Add(Append, LinuxFlags.Append);
        Add(Async, LinuxFlags.Async);
        Add(Sync, LinuxFlags.DataSync | 0x100000);
        Add(NoFollow, LinuxFlags.NoFollow);
        Add(Create, LinuxFlags.Create);
        Add(Truncate, LinuxFlags.Truncate);
        Add(Exclusive, LinuxFlags.Exclusive);
        Add(NoControllingTty, LinuxFlags.NoControllingTty);
        Add(Direct, LinuxFlags.Direct);
        Add(Directory, LinuxFlags.Directory);
        Add(CloseOnExec, LinuxFlags.CloseOnExec);
        Add(DataSync, LinuxFlags.DataSync);
        Add(PathOnly, LinuxFlags.PathOnly);
        return linux;

        void Add(uint own, uint theirs) => linux |= own != 0 && (flags & own) != 0 ? theirs : 0;
    }

    private uint FromLinux(uint linux)
    {
        uint flags = linux & 3;
        flags |= (linux & LinuxFlags.NonBlocking) != 0 ? NonBlock : 0;
        flags |= (linux & LinuxFlags.Append) != 0 ? Append : 0;
        flags |= (linux & LinuxFlags.Async) != 0 ? Async : 0;
        flags |= (linux & 0x100000) != 0 ? Sync : 0;
        return flags | ((linux & LinuxFlags.Direct) != 0 ? Direct : 0);
    }
}
