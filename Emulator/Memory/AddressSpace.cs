using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// One guest address space: a window of host memory (design decision 5), its areas, their protection and backing. This file
/// holds the engine's accesses and faults; the rest is cut by verb into the partial files beside it.
/// </summary>
public sealed unsafe partial class AddressSpace : IDisposable
{
    /// <summary>Non-canonical addresses differ in their top 17 bits (SDM Vol. 1, 3.3.7.1).</summary>
    private const int CanonicalShift = 47;

    private readonly AreaList _areas = new();
    private readonly MemoryAccountant _accountant;
    private readonly FaultRecord* _record;
    private byte* _base;
    private ulong _limit;

    /// <summary>Something was mapped into the window since it was reserved.</summary>
    private bool _wasMapped;

    /// <summary>Creates an empty space whose commit is charged to <paramref name="accountant"/>.</summary>
    public AddressSpace(MemoryAccountant accountant)
        : this(accountant, FirstWindow)
    {
    }

    private AddressSpace(MemoryAccountant accountant, ulong size)
    {
        _accountant = accountant;
        _record = (FaultRecord*)NativeMemory.AllocZeroed((nuint)sizeof(FaultRecord));
        _base = Reserve(size, _record);
        if (_base is null)
            throw new InvalidOperationException("no room for another address space");
        _limit = size;
    }

    /// <summary>Takes over a window, with what is mapped there.</summary>
    private AddressSpace(MemoryAccountant accountant, SpareWindow spare)
    {
        _accountant = accountant;
        _base = spare.Base;
        _limit = spare.Size;
        _record = spare.Record;
        *_record = default;
        _leftovers = spare.Leftovers;
        Tables = spare.Tables;
        _wasMapped = true;
    }

    /// <summary>The host address of guest address 0, and the window's size and its logarithm: what translated code needs to know.</summary>
    internal nint WindowBase => (nint)_base;

    internal ulong WindowSize => _limit;

    internal int WindowShift => System.Numerics.BitOperations.Log2(_limit);

    /// <summary>What an engine keeps with this space; disposed with it.</summary>
    internal IDisposable? EngineData { get; set; }

    /// <summary>What it has in front of the window. Another one when the window grew, which left it behind.</summary>
    internal EngineTables Tables { get; private set; } = new();

    // ---- engine accesses ----------------------------------------------------------------------------------------

    /// <summary>Reads a guest value as the CPU does (little endian, any alignment). Faults as described at <see cref="TakeFault"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Load<T>(ulong address)
        where T : unmanaged
    {
        // The guard behind the window catches what only begins inside it.
        if (address >= _limit)
            ThrowOutside(address, MemoryAccess.Read);
        return Unsafe.ReadUnaligned<T>(_base + address);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store<T>(ulong address, T value)
        where T : unmanaged
    {
        if (address >= _limit)
            ThrowOutside(address, MemoryAccess.Write);
        Unsafe.WriteUnaligned(_base + address, value);
    }

    /// <summary>Atomic compare-exchange on guest memory, for lock-prefixed operations; sizes 1, 2, 4, 8. Returns the old value.</summary>
    public T CompareExchange<T>(ulong address, T value, T comparand)
        where T : unmanaged
    {
        if (address >= _limit)
            ThrowOutside(address, MemoryAccess.Write);
        byte* place = _base + address;
        if (sizeof(T) == 1)
            return Unsafe.BitCast<byte, T>(Interlocked.CompareExchange(ref *place, Unsafe.BitCast<T, byte>(value), Unsafe.BitCast<T, byte>(comparand)));
        if (sizeof(T) == 2)
            return Unsafe.BitCast<ushort, T>(Interlocked.CompareExchange(ref *(ushort*)place, Unsafe.BitCast<T, ushort>(value), Unsafe.BitCast<T, ushort>(comparand)));
        if (sizeof(T) == 4)
            return Unsafe.BitCast<uint, T>(Interlocked.CompareExchange(ref *(uint*)place, Unsafe.BitCast<T, uint>(value), Unsafe.BitCast<T, uint>(comparand)));
        return Unsafe.BitCast<ulong, T>(Interlocked.CompareExchange(ref *(ulong*)place, Unsafe.BitCast<T, ulong>(value), Unsafe.BitCast<T, ulong>(comparand)));
    }

    /// <summary>
    /// After a <see cref="NullReferenceException"/> or <see cref="GuestFaultException"/> in an engine: the guest fault that
    /// caused it, classified against the areas. False when no guest access faulted, so the exception is a bug of ours.
    /// A fault of kind <see cref="FaultKind.Retry"/> has been resolved; the instruction is simply run again.
    /// </summary>
    public bool TakeFault(Exception exception, out MemoryFault fault)
    {
        if (exception is GuestFaultException outside)
        {
            bool canonical = (long)outside.Address << (63 - CanonicalShift) >> (63 - CanonicalShift) == (long)outside.Address;
            fault = new MemoryFault(new GuestAddress(outside.Address), outside.Access, canonical ? FaultKind.NotMapped : FaultKind.NonCanonical);
            return true;
        }
        fault = default;
        if (exception is not NullReferenceException || _record->Pending == 0)
            return false;
        _record->Pending = 0;
        ulong address = _record->HostAddress - (ulong)_base;
        MemoryAccess access = (_record->ErrorCode & 2) != 0 ? MemoryAccess.Write : MemoryAccess.Read;
        fault = new MemoryFault(new GuestAddress(address), access, Classify(address, access));
        return true;
    }

    private FaultKind Classify(ulong address, MemoryAccess access)
    {
        Area? area = _areas.Find(address);
        if (area is null)
            return TryGrowStack(address) ? FaultKind.Retry : FaultKind.NotMapped;
        Protection needed = access == MemoryAccess.Write ? Protection.Write : Protection.Read | Protection.Write | Protection.Execute;
        if ((area.Protection & needed) == 0)
            return FaultKind.Protection;
        if (IsWatched(area) && ClassifyMonitored(area, address, access) is var kind and not FaultKind.Retry)
            return kind;
        if (area.Untouched)
            return TryTouch(area, address) ? FaultKind.Retry : FaultKind.NoMemory;
        if (access == MemoryAccess.Write && ReleaseWatch(address, 1))
            return FaultKind.Retry;
        // A page of a monitor's that was out of reach and is not now.
        bool isShown = area.Monitor is not null && (area.Object is not { } content || address < EndOfContent(area, content));
        return isShown ? FaultKind.Retry : FaultKind.BeyondEnd;
    }

    [DoesNotReturn]
    private static void ThrowOutside(ulong address, MemoryAccess access) => throw new GuestFaultException(address, access);

    public void Dispose()
    {
        if (_base is null)
            return;
        ForgetWatches();
        EngineData?.Dispose();
        if (_lineage is { } lineage)
            SpareWindows.End(lineage);
        bool isLeft = TryLeaveWindow();
        while (_areas.Count > 0)
            Drop(_areas.Count - 1);
        _areas.Settle();
        if (!isLeft)
        {
            Arena.Free((nint)_base, _limit, _wasMapped);
            NativeMemory.Free(_record);
        }
        CountAreas(0);
        _base = null;
        _limit = 0;
    }
}
