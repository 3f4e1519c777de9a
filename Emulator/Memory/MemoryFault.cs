namespace Vivarium.Emulator.Memory;

[Flags]
public enum Protection : byte
{
    None = 0,
    Read = 1,
    Write = 2,
    Execute = 4,
    ReadWrite = Read | Write,
}

public enum MemoryAccess : byte
{
    Read,
    Write,
    Execute,
}

/// <summary>Why an access failed: what a guest's SIGSEGV or SIGBUS is made of.</summary>
public enum FaultKind : byte
{
    /// <summary>No area at the address (SIGSEGV, SEGV_MAPERR).</summary>
    NotMapped,

    /// <summary>The area forbids the access (SIGSEGV, SEGV_ACCERR).</summary>
    Protection,

    /// <summary>A file mapping beyond the end of its file (SIGBUS, BUS_ADRERR).</summary>
    BeyondEnd,

    /// <summary>The page is promised but the world has no memory left for it: where Linux' last resort is to kill somebody.</summary>
    NoMemory,

    /// <summary>The page is its monitor's to give, to show or to open for writing (<see cref="IFaultMonitor"/>): the access waits for that.</summary>
    MissingPage,
    MinorPage,
    GuardedPage,

    /// <summary>The page's content was lost (SIGBUS, BUS_MCEERR_AR).</summary>
    Poisoned,

    /// <summary>An address that is not canonical on x86-64 (#GP or #SS); elsewhere one that is not mapped.</summary>
    NonCanonical,

    /// <summary>Not a guest-visible fault: the page was write-protected because code on it was translated; retry.</summary>
    Retry,
}

/// <summary>One faulting guest access.</summary>
public readonly record struct MemoryFault(GuestAddress Address, MemoryAccess Access, FaultKind Kind);

/// <summary>
/// Thrown by engine accesses (<see cref="AddressSpace.Load{T}"/> and its kin) that leave the window. Accesses inside the
/// window that the host refuses surface as <see cref="NullReferenceException"/>; see <see cref="AddressSpace.TakeFault"/>.
/// </summary>
public sealed class GuestFaultException(ulong address, MemoryAccess access) : Exception
{
    public ulong Address { get; } = address;

    public MemoryAccess Access { get; } = access;
}
