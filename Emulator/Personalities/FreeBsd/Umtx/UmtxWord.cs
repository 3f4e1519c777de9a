using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>Plain waits while a word is as expected, and wakes.</summary>
internal static class UmtxWord
{
    /// <summary>Another word is no error.</summary>
    public static CallResult Wait(CallContext call, GuestAddress address, ulong expected, bool isLong, bool isPrivate, GuestAddress size, GuestAddress timeout)
    {
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call);
        if (slept != Slept.NotYet)
            return slept == Slept.Woken ? CallResult.Ok() : UmtxWait.Failed(call, slept);
        Errno error = UmtxWait.SetLimit(call, size, timeout);
        if (error != Errno.None)
            return error;
        if (call.Memory.FutexKey(address, isPrivate) is not { } key || !TryRead(call.Memory, address, isLong, out ulong word))
            return Errno.EFAULT;
        if (word != expected)
            return CallResult.Ok();
        return call.DeadlinePassed ? Errno.ETIMEDOUT : UmtxWait.Sleep(call, key, UmtxQueue.Word);
    }

    private static bool TryRead(AddressSpace memory, GuestAddress address, bool isLong, out ulong word)
    {
        if (isLong)
            return memory.TryRead(address, out word);
        bool isRead = memory.TryRead(address, out uint value);
        word = value;
        return isRead;
    }

    public static CallResult Wake(CallContext call, GuestAddress address, int count, bool isPrivate)
    {
        if (call.Memory.FutexKey(address, isPrivate) is not { } key)
            return Errno.EFAULT;
        UmtxWait.Wake(call.Thread, key, UmtxQueue.Word, count);
        return CallResult.Ok();
    }

    /// <summary>UMTX_OP_NWAKE_PRIVATE: a table of addresses; those that are none are passed over.</summary>
    public static CallResult WakeMany(CallContext call, GuestAddress table, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (!call.Memory.TryRead(table + (8UL * (ulong)i), out ulong place))
                return Errno.EFAULT;
            _ = Wake(call, new GuestAddress(place), int.MaxValue, isPrivate: true);
        }
        return CallResult.Ok();
    }
}
