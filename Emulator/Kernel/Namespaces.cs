using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Kernel;

/// <summary>Which of a world's several views a thread has (namespaces(7)).</summary>
public sealed record Namespaces(Network Network);

public sealed partial class GuestThread
{
    private Namespaces? _namespaces;

    /// <summary>Inherited by threads and processes it makes.</summary>
    public Namespaces Namespaces
    {
        get => _namespaces ??= Process.World.FirstNamespaces;
        set => _namespaces = value;
    }
}

/// <summary>What a file of /proc/PID/ns stands for.</summary>
public sealed record NamespaceHandle(string Kind, object Target);
