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

/// <summary>Is told when a source pulses. Order of calls is order of attachment.</summary>
public interface ISourceListener
{
    void OnPulse(Source source, Readiness edges);
}

/// <summary>
/// Where "something happened now" is said (design decision 7). Every kernel object that can be waited for owns one, and
/// pulses it after each change that may let a waiter proceed, even when the level did not change. Single-threaded: only the
/// worker that runs the world calls it.
/// </summary>
public sealed class Source
{
    private List<ISourceListener>? _listeners;

    public bool HasListeners => _listeners is { Count: > 0 };

    public void Attach(ISourceListener listener) => (_listeners ??= []).Add(listener);

    public void Detach(ISourceListener listener) => _listeners?.Remove(listener);

    public void Pulse(Readiness edges = Readiness.Any)
    {
        if (_listeners is not { Count: > 0 } listeners)
            return;
        // A listener may detach itself or others while it is told.
        foreach (ISourceListener listener in listeners.ToArray())
            listener.OnPulse(this, edges);
    }
}
