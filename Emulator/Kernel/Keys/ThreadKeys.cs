namespace Vivarium.Emulator.Kernel.Keys;

/// <summary>The keyrings that a thread has: its own, its process's, its session's (keyrings(7), "Anchoring keys").</summary>
public sealed class ThreadKeys
{
    private Keyring? _own;
    private Keyring? _session;

    public Keyring? Own
    {
        get => _own;
        set => Replace(ref _own, value);
    }

    public Keyring? Session
    {
        get => _session;
        set => Replace(ref _session, value);
    }

    /// <summary>Where requested keys go by default (KEYCTL_SET_REQKEY_KEYRING).</summary>
    public int Destination { get; set; }

    /// <summary>What a new thread or process has of it: the session.</summary>
    public ThreadKeys Copy() => new() { Session = _session, Destination = Destination };

    public void Leave()
    {
        Own = null;
        Session = null;
    }

    internal static void Replace(ref Keyring? place, Keyring? next)
    {
        Keyring? before = place;
        next?.Hold();
        place = next;
        before?.Release();
    }
}
