using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>mlock(2) and its family. Guest memory is never paged out: locks are counted against their limit and told, no more.</summary>
public static class MemoryLockCalls
{
    private const int Current = 1, Future = 2, OnFault = 4;

    private static CallResult Lock(CallContext call, GuestAddress address, ulong length, bool fills)
    {
        if (!MayLock(call))
            return Errno.EPERM;
        ulong start = address.PageDown.Value, end = (address + length).PageUp.Value;
        if (end < start)
            return Errno.EINVAL;
        ulong after = call.Memory.LockedBytes - call.Memory.LockedWithin(start, end) + (end - start);
        if (after > Limit(call))
            return Errno.ENOMEM;
        MapStatus status = call.Memory.Lock(address, length, locks: true);
        if (fills)
            Fill(call.Memory, start, end);
        return MemoryCalls.ToErrno(status);
    }

    /// <summary>Areas beyond this are filled as they are used: one call should not hold up its world.</summary>
    private const ulong MostFilled = 256 << 20;

    /// <summary>What is locked is there from the start; what cannot be touched is left out.</summary>
    private static void Fill(AddressSpace memory, ulong start, ulong end)
    {
        foreach (AreaInfo area in memory.Areas())
        {
            ulong from = Math.Max(start, area.Start.Value), to = Math.Min(end, area.End.Value);
            if (from < to && to - from <= MostFilled && (area.Protection & Protection.ReadWrite) != 0)
                memory.Populate(new GuestAddress(from), to - from, (area.Protection & Protection.Write) != 0 ? MemoryAccess.Write : MemoryAccess.Read);
        }
    }

    public static CallResult Mlock(CallContext call, GuestAddress address, ulong length) => Lock(call, address, length, fills: true);

    public static CallResult Mlock2(CallContext call, GuestAddress address, ulong length, int flags) =>
        (flags & ~1) != 0 ? Errno.EINVAL : Lock(call, address, length, fills: flags == 0);

    public static CallResult Munlock(CallContext call, GuestAddress address, ulong length) => MemoryCalls.ToErrno(call.Memory.Lock(address, length, locks: false));

    public static CallResult Mlockall(CallContext call, int flags)
    {
        if (flags is 0 or OnFault || (flags & ~(Current | Future | OnFault)) != 0)
            return Errno.EINVAL;
        if (!MayLock(call))
            return Errno.EPERM;
        if ((flags & Current) != 0 && call.Memory.MappedBytes > Limit(call))
            return Errno.ENOMEM;
        call.Memory.LockAll((flags & Current) != 0, (flags & Future) != 0);
        if ((flags & (Current | OnFault)) == Current)
            Fill(call.Memory, 0, ulong.MaxValue);
        return CallResult.Ok();
    }

    public static CallResult Munlockall(CallContext call)
    {
        call.Memory.LockAll(current: false, future: false);
        return CallResult.Ok();
    }

    /// <summary>Whether a new mapping may be locked, when it is to be: EPERM without any right, EAGAIN past the limit.</summary>
    internal static Errno CheckMapping(CallContext call, ulong length, bool locks)
    {
        if (locks && !MayLock(call))
            return Errno.EPERM;
        if (!locks && !call.Memory.LocksFuture)
            return Errno.None;
        ulong limit = Limit(call), locked = call.Memory.LockedBytes;
        return locked > limit || length > limit - locked ? Errno.EAGAIN : Errno.None;
    }

    private static bool MayLock(CallContext call) => Limit(call) != 0;

    private static ulong Limit(CallContext call) =>
        call.Thread.Credentials.Has(Capability.LockMemory) ? ulong.MaxValue : call.Process.SoftLimit(Resource.LockedMemory);
}
