using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>quotactl(2), quotactl_fd(2): a world has no block devices, and none of its file systems keeps quotas.</summary>
public static class QuotaCalls
{
    private const int CommandShift = 8;
    private const uint KindMask = 0xFF, Kinds = 3;
    private const uint Synchronize = 0x800001, QuotaOn = 0x800002;

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
        if ((command & KindMask) >= Kinds)
            return Errno.EINVAL;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        return IsChange(command >> CommandShift) && file.IsOnReadOnlyMount() ? Errno.EROFS : Errno.ENOSYS;
    }

    /// <summary>All but asking (quotactl_cmd_write in fs/quota/quota.c).</summary>
    private static bool IsChange(uint command)
    {
        const uint getFormat = 0x800004, getInformation = 0x800005, getQuota = 0x800007, getNextQuota = 0x800009;
        const uint getXfsQuota = 0x5803, getXfsStatistics = 0x5805, getXfsState = 0x5808, getNextXfsQuota = 0x5809, synchronizeXfs = 0x5807;
        return command is not (getFormat or getInformation or Synchronize or getQuota or getNextQuota or getXfsQuota or getXfsStatistics or getXfsState or getNextXfsQuota or synchronizeXfs);
    }
}
