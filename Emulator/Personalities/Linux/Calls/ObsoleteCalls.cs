using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Calls that programs hardly make any more, and get an answer to.</summary>
public static class ObsoleteCalls
{
    private const int DescriptorSize = 16;

    /// <summary>Only the kernel's own return from a signal asks for it; others learn that there is nothing to restart.</summary>
    public static CallResult RestartSyscall(CallContext call) => Errno.EINTR;

    /// <summary>
    /// modify_ldt(2). The table is empty: it can be read, and its entries cleared. Segments of code and data are not emulated, so that none can
    /// be put there. Errors come back in 32 bits, not extended, as the kernel's do.
    /// </summary>
    public static CallResult ModifyLdt(CallContext call, int function, GuestAddress buffer, ulong size)
    {
        const int read = 0, write = 1, readDefault = 2, writeNew = 0x11;
        const ulong defaultSize = 128;
        switch (function)
        {
            case read:
                return 0;
            case readDefault:
                ulong count = Math.Min(size, defaultSize);
                Span<byte> empty = stackalloc byte[(int)count];
                empty.Clear();
                return call.Memory.TryWrite(buffer, empty) ? (long)count : Short(Errno.EFAULT);
            case write or writeNew:
                return Write(call, buffer, size, isOld: function == write);
            default:
                return Short(Errno.ENOSYS);
        }
    }

    private static CallResult Write(CallContext call, GuestAddress buffer, ulong size, bool isOld)
    {
        const uint entries = 8192, contentsMask = 6, present = 0x20, cleared = 0x28;
        if (size != DescriptorSize)
            return Short(Errno.EINVAL);
        Span<uint> words = stackalloc uint[DescriptorSize / sizeof(uint)];
        if (!call.Memory.TryRead(buffer, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)))
            return Short(Errno.EFAULT);
        (uint entry, uint address, uint limit, uint flags) = (words[0], words[1], words[2], words[3]);
        if (entry >= entries)
            return Short(Errno.EINVAL);
        if ((flags & contentsMask) == contentsMask && (isOld || (flags & present) == 0))
            return Short(Errno.EINVAL);
        bool clears = address == 0 && limit == 0 && (isOld || (flags & 0x7F) == cleared || (flags & 0x7F) == 0);
        return clears ? 0 : Short(Errno.EINVAL);
    }

    private static CallResult Short(Errno error) => unchecked((uint)-(int)error);
}
