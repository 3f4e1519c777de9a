namespace Vivarium.Emulator.Cpu;

/// <summary>
/// The I/O ports that a program may use: by the bitmap of its task, or all of them by its I/O privilege level (SDM Vol. 1, 19.5). Behind
/// each port is nothing: it reads as all ones. A value: it changes by being replaced, so that copies of a processor may share it.
/// </summary>
public sealed class PortPermissions
{
    public const int Count = 65536;

    private readonly byte[]? _denied;

    private PortPermissions(byte[]? denied, int level) => (_denied, Level) = (denied, level);

    /// <summary>No port, at level 0.</summary>
    public static PortPermissions None { get; } = new(null, 0);

    /// <summary>The I/O privilege level, up to 3, at which all ports may be used.</summary>
    public int Level { get; }

    /// <summary>A bit is set for each port that may not be used; empty when no port was ever permitted one by one.</summary>
    public ReadOnlySpan<byte> Denied => _denied;

    public PortPermissions WithLevel(int level) => new(_denied, level);

    public PortPermissions With(int first, int count, bool isPermitted)
    {
        byte[] denied = new byte[Count / 8];
        if (_denied is null)
            Array.Fill(denied, byte.MaxValue);
        else
            _denied.CopyTo(denied, 0);
        bool permitsAny = false;
        for (int port = first; port < first + count; port++)
        {
            int bit = 1 << (port % 8);
            denied[port / 8] = (byte)(isPermitted ? denied[port / 8] & ~bit : denied[port / 8] | bit);
        }
        foreach (byte ports in denied)
            permitsAny |= ports != byte.MaxValue;
        return new PortPermissions(permitsAny ? denied : null, Level);
    }

    /// <summary>May all ports of an access be used? None is behind the last.</summary>
    public bool Permits(int port, int bytes)
    {
        if (port + bytes > Count)
            return false;
        if (Level == 3)
            return true;
        if (_denied is null)
            return false;
        for (int at = port; at < port + bytes; at++)
        {
            if ((_denied[at / 8] >> (at % 8) & 1) != 0)
                return false;
        }
        return true;
    }
}
