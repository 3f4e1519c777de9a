using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>chmod(2), chown(2), utimensat(2) and their kin.</summary>
public static class AttributeCalls
{
    private const int Here = Fcntl.AtCurrentDirectory;
    private const uint KeepId = uint.MaxValue;
    private const long TimeNow = 0x3FFFFFFF;
    private const long TimeOmit = 0x3FFFFFFE;

    public static CallResult Chmod(CallContext call, GuestAddress path, uint mode) => Fchmodat2(call, Here, path, mode, 0);

    public static CallResult Fchmodat(CallContext call, int dirfd, GuestAddress path, uint mode) => Fchmodat2(call, dirfd, path, mode, 0);

    public static CallResult Fchmodat2(CallContext call, int dirfd, GuestAddress path, uint mode, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
        return error != Errno.None ? error : Vfs.ChangeMode(call.Thread.FileCredentials, entry.Inode, entry, mode);
    }

    public static CallResult Fchmod(CallContext call, int fd, uint mode)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        return error != Errno.None ? error : Vfs.ChangeMode(call.Thread.FileCredentials, file.Inode, file.Path, mode);
    }

    public static CallResult Chown(CallContext call, GuestAddress path, uint user, uint group) => Fchownat(call, Here, path, user, group, 0);

    public static CallResult Lchown(CallContext call, GuestAddress path, uint user, uint group) =>
        Fchownat(call, Here, path, user, group, Fcntl.AtSymlinkNoFollow);

    public static CallResult Fchownat(CallContext call, int dirfd, GuestAddress path, uint user, uint group, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
        return error != Errno.None ? error : ChangeOwner(call, entry.Inode, entry, user, group);
    }

    public static CallResult Fchown(CallContext call, int fd, uint user, uint group)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        return error != Errno.None ? error : ChangeOwner(call, file.Inode, file.Path, user, group);
    }

    private static Errno ChangeOwner(CallContext call, Inode inode, PathEntry? path, uint user, uint group) => Vfs.ChangeOwner(
        call.Thread.FileCredentials, inode, path, user == KeepId ? null : user, group == KeepId ? null : group);

    public static CallResult Utime(CallContext call, GuestAddress path, GuestAddress times)
    {
        Span<long> seconds = stackalloc long[2];
        if (times.IsNull)
            return SetTimes(call, Here, path, default, useNow: true, 0);
        if (!call.Memory.TryRead(times, System.Runtime.InteropServices.MemoryMarshal.AsBytes(seconds)))
            return Errno.EFAULT;
        return SetTimes(call, Here, path, [new() { Seconds = seconds[0] }, new() { Seconds = seconds[1] }], useNow: false, 0);
    }

    public static CallResult Utimes(CallContext call, GuestAddress path, GuestAddress times) => Futimesat(call, Here, path, times);

    public static CallResult Futimesat(CallContext call, int dirfd, GuestAddress path, GuestAddress times)
    {
        const long MicrosecondsPerSecond = 1_000_000;
        Span<FileTime> given = stackalloc FileTime[2];
        if (!times.IsNull)
        {
            if (!ReadTimes(call, times, given))
                return Errno.EFAULT;
            foreach (ref FileTime time in given)
            {
                if (time.Nanoseconds is < 0 or >= MicrosecondsPerSecond)
                    return Errno.EINVAL;
                time.Nanoseconds *= 1000;
            }
        }
        return SetTimes(call, dirfd, path, given, times.IsNull, 0);
    }

    public static CallResult Utimensat(CallContext call, int dirfd, GuestAddress path, GuestAddress times, uint flags)
    {
        Span<FileTime> given = stackalloc FileTime[2];
        if (!times.IsNull)
        {
            if (!ReadTimes(call, times, given))
                return Errno.EFAULT;
            // Nothing to do is nothing to fail, not even for a bad path (utimensat(2)).
            if (given[0].Nanoseconds == TimeOmit && given[1].Nanoseconds == TimeOmit)
                return 0;
            foreach (FileTime time in given)
            {
                if (time.Nanoseconds is (< 0 or >= FileTime.NanosecondsPerSecond) and not (TimeNow or TimeOmit))
                    return Errno.EINVAL;
            }
        }
        return SetTimes(call, dirfd, path, given, times.IsNull, flags);
    }

    private static bool ReadTimes(CallContext call, GuestAddress address, Span<FileTime> times) =>
        call.Memory.TryRead(address, System.Runtime.InteropServices.MemoryMarshal.AsBytes(times));

    /// <summary>Sets access and modification time; a null path names the descriptor itself.</summary>
    private static CallResult SetTimes(CallContext call, int dirfd, GuestAddress path, ReadOnlySpan<FileTime> times, bool useNow, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        Inode inode;
        PathEntry? name;
        if (path.IsNull && dirfd != Here)
        {
            if (flags != 0)
                return Errno.EINVAL;
            Errno bad = call.UsableFile(dirfd, out OpenFile file);
            if (bad != Errno.None)
                return bad;
            (inode, name) = (file.Inode, file.Path);
        }
        else
        {
            Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
            if (error != Errno.None)
                return error;
            (inode, name) = (entry.Inode, entry);
        }
        long now = call.World.Clock.Realtime;
        long? access = useNow ? now : Decode(times[0], now);
        long? modify = useNow ? now : Decode(times[1], now);
        bool bothNow = useNow || (times[0].Nanoseconds == TimeNow && times[1].Nanoseconds == TimeNow);
        return Vfs.ChangeTimes(call.Thread.FileCredentials, inode, name, access, modify, bothNow);
    }

    private static long? Decode(FileTime time, long now) => time.Nanoseconds switch
    {
        TimeNow => now,
        TimeOmit => null,
        _ => time.TotalNanoseconds,
    };
}
