using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Futexes;

/// <summary>One thread waiting on a futex.</summary>
public sealed class FutexWaiter(FutexTable table, (object Key, ulong Offset) place, uint bits, GuestThread thread) : IAbandonable
{
    public Source Source { get; } = new();

    public GuestThread Thread { get; } = thread;

    /// <summary>Wakes by a bit set touch it only when one of these is in it (FUTEX_WAIT_BITSET).</summary>
    public uint Bits { get; } = bits;

    /// <summary>Where it waits now: requeueing moves it.</summary>
    public (object Key, ulong Offset) Place { get; internal set; } = place;

    public bool IsWoken { get; internal set; }

    /// <summary>The lock that it waits to be moved on to, and that lock's address in its memory; null for others.</summary>
    public ((object Key, ulong Offset) Place, GuestAddress Address)? Lock { get; set; }

    /// <summary>Its wait for that lock.</summary>
    public PiWaiter? Requeued { get; set; }

    public void Abandon()
    {
        table.Leave(this);
        Requeued?.Abandon();
    }
}

/// <summary>Who waits on which word of memory (futex(2)), in order of arrival.</summary>
public sealed class FutexTable
{
    private readonly Dictionary<(object Key, ulong Offset), LinkedList<FutexWaiter>> _queues = [];

    public FutexWaiter Wait((object Key, ulong Offset) place, uint bits, GuestThread thread)
    {
        var waiter = new FutexWaiter(this, place, bits, thread);
        Queue(place).AddLast(waiter);
        return waiter;
    }

    /// <summary>A waiter gives up: its time is over or a signal came.</summary>
    public void Leave(FutexWaiter waiter)
    {
        if (!waiter.IsWoken)
            Remove(waiter);
    }

    /// <summary>Wakes the first <paramref name="count"/> waiters with a bit in common; returns how many.</summary>
    public int Wake((object Key, ulong Offset) place, int count, uint bits = uint.MaxValue)
    {
        int woken = 0;
        while (woken < count && First(place, bits) is { } waiter)
        {
            WakeOne(waiter);
            woken++;
        }
        return woken;
    }

    /// <summary>How many wait with a bit in common.</summary>
    public int Count((object Key, ulong Offset) place, uint bits)
    {
        int count = 0;
        if (_queues.TryGetValue(place, out LinkedList<FutexWaiter>? queue))
        {
            foreach (FutexWaiter waiter in queue)
                count += (waiter.Bits & bits) != 0 ? 1 : 0;
        }
        return count;
    }

    /// <summary>Wakes a waiter that waits.</summary>
    public void WakeOne(FutexWaiter waiter)
    {
        Remove(waiter);
        waiter.IsWoken = true;
        waiter.Source.Pulse();
    }

    /// <summary>Moves the first <paramref name="count"/> waiters to another place; returns how many.</summary>
    public int Requeue((object Key, ulong Offset) from, (object Key, ulong Offset) to, int count)
    {
        int moved = 0;
        while (moved < count && First(from, uint.MaxValue) is { } waiter)
        {
            Remove(waiter);
            waiter.Place = to;
            Queue(to).AddLast(waiter);
            moved++;
        }
        return moved;
    }

    /// <summary>The first waiter, without waking it.</summary>
    public FutexWaiter? First((object Key, ulong Offset) place, uint bits)
    {
        if (!_queues.TryGetValue(place, out LinkedList<FutexWaiter>? queue))
            return null;
        foreach (FutexWaiter waiter in queue)
        {
            if ((waiter.Bits & bits) != 0)
                return waiter;
        }
        return null;
    }

    private LinkedList<FutexWaiter> Queue((object Key, ulong Offset) place)
    {
        if (!_queues.TryGetValue(place, out LinkedList<FutexWaiter>? queue))
            _queues.Add(place, queue = new LinkedList<FutexWaiter>());
        return queue;
    }

    private void Remove(FutexWaiter waiter)
    {
        if (!_queues.TryGetValue(waiter.Place, out LinkedList<FutexWaiter>? queue))
            return;
        queue.Remove(waiter);
        if (queue.Count == 0)
            _queues.Remove(waiter.Place);
    }
}
