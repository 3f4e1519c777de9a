using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using LinuxMemory = Vivarium.Emulator.Personalities.Linux.Calls.MemoryCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>mmap(2), madvise(2), break(2).</summary>
public static class MemoryCalls
{
    private const int Shared = 1, Private = 2, Fixed = 0x10, Stack = 0x400, Anonymous = 0x1000, Guard = 0x2000, Exclusive = 0x4000, Low32 = 0x80000;
    private const int AlignmentMask = unchecked((int)0xFF000000);
    private const int Known = Shared | Private | Fixed | 0x200 | Stack | 0x800 | Anonymous | Guard | Exclusive | 0x20000 | 0x40000 | Low32 | AlignmentMask;
    private const int LinuxAnonymous = 0x20, LinuxLow32 = 0x40, LinuxNoReserve = 0x4000, LinuxFixedNoReplace = 0x100000;

    public static CallResult Mmap(CallContext call, GuestAddress address, ulong length, int protection, int flags, int fd, long offset)
    {
        // PROT_MAX is above bit 16: the most that may be asked for later.
        const int protectionMask = 7;
        if ((flags & ~Known) != 0 || length == 0 || (flags & (Shared | Private)) == (Shared | Private))
            return Errno.EINVAL;
        bool isGuard = (flags & Guard) != 0, isAnonymous = (flags & (Anonymous | Stack)) != 0 || isGuard;
        if (isGuard && (protection != 0 || fd != -1 || offset != 0))
            return Errno.EINVAL;
        if (isAnonymous && fd != -1)
            return Errno.EINVAL;
        if ((flags & Exclusive) != 0 && (flags & Fixed) == 0)
            return Errno.EINVAL;
        int linux = (flags & Shared) != 0 ? Shared : Private;
        linux |= isAnonymous ? LinuxAnonymous : 0;
        linux |= (flags & Low32) != 0 ? LinuxLow32 : 0;
        linux |= (flags & Exclusive) != 0 ? LinuxFixedNoReplace : flags & Fixed;
        // Memory is not counted before it is touched.
        linux |= isAnonymous ? LinuxNoReserve : 0;
        CallResult result = LinuxMemory.Mmap(call, address, length, protection & protectionMask, linux, isAnonymous ? -1 : fd, isAnonymous ? 0 : (ulong)offset);
        return result.Error == Errno.EEXIST ? Errno.EINVAL : result;
    }

    /// <summary>Only FREE changes anything: DONTNEED throws nothing away here.</summary>
    public static CallResult Madvise(CallContext call, GuestAddress address, ulong length, int advice)
    {
        const int free = 5, last = 10, linuxNormal = 0, linuxFree = 8;
        if (advice is < 0 or > last)
            return Errno.EINVAL;
        ulong inPage = address.Value % GuestAddress.PageSize;
        return LinuxMemory.Madvise(call, new GuestAddress(address.Value - inPage), length + inPage, advice == free ? linuxFree : linuxNormal);
    }

    /// <summary>msync(2): MS_SYNC is 0, MS_ASYNC 1, MS_INVALIDATE 2.</summary>
    public static CallResult Msync(CallContext call, GuestAddress address, ulong length, int flags)
    {
        const int linuxSynchronous = 4;
        return flags is < 0 or > 3 or 3 ? Errno.EINVAL : LinuxMemory.Msync(call, address, length, flags == 0 ? linuxSynchronous : flags);
    }

    public static CallResult Break(CallContext call, GuestAddress end)
    {
        GuestAddress now = call.Memory.Break(end);
        return end.IsNull || now == end ? (long)now.Value : Errno.ENOMEM;
    }
}
