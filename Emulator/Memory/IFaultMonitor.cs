namespace Vivarium.Emulator.Memory;

/// <summary>Which faults of a range are its monitor's (ioctl_userfaultfd(2), UFFDIO_REGISTER_MODE_).</summary>
[Flags]
public enum Monitored : byte
{
    None = 0,
    Missing = 1,
    Guarded = 2,
    Minor = 4,

    /// <summary>Those under which pages are out of reach until they are shown.</summary>
    Hiding = Missing | Minor,
}

/// <summary>Whoever is told of the faults of ranges, and says what becomes of their pages (userfaultfd(2)).</summary>
public interface IFaultMonitor
{
    /// <summary>Pages that are moved stay its own.</summary>
    bool FollowsMoves { get; }

    /// <summary>A fork's copy has a monitor as well.</summary>
    bool FollowsForks { get; }

    bool HearsOfUnmapping { get; }

    /// <summary>Pages can be guarded that are not there yet.</summary>
    bool GuardsUnpopulated { get; }

    /// <summary>A write takes the guard away and nobody waits.</summary>
    bool ReleasesGuards { get; }
}

/// <summary>What happened to a monitored range.</summary>
public enum MonitorNoticeKind : byte
{
    Moved,
    Unmapped,
}

/// <summary>To be told to a monitor.</summary>
public readonly record struct MonitorNotice(IFaultMonitor Monitor, MonitorNoticeKind Kind, ulong From, ulong To, ulong Length);

/// <summary>What became of a page that a monitor gave.</summary>
public enum FillStatus : byte
{
    Ok,

    /// <summary>EEXIST: there is a page already.</summary>
    Exists,

    /// <summary>ENOMEM.</summary>
    NoMemory,

    /// <summary>EFAULT: beyond the end of the content, or there is no page to show.</summary>
    NoPage,
}
