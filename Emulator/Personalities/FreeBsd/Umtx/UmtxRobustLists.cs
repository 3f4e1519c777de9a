using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>The robust mutexes that a thread has, in lists of its own memory (UMTX_OP_ROBUST_LISTS); those that it leaves locked tell of it.</summary>
internal static class UmtxRobustLists
{
    private const ulong LinkOffset = 16;

    /// <summary>Lists may be loops: a guest wrote them (kern.ipc.umtx_max_robust).</summary>
    private const int Longest = 1000;

    /// <summary>struct umtx_robust_lists_params; what a shorter one lacks is 0.</summary>
    public static CallResult Set(CallContext call, ulong size, GuestAddress parameters)
    {
        Span<ulong> places = stackalloc ulong[3];
        Span<byte> bytes = MemoryMarshal.AsBytes(places);
        if (size > (ulong)bytes.Length)
            return Errno.EINVAL;
        bytes.Clear();
        if (!call.Memory.TryRead(parameters, bytes[..(int)size]))
            return Errno.EFAULT;
        call.Thread.RobustLists = (new GuestAddress(places[0]), new GuestAddress(places[1]), new GuestAddress(places[2]));
        return CallResult.Ok();
    }

    /// <summary>A thread ends.</summary>
    public static void Release(GuestThread thread)
    {
        (GuestAddress shared, GuestAddress own, GuestAddress pending) = thread.RobustLists;
        thread.RobustLists = default;
        AddressSpace memory = thread.Process.Memory;
        ulong inactive = 0;
        if (!pending.IsNull)
            memory.TryRead(pending, out inactive);
        ReleaseAll(thread, shared, ref inactive);
        ReleaseAll(thread, own, ref inactive);
        if (inactive != 0)
            TryRelease(thread, new GuestAddress(inactive), isPending: true, out _);
    }

    /// <param name="inactive">The mutex that was being locked or unlocked; 0 when it was in the list.</param>
    private static void ReleaseAll(GuestThread thread, GuestAddress list, ref ulong inactive)
    {
        if (list.IsNull || !thread.Process.Memory.TryRead(list, out ulong mutex))
            return;
        for (int i = 0; mutex != 0 && i < Longest; i++)
        {
            bool isPending = mutex == inactive;
            if (isPending)
                inactive = 0;
            if (!TryRelease(thread, new GuestAddress(mutex), isPending, out mutex))
                return;
        }
    }

    private static bool TryRelease(GuestThread thread, GuestAddress mutex, bool isPending, out ulong next)
    {
        AddressSpace memory = thread.Process.Memory;
        if (!memory.TryRead(mutex + LinkOffset, out next) || !UmtxMutex.TryReadFlags(thread, mutex, out uint flags) || !memory.TryRead(mutex, out uint owner))
            return false;
        if ((flags & UmtxMutex.Robust) == 0)
            return false;
        // The one under way may be unlocked already.
        if ((owner & ~UmtxMutex.Contested) != (uint)FreeBsdThreadId.Of(thread))
            return isPending;
        return UmtxMutex.Unlock(thread, mutex, isDying: true) == Errno.None;
    }
}
