namespace Vivarium.Emulator.Kernel.Files;

/// <summary>Ports, and what stays between those who live under the same rules (landlock(7)).</summary>
public sealed partial class AccessDomain
{
    /// <summary>A layer speaks of such uses of ports.</summary>
    public bool HandlesPort(PortRights right) => Array.Exists(_layers, layer => (layer.HandledPorts & right) != PortRights.None);

    /// <summary>EACCES unless every layer that speaks of ports allows it.</summary>
    public Errno CheckPort(int port, PortRights wanted)
    {
        foreach (AccessRules layer in _layers)
        {
            if (!layer.Allows(port, wanted))
                return Errno.EACCES;
        }
        return Errno.None;
    }

    /// <summary>
    /// May who lives under <paramref name="from"/> reach who lives under <paramref name="to"/>? Not when a layer that keeps its own inside is not one of the
    /// other's, too (domain_is_scoped in security/landlock/task.c).
    /// </summary>
    public static bool MayReach(AccessDomain? from, AccessDomain? to, DomainScopes scope)
    {
        for (int i = 0; i < (from?._layers.Length ?? 0); i++)
        {
            bool isShared = i < (to?._layers.Length ?? 0) && ReferenceEquals(from!._layers[i], to!._layers[i]);
            if (!isShared && (from!._layers[i].Scopes & scope) != DomainScopes.None)
                return false;
        }
        return true;
    }

    /// <summary>May a thread trace, or look into, one that lives under other rules? Only one that lives under all of its own.</summary>
    public static bool MayTrace(AccessDomain? tracer, AccessDomain? tracee) =>
        tracer is null || (tracee is not null && tracer._layers.Length <= tracee._layers.Length && ReferenceEquals(tracer._layers[^1], tracee._layers[tracer._layers.Length - 1]));
}
