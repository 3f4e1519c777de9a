using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Abi.Quotas;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// quotactl(2), quotactl_fd(2). A world has no block devices, so that only the second, for a tmpfs that was mounted with quotas, leads
/// anywhere (fs/quota/quota.c, mm/shmem_quota.c).
/// </summary>
public static class QuotaCalls
{
    private const int CommandShift = 8;
    private const uint KindMask = 0xFF, Kinds = 3, OfGroups = 1, OfProjects = 2;
    private const uint Synchronize = 0x800001, TurnOn = 0x800002, TurnOff = 0x800003, GetFormat = 0x800004, GetInformation = 0x800005, SetInformation = 0x800006;
    private const uint GetQuota = 0x800007, SetQuota = 0x800008, GetNextQuota = 0x800009;
    private const uint ShmemFormat = 5;
    private const ulong LargestLimit = long.MaxValue;

    public static CallResult Quotactl(CallContext call, uint command, GuestAddress special, uint id, GuestAddress address)
    {
        if ((command & KindMask) >= Kinds)
            return Errno.EINVAL;
        if (special.IsNull)
            return command >> CommandShift == Synchronize ? 0 : Errno.ENODEV;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, special, 0, out PathEntry device);
        if (error != Errno.None)
            return error;
        if (device.Inode.Kind != FileKind.BlockDevice)
            return Errno.ENOTBLK;
        return device.Mount.NoDevices ? Errno.EACCES : Errno.ENODEV;
    }

    public static CallResult QuotactlFd(CallContext call, int fd, uint command, uint id, GuestAddress address)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        uint kind = command & KindMask, verb = command >> CommandShift;
        if (kind >= Kinds)
            return Errno.EINVAL;
        if (IsChange(verb) && file.IsOnReadOnlyMount())
            return Errno.EROFS;
        if (file.Path?.Mount.FileSystem is not { KeepsQuotas: true } fileSystem)
            return Errno.ENOSYS;
        if (kind == OfProjects)
            return Errno.EINVAL;
        if (!MayDo(call.Thread, verb, kind, id))
            return Errno.EPERM;
        QuotaBook? book = fileSystem.Quotas(kind == OfGroups);
        return verb switch
        {
            Synchronize => 0,
            TurnOn => Enforce(book, true),
            TurnOff => Enforce(book, false),
            GetFormat => book is null ? Errno.ESRCH : call.Memory.TryWrite(address, ShmemFormat) ? 0 : Errno.EFAULT,
            GetInformation or SetInformation => book is null ? Errno.ESRCH : verb == GetInformation ? Tell(call, book, address) : Set(call, book, address),
            GetQuota => book is null ? Errno.ESRCH : call.Memory.TryWrite(address, ToDisk(book.Of(id))) ? 0 : Errno.EFAULT,
            GetNextQuota => book is null ? Errno.ESRCH : Next(call, book, id, address),
            SetQuota => Set(call, book, id, address),
            _ => Errno.EINVAL,
        };
    }

    /// <summary>All but asking (quotactl_cmd_write in fs/quota/quota.c).</summary>
    private static bool IsChange(uint command)
    {
        const uint getXfsQuota = 0x5803, getXfsStatistics = 0x5805, getXfsState = 0x5808, getNextXfsQuota = 0x5809, synchronizeXfs = 0x5807;
        return command is not (GetFormat or GetInformation or Synchronize or GetQuota or GetNextQuota or getXfsQuota or getXfsStatistics or getXfsState or getNextXfsQuota or synchronizeXfs);
    }

    /// <summary>check_quotactl_permission: one's own may be asked for; of the rest only what says nothing of anybody.</summary>
    private static bool MayDo(GuestThread thread, uint verb, uint kind, uint id)
    {
        if (verb is GetFormat or Synchronize or GetInformation)
            return true;
        FileCredentials credentials = thread.FileCredentials;
        bool isOwn = verb == GetQuota && (kind == OfGroups ? credentials.IsInGroup(id) : credentials.User == id);
        return isOwn || credentials.Has(FilePrivileges.Administer);
    }

    /// <summary>What is counted stays counted; limits hold from the mount on.</summary>
    private static CallResult Enforce(QuotaBook? book, bool isEnforced)
    {
        if (book is null)
            return Errno.EINVAL;
        if (book.IsEnforced == isEnforced)
            return isEnforced ? Errno.EBUSY : 0;
        book.IsEnforced = isEnforced;
        return 0;
    }

    private static CallResult Tell(CallContext call, QuotaBook book, GuestAddress address)
    {
        var information = new IfDqInfo
        {
            BlockGrace = (ulong)(book.BytesGrace / FileTime.NanosecondsPerSecond),
            InodeGrace = (ulong)(book.FilesGrace / FileTime.NanosecondsPerSecond),
            Flags = IfDqInfo.SystemFile,
            Valid = IfDqInfo.All,
        };
        return call.Memory.TryWrite(address, information) ? 0 : Errno.EFAULT;
    }

    private static CallResult Set(CallContext call, QuotaBook book, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out IfDqInfo information))
            return Errno.EFAULT;
        if ((information.Valid & ~IfDqInfo.All) != 0)
            return Errno.EINVAL;
        if ((information.Valid & IfDqInfo.HasBlockGrace) != 0)
            book.BytesGrace = Nanoseconds(information.BlockGrace);
        if ((information.Valid & IfDqInfo.HasInodeGrace) != 0)
            book.FilesGrace = Nanoseconds(information.InodeGrace);
        return 0;
    }

    private static long Nanoseconds(ulong seconds) => (long)Math.Min(seconds, long.MaxValue / (ulong)FileTime.NanosecondsPerSecond) * FileTime.NanosecondsPerSecond;

    private static CallResult Next(CallContext call, QuotaBook book, uint id, GuestAddress address)
    {
        if (book.Next(id) is not { } found)
            return Errno.ENOENT;
        return call.Memory.TryWrite(address, new IfNextDqBlk { Quota = ToDisk(book.Of(found)), Id = found }) ? 0 : Errno.EFAULT;
    }

    private static CallResult Set(CallContext call, QuotaBook? book, uint id, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out IfDqBlk given))
            return Errno.EFAULT;
        if (book is null)
            return Errno.ESRCH;
        uint valid = given.Valid;
        if ((valid & IfDqBlk.HasSpaceLimits) != 0 && Math.Max(given.HardBlocks, given.SoftBlocks) > LargestLimit / IfDqBlk.BlockSize)
            return Errno.ERANGE;
        Quota quota = book.Of(id);
        if ((valid & IfDqBlk.HasSpace) != 0)
            quota.Bytes = given.Space;
        if ((valid & IfDqBlk.HasSpaceLimits) != 0)
            (quota.HardBytes, quota.SoftBytes) = (given.HardBlocks * IfDqBlk.BlockSize, given.SoftBlocks * IfDqBlk.BlockSize);
        if ((valid & IfDqBlk.HasInodes) != 0)
            quota.Files = given.Inodes;
        if ((valid & IfDqBlk.HasInodeLimits) != 0)
            (quota.HardFiles, quota.SoftFiles) = (given.HardInodes, given.SoftInodes);
        book.Watch(quota);
        if ((valid & IfDqBlk.HasSpaceTime) != 0)
            quota.BytesDeadline = Nanoseconds(given.SpaceTime);
        if ((valid & IfDqBlk.HasInodeTime) != 0)
            quota.FilesDeadline = Nanoseconds(given.InodeTime);
        return 0;
    }

    private static IfDqBlk ToDisk(Quota quota) => new()
    {
        HardBlocks = (quota.HardBytes + IfDqBlk.BlockSize - 1) / IfDqBlk.BlockSize,
        SoftBlocks = (quota.SoftBytes + IfDqBlk.BlockSize - 1) / IfDqBlk.BlockSize,
        Space = quota.Bytes,
        HardInodes = quota.HardFiles,
        SoftInodes = quota.SoftFiles,
        Inodes = quota.Files,
        SpaceTime = (ulong)(quota.BytesDeadline / FileTime.NanosecondsPerSecond),
        InodeTime = (ulong)(quota.FilesDeadline / FileTime.NanosecondsPerSecond),
        Valid = IfDqBlk.All,
    };
}
