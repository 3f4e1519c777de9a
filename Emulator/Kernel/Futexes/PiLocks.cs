using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Futexes;

/// <summary>A thread that waits to own a lock. Its address is the lock's word in its own memory.</summary>
public sealed class PiWaiter : IAbandonable
{
    internal PiWaiter(PiLock @lock, GuestThread thread, GuestAddress address) => (Lock, Thread, Address) = (@lock, thread, address);

    public Source Source { get; } = new();

    public GuestThread Thread { get; }

    public GuestAddress Address { get; }

    /// <summary>The lock was handed to this waiter.</summary>
    public bool IsOwner { get; internal set; }

    internal PiLock Lock { get; }

    public void Abandon() => Lock.Table.Leave(this);
}

/// <summary>A contended lock: its owner and who waits for it.</summary>
internal sealed class PiLock(PiLocks table, (object Key, ulong Offset) place, GuestThread owner)
{
    public PiLocks Table { get; } = table;

    public (object Key, ulong Offset) Place { get; } = place;

    public GuestThread Owner { get; set; } = owner;

    /// <summary>The most urgent first, equals in order of arrival.</summary>
    public List<PiWaiter> Waiters { get; } = [];
}

/// <summary>
/// Locks whose owner runs at the priority of its most urgent waiter (futex(2), "Priority-inheritance futexes"). Known only
/// while somebody waits; who owns a lock that nobody waits for is in its word alone.
/// </summary>
public sealed class PiLocks
{
    private readonly Dictionary<(object Key, ulong Offset), PiLock> _locks = [];

    public int Count((object Key, ulong Offset) place) => _locks.TryGetValue(place, out PiLock? found) ? found.Waiters.Count : 0;

    /// <summary>Who took a lock that others wait for is its owner, whoever was to be.</summary>
    public void Claim((object Key, ulong Offset) place, GuestThread owner)
    {
        if (!_locks.TryGetValue(place, out PiLock? found) || found.Owner == owner)
            return;
        GuestThread before = found.Owner;
        before.HeldLocks.Remove(found);
        found.Owner = owner;
        owner.HeldLocks.Add(found);
        Inherit(before);
        Inherit(owner);
    }

    public bool HasWaiters((object Key, ulong Offset) place) => _locks.ContainsKey(place);

    /// <summary>True when the owner waits, through any number of other locks, for the thread itself.</summary>
    public static bool WouldDeadlock(GuestThread thread, GuestThread owner)
    {
        const int longestChain = 1024;
        GuestThread at = owner;
        for (int i = 0; i < longestChain; i++)
        {
            if (ReferenceEquals(at, thread))
                return true;
            if (at.WaitsForLock is not { } next)
                return false;
            at = next.Owner;
        }
        return true;
    }

    public PiWaiter Wait((object Key, ulong Offset) place, GuestThread owner, GuestThread thread, GuestAddress address)
    {
        if (!_locks.TryGetValue(place, out PiLock? found))
        {
            _locks.Add(place, found = new PiLock(this, place, owner));
            owner.HeldLocks.Add(found);
        }
        Claim(place, owner);
        var waiter = new PiWaiter(found, thread, address);
        int index = found.Waiters.FindIndex(other => other.Thread.EffectivePriority < thread.EffectivePriority);
        found.Waiters.Insert(index < 0 ? found.Waiters.Count : index, waiter);
        thread.WaitsForLock = found;
        Inherit(found.Owner);
        return waiter;
    }

    /// <summary>A waiter gives up.</summary>
    public void Leave(PiWaiter waiter)
    {
        PiLock from = waiter.Lock;
        if (waiter.IsOwner || !from.Waiters.Remove(waiter))
            return;
        waiter.Thread.WaitsForLock = null;
        if (from.Waiters.Count == 0)
            Forget(from);
        Inherit(from.Owner);
    }

    /// <summary>Hands the lock to its most urgent waiter, who is woken; null when nobody waits.</summary>
    public PiWaiter? HandOver((object Key, ulong Offset) place) => _locks.TryGetValue(place, out PiLock? found) ? HandOver(found) : null;

    /// <summary>Hands over one of the locks an ending thread holds; null when it holds none that somebody waits for.</summary>
    public PiWaiter? HandOverOneOf(GuestThread owner) => owner.HeldLocks.Count == 0 ? null : HandOver(owner.HeldLocks[^1]);

    private PiWaiter HandOver(PiLock from)
    {
        PiWaiter next = from.Waiters[0];
        GuestThread before = from.Owner;
        from.Waiters.RemoveAt(0);
        before.HeldLocks.Remove(from);
        from.Owner = next.Thread;
        next.IsOwner = true;
        next.Thread.WaitsForLock = null;
        next.Thread.HeldLocks.Add(from);
        if (from.Waiters.Count == 0)
            Forget(from);
        Inherit(before);
        Inherit(next.Thread);
        next.Source.Pulse();
        return next;
    }

    private void Forget(PiLock @lock)
    {
        _locks.Remove(@lock.Place);
        @lock.Owner.HeldLocks.Remove(@lock);
    }

    /// <summary>A thread's inherited priority is the highest of those that wait for it, and passes on to whom it waits for itself.</summary>
    private static void Inherit(GuestThread thread)
    {
        const int longestChain = 1024;
        GuestThread? at = thread;
        for (int i = 0; at is not null && i < longestChain; i++)
        {
            int highest = 0;
            foreach (PiLock held in at.HeldLocks)
                highest = Math.Max(highest, held.Waiters.Count == 0 ? 0 : held.Waiters[0].Thread.EffectivePriority);
            if (at.InheritedPriority == highest)
                return;
            at.InheritedPriority = highest;
            if (at.WaitsForLock is { } waitsFor)
                waitsFor.Waiters.Sort(static (a, b) => b.Thread.EffectivePriority.CompareTo(a.Thread.EffectivePriority));
            at = at.WaitsForLock?.Owner;
        }
    }
}
