namespace Vivarium.Emulator.Kernel.Signals;

/// <summary>How many queued signals each user pays for (RLIMIT_SIGPENDING).</summary>
public sealed class SignalQuota
{
    private readonly Dictionary<uint, ulong> _counts = [];

    public ulong CountOf(uint user) => _counts.GetValueOrDefault(user);

    /// <summary>Counts one more, unless that passes the limit.</summary>
    public bool TryCharge(uint user, ulong limit)
    {
        ulong count = CountOf(user);
        if (count >= limit)
            return false;
        _counts[user] = count + 1;
        return true;
    }

    public void Release(uint user) => _counts[user]--;
}

/// <summary>Signals sent and not yet delivered. Standard signals are kept once, real-time ones as often as sent.</summary>
public sealed class PendingSignals(SignalQuota quota)
{
    private readonly List<Entry> _queue = [];

    public SignalSet Set { get; private set; }

    /// <summary>
    /// Queues a signal at a user's cost. Past the limit its data is lost, except that a standard signal of the kernel or of kill(2) always has
    /// its own; false for a real-time signal that carries data (EAGAIN of sigqueue(3)).
    /// </summary>
    public bool Add(in SignalInfo info, uint payer, ulong limit)
    {
        bool isRealTime = info.Signal >= Signal.FirstRealTime;
        if (!isRealTime && Set.Contains(info.Signal))
            return true;
        bool isFree = info.IsTimer || (!isRealTime && info.Code >= 0);
        if (isFree || quota.TryCharge(payer, limit))
        {
            _queue.Add(new Entry(info, isFree ? null : payer));
        }
        else
        {
            if (isRealTime && info.Code != 0)
                return false;
            if (!Set.Contains(info.Signal))
                _queue.Add(new Entry(new SignalInfo(info.Signal), null));
        }
        Set |= SignalSet.Of(info.Signal);
        return true;
    }

    /// <summary>Takes the first to deliver of a set: faults, then by number, then by age.</summary>
    public bool TryTake(SignalSet wanted, out SignalInfo info)
    {
        SignalSet ready = Set & wanted;
        int signal = (ready & Signal.Synchronous).First;
        if (signal == 0)
            signal = ready.First;
        int index = signal == 0 ? -1 : Find(signal);
        if (index < 0)
        {
            info = default;
            return false;
        }
        info = _queue[index].Info;
        Refund(_queue[index]);
        _queue.RemoveAt(index);
        if (Find(signal) < 0)
            Set &= ~SignalSet.Of(signal);
        return true;
    }

    /// <summary>True while a signal of this POSIX timer is queued.</summary>
    public bool HasTimer(int id)
    {
        foreach (Entry queued in _queue)
        {
            if (queued.Info.IsTimer && queued.Info.Timer == id)
                return true;
        }
        return false;
    }

    public void Remove(SignalSet signals)
    {
        for (int i = _queue.Count - 1; i >= 0; i--)
        {
            if (!signals.Contains(_queue[i].Info.Signal))
                continue;
            Refund(_queue[i]);
            _queue.RemoveAt(i);
        }
        Set &= ~signals;
    }

    public void Clear() => Remove(new SignalSet(ulong.MaxValue));

    private void Refund(in Entry entry)
    {
        if (entry.Payer is { } payer)
            quota.Release(payer);
    }

    private int Find(int signal)
    {
        for (int i = 0; i < _queue.Count; i++)
        {
            if (_queue[i].Info.Signal == signal)
                return i;
        }
        return -1;
    }

    private readonly record struct Entry(SignalInfo Info, uint? Payer);
}
