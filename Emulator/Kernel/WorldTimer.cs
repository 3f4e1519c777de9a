namespace Vivarium.Emulator.Kernel;

/// <summary>An action at a time of the world's monotonic clock.</summary>
public sealed class WorldTimer
{
    private Action? _action;

    internal WorldTimer(long deadline, Action action)
    {
        Deadline = deadline;
        _action = action;
    }

    public long Deadline { get; }

    public bool IsPending => _action is not null;

    public void Cancel() => _action = null;

    internal void Fire()
    {
        Action? action = _action;
        _action = null;
        action?.Invoke();
    }
}
