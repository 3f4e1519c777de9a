namespace Vivarium.Emulator.Kernel.Futexes;

/// <summary>One thread waiting on several words at once (futex_waitv(2)).</summary>
public sealed class FutexWaiters : IAbandonable
{
    private readonly FutexTable _table;

    public FutexWaiters(FutexTable table, ReadOnlySpan<(object Key, ulong Offset)> places, GuestThread thread)
    {
        _table = table;
        All = new FutexWaiter[places.Length];
        for (int i = 0; i < places.Length; i++)
            All[i] = table.Wait(places[i], uint.MaxValue, thread);
    }

    public FutexWaiter[] All { get; }

    /// <summary>The index of the last one that was woken; null when none was.</summary>
    public int? Woken
    {
        get
        {
            for (int i = All.Length - 1; i >= 0; i--)
            {
                if (All[i].IsWoken)
                    return i;
            }
            return null;
        }
    }

    public void Abandon()
    {
        foreach (FutexWaiter waiter in All)
            _table.Leave(waiter);
    }
}
