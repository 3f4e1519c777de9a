using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using LinuxMemory = Vivarium.Emulator.Personalities.Linux.Calls.MemoryCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>mmap(2), whose offset comes behind a PAD argument, and madvise(2).</summary>
public static class MemoryCalls
{
    private const int Shared = 1, Private = 2, Fixed = 0x10, Anonymous = 0x1000, Stack = 0x2000;
    private const int LinuxAnonymous = 0x20, LinuxNoReserve = 0x4000;

    public static CallResult Mmap(CallContext call, GuestAddress address, ulong length, int protection, int flags, int fd, long pad, long offset)
    {
        const int protectionMask = 7;
        if ((flags & (Shared | Private)) == (Shared | Private))
            return Errno.EINVAL;
        // Nothing is mapped at no length, and that is no error (mmap(2)).
        if (length == 0)
            return 0;
        bool isAnonymous = (flags & (Anonymous | Stack)) != 0;
        int linux = ((flags & Shared) != 0 ? Shared : Private) | (flags & Fixed) | (isAnonymous ? LinuxAnonymous | LinuxNoReserve : 0);
        return LinuxMemory.Mmap(call, address, length, protection & protectionMask, linux, isAnonymous ? -1 : fd, isAnonymous ? 0 : (ulong)offset);
    }

    /// <summary>Only FREE changes anything.</summary>
    public static CallResult Madvise(CallContext call, GuestAddress address, ulong length, int advice)
    {
        const int free = 6, linuxNormal = 0, linuxFree = 8;
        if (advice is < 0 or > free)
            return Errno.EINVAL;
        ulong inPage = address.Value % GuestAddress.PageSize;
        return LinuxMemory.Madvise(call, new GuestAddress(address.Value - inPage), length + inPage, advice == free ? linuxFree : linuxNormal);
    }
}
