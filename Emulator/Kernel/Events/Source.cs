namespace Vivarium.Emulator.Kernel.Events;

/// <summary>Readiness bits, in poll(2)'s Linux values.</summary>
[Flags]
public enum Readiness : uint
{
    None = 0,
    In = 0x001,
    Priority = 0x002,
    Out = 0x004,
    Error = 0x008,
    HangUp = 0x010,
    Invalid = 0x020,
    ReadHangUp = 0x2000,
    Any = 0xFFFFFFFF,
}

/// <summary>Is told when a source pulses, in the order of the listeners.</summary>
public interface ISourceListener
{
    void OnPulse(Source source, Readiness edges);
}

/// <summary>Of several at one source, only the first that somebody waits behind is told that something arrived (EPOLLEXCLUSIVE of epoll_ctl(2)).</summary>
public interface IExclusiveListener : ISourceListener
{
    /// <summary>True when telling it wakes somebody, so that the others need not be told.</summary>
    bool Wakes(Readiness edges);
}

/// <summary>
/// Where "something happened now" is said (design decision 7). Every kernel object that can be waited for owns one, and
/// pulses it after each change that may let a waiter proceed, even when the level did not change. Single-threaded: only the
/// worker that runs the world calls it.
/// </summary>
public sealed class Source
{
    private ISourceListener[] _listeners = [];
    private int _count;

    public bool HasListeners => _count > 0;

    /// <summary>Adds a listener behind the others, or before them.</summary>
    public void Attach(ISourceListener listener, bool first = false)
    {
        if (_count == _listeners.Length)
            Array.Resize(ref _listeners, Math.Max(2, 2 * _count));
        else if (first && _isTelling)
            _listeners = (ISourceListener[])_listeners.Clone();
        int index = first ? 0 : _count;
        Array.Copy(_listeners, index, _listeners, index + 1, _count++ - index);
        _listeners[index] = listener;
    }

    public void Detach(ISourceListener listener)
    {
        int index = Array.IndexOf(_listeners, listener, 0, _count);
        if (index < 0)
            return;
        // Whoever is being told keeps the array it began with.
        ISourceListener[] rest = _isTelling ? (ISourceListener[])_listeners.Clone() : _listeners;
        Array.Copy(rest, index + 1, rest, index, --_count - index);
        rest[_count] = null!;
        _listeners = rest;
    }

    private int _exclusive;

    public void AttachExclusive(IExclusiveListener listener)
    {
        Attach(listener);
        _exclusive++;
    }

    public void DetachExclusive(IExclusiveListener listener)
    {
        Detach(listener);
        _exclusive--;
    }

    private bool _isTelling;

    public void Pulse(Readiness edges = Readiness.Any)
    {
        if (_count == 0)
            return;
        // A listener may detach itself or others while it is told; those attached meanwhile are not told.
        (ISourceListener[] listeners, int count, bool wasTelling) = (_listeners, _count, _isTelling);
        _isTelling = true;
        // An end is for all to know.
        if (_exclusive > 0 && edges != Readiness.Any && (edges & (Readiness.HangUp | Readiness.Error)) == 0)
            TellOne(listeners.AsSpan(0, count), edges);
        else
        {
            for (int i = 0; i < count; i++)
                listeners[i]?.OnPulse(this, edges);
        }
        _isTelling = wasTelling;
    }

    /// <summary>Tells all listeners, but of the exclusive ones no more when one wakes somebody (__wake_up_common in kernel/sched/wait.c).</summary>
    private void TellOne(ReadOnlySpan<ISourceListener> listeners, Readiness edges)
    {
        bool isHeard = false;
        foreach (ISourceListener? listener in listeners)
        {
            if (listener is IExclusiveListener exclusive)
            {
                if (isHeard)
                    continue;
                isHeard = exclusive.Wakes(edges);
            }
            listener?.OnPulse(this, edges);
        }
    }
}
