namespace Vivarium.Emulator.Memory;

/// <summary>
/// One guest address space: a window of host memory (design decision 5), its areas, their protection and backing.
/// The implementation is cut by verb into the partial files beside it.
/// </summary>
public sealed partial class AddressSpace : IDisposable
{
    // ---- engine accesses: no area look-up, precise faults ------------------------------------------------------

    /// <summary>Reads a guest value as the CPU does (little endian, any alignment). Faults as described at <see cref="TakeFault"/>.</summary>
    public T Load<T>(ulong address) where T : unmanaged => throw new NotImplementedException();

    public void Store<T>(ulong address, T value) where T : unmanaged => throw new NotImplementedException();

    /// <summary>Atomic compare-exchange on guest memory, for lock-prefixed operations; sizes 1, 2, 4, 8.</summary>
    public T CompareExchange<T>(ulong address, T value, T comparand) where T : unmanaged => throw new NotImplementedException();

    /// <summary>
    /// After a <see cref="NullReferenceException"/> or <see cref="GuestFaultException"/> in an engine: the guest fault that
    /// caused it, classified against the areas. False when no guest access faulted, so the exception is a bug of ours.
    /// A fault of kind <see cref="FaultKind.Retry"/> has been resolved; the instruction is simply run again.
    /// </summary>
    public bool TakeFault(Exception exception, out MemoryFault fault) => throw new NotImplementedException();

    // ---- kernel accesses: checked against the areas, never throw for guest addresses ---------------------------

    public bool TryRead(GuestAddress address, Span<byte> destination) => throw new NotImplementedException();

    public bool TryWrite(GuestAddress address, ReadOnlySpan<byte> source) => throw new NotImplementedException();

    public bool TryRead<T>(GuestAddress address, out T value) where T : unmanaged => throw new NotImplementedException();

    public bool TryWrite<T>(GuestAddress address, in T value) where T : unmanaged => throw new NotImplementedException();

    /// <summary>
    /// A direct view of guest memory for copying without a buffer: the longest prefix of the range that is accessible (the
    /// caller compares the length). Valid until the next change of mappings.
    /// </summary>
    public Span<byte> View(GuestAddress address, ulong length, MemoryAccess access) => throw new NotImplementedException();

    /// <summary>Bytes up to a NUL, at most <paramref name="limit"/> (ENAMETOOLONG is the caller's); null when it faults first.</summary>
    public byte[]? ReadCString(GuestAddress address, int limit, out bool tooLong) => throw new NotImplementedException();

    // ---- code ---------------------------------------------------------------------------------------------------

    /// <summary>Copies up to <paramref name="destination"/>.Length executable bytes at <paramref name="address"/>; stops at the first
    /// non-executable page. 0 means an instruction fetch fault, described by <paramref name="fault"/>.</summary>
    public int Fetch(ulong address, Span<byte> destination, out MemoryFault fault) => throw new NotImplementedException();

    /// <summary>Marks the pages of a decoded block: any later write to them, through any mapping, raises <see cref="CodeInvalidated"/> first.</summary>
    public void WatchCode(ulong address, int length) => throw new NotImplementedException();

    /// <summary>Raised with (start, length) when watched code bytes may change or are unmapped. Engines drop their blocks in it.</summary>
    public event Action<GuestAddress, ulong>? CodeInvalidated { add { } remove { } }

    /// <summary>Creates an empty space whose commit is charged to <paramref name="accountant"/>.</summary>
    public AddressSpace(MemoryAccountant accountant) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
