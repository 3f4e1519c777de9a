using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>The list of robust futexes that a thread held when it ended (get_robust_list(2)): each is marked and its first waiter woken.</summary>
internal static class RobustFutexes
{
    /// <summary>Lists may be loops: a guest wrote them (ROBUST_LIST_LIMIT).</summary>
    private const int Limit = 2048;
    private const uint OwnerMask = 0x3FFFFFFF;
    private const uint OwnerDied = 0x40000000;
    private const uint Waiters = 0x80000000;

    public static void Release(GuestThread thread)
    {
        AddressSpace memory = thread.Process.Memory;
        ulong head = thread.RobustList.Value;
        if (!memory.TryRead(new GuestAddress(head), out ulong entry)
            || !memory.TryRead(new GuestAddress(head + 8), out long offset)
            || !memory.TryRead(new GuestAddress(head + 16), out ulong pending))
        {
            return;
        }
        for (int count = 0; (entry & ~1UL) != head && count < Limit; count++)
        {
            ulong now = entry & ~1UL;
            // The lowest bit of an entry tells of priority inheritance: its lock is handed over, not woken.
            bool isPriorityInheriting = (entry & 1) != 0;
            if (!memory.TryRead(new GuestAddress(now), out entry))
                break;
            if (now != (pending & ~1UL))
                Mark(thread, new GuestAddress(now + (ulong)offset), isPriorityInheriting, isPending: false);
        }
        if ((pending & ~1UL) != 0)
            Mark(thread, new GuestAddress((pending & ~1UL) + (ulong)offset), (pending & 1) != 0, isPending: true);
    }

    private static void Mark(GuestThread thread, GuestAddress address, bool isPriorityInheriting, bool isPending)
    {
        AddressSpace memory = thread.Process.Memory;
        if ((address.Value & 3) != 0 || !memory.TryRead(address, out uint word))
            return;
        // It ended between unlocking the word and waking who waits for it.
        if (isPending && !isPriorityInheriting && word == 0)
        {
            Wake(thread, address);
            return;
        }
        if ((word & OwnerMask) != (uint)thread.Number)
            return;
        memory.TryWrite(address, (word & Waiters) | OwnerDied);
        if ((word & Waiters) != 0 && !isPriorityInheriting)
            Wake(thread, address);
    }

    private static void Wake(GuestThread thread, GuestAddress address)
    {
        AddressSpace memory = thread.Process.Memory;
        foreach (bool isPrivate in (ReadOnlySpan<bool>)[false, true])
        {
            if (memory.FutexKey(address, isPrivate) is { } key)
                thread.Process.World.Futexes.Wake(key, 1);
        }
    }
}
