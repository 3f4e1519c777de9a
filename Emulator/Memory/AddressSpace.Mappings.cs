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
}

/// <summary>What a new area is.</summary>
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
    Protection MaxProtection = Protection.Read | Protection.Write | Protection.Execute);

public enum MapStatus : byte
{
    Ok,
    NoMemory,
    Invalid,
    Exists,
    AccessDenied,
}

/// <summary>One area as seen from outside (/proc/self/maps).</summary>
public readonly record struct AreaInfo(
    GuestAddress Start, GuestAddress End, Protection Protection, bool Shared, MemoryObject? Object, ulong Offset, string? Name);

public sealed partial class AddressSpace
{
    /// <summary>Maps memory (mmap(2)). Lengths are rounded up to pages. Commit is charged to the accountant for private writable and shared anonymous memory.</summary>
    public MapStatus Map(in MapRequest request, out GuestAddress address) => throw new NotImplementedException();

    public MapStatus Unmap(GuestAddress address, ulong length) => throw new NotImplementedException();

    public MapStatus Protect(GuestAddress address, ulong length, Protection protection) => throw new NotImplementedException();

    /// <summary>mremap(2); <paramref name="target"/> is set with MREMAP_FIXED.</summary>
    public MapStatus Remap(GuestAddress address, ulong oldLength, ulong newLength, bool mayMove, GuestAddress? target, bool keepOld, out GuestAddress result) => throw new NotImplementedException();

    /// <summary>madvise MADV_DONTNEED: private pages read as their backing again.</summary>
    public MapStatus Discard(GuestAddress address, ulong length) => throw new NotImplementedException();

    /// <summary>The program break: start is set once by the loader; returns the break after the call (brk(2) semantics).</summary>
    public GuestAddress Break(GuestAddress requested) => throw new NotImplementedException();

    public void SetBreakStart(GuestAddress start) => throw new NotImplementedException();

    /// <summary>True when every page of the range is mapped.</summary>
    public bool IsMapped(GuestAddress address, ulong length) => throw new NotImplementedException();

    public bool TryFindArea(GuestAddress address, out AreaInfo area) => throw new NotImplementedException();

    /// <summary>All areas in address order, adjacent ones of equal kind merged.</summary>
    public IReadOnlyList<AreaInfo> Areas() => throw new NotImplementedException();

    /// <summary>A copy for fork(2): shared areas shared, private ones copy-on-write. Null when the commit limit forbids it.</summary>
    public AddressSpace? Fork() => throw new NotImplementedException();

    /// <summary>Identity of the memory word behind an address, for futexes: (object, offset) for shared memory, (space, address) for private.</summary>
    public (object Key, ulong Offset)? FutexKey(GuestAddress address, bool isPrivate) => throw new NotImplementedException();

    /// <summary>Flushes shared file mappings (msync).</summary>
    public MapStatus Sync(GuestAddress address, ulong length) => throw new NotImplementedException();

    public ulong MappedBytes => throw new NotImplementedException();

    /// <summary>Resident bytes, from the host's page tables; slow, for reports.</summary>
    public ulong ResidentBytes() => throw new NotImplementedException();
}
