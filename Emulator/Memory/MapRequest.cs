namespace Vivarium.Emulator.Memory;

/// <summary>How a mapping wants its place.</summary>
public enum Placement : byte
{
    /// <summary>Anywhere; the address is a hint.</summary>
    Anywhere,

    /// <summary>Exactly here, replacing what is there (MAP_FIXED).</summary>
    Fixed,

    /// <summary>Exactly here, failing when something is there (MAP_FIXED_NOREPLACE).</summary>
    FixedNoReplace,

    /// <summary>Anywhere below 2 GB (MAP_32BIT).</summary>
    Low,

    /// <summary>Anywhere, but best below the program: an image, as libraries are.</summary>
    Image,
}

/// <summary>
/// What a new area is. With <paramref name="ChargedWhenTouched"/>, private anonymous memory counts against the world's limit as it is
/// used, not as it is mapped: for reservations and for stacks, of which programs ask for much and use little.
/// </summary>
public readonly record struct MapRequest(
    GuestAddress Address,
    ulong Length,
    Protection Protection,
    Placement Placement = Placement.Anywhere,
    bool Shared = false,
    MemoryObject? Object = null,
    ulong Offset = 0,
    string? Name = null,
    bool GrowsDown = false,
    bool NoReserve = false,
    bool Locked = false,
    Protection MaxProtection = Protection.Read | Protection.Write | Protection.Execute,
    bool ChargedWhenTouched = false,
    IMappingHolder? Holder = null);

/// <summary>Which pages may be discarded.</summary>
public enum Discarding : byte
{
    Any,
    Unlocked,

    /// <summary>Unlocked private anonymous ones.</summary>
    Anonymous,
}

/// <summary>What became of a change of mappings.</summary>
public enum MapStatus : byte
{
    Ok,

    /// <summary>ENOMEM: no room, past the commit limit, or a hole where pages were expected.</summary>
    NoMemory,

    /// <summary>EINVAL.</summary>
    Invalid,

    /// <summary>EEXIST.</summary>
    Exists,

    /// <summary>EACCES.</summary>
    AccessDenied,

    /// <summary>EAGAIN: locked memory past its limit.</summary>
    LockLimit,

    /// <summary>EBUSY.</summary>
    Busy,

    /// <summary>EFAULT: mremap of a range that is not one mapping.</summary>
    NotMapped,
}

/// <summary>One area as seen from outside (/proc/self/maps).</summary>
public readonly record struct AreaInfo(
    GuestAddress Start, GuestAddress End, Protection Protection, bool Shared, MemoryObject? Object, ulong Offset, string? Name)
{
    /// <summary>Core dumps leave it out (MADV_DONTDUMP).</summary>
    public bool IsLeftOut { get; init; }
}
