using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Host code by guest address, for jumps through registers; read by translated code. It begins small, as most processes are,
/// and grows when it is asked to remember more than it holds. It is two tables: the first has a place for each address, shared by others, whose
/// code looks for itself whether it is meant; it lies in the guard in front of the window, so that GS and a number reach it. What is not
/// found there is looked for in the second.
/// </summary>
/// <param name="memory">Whose code it is.</param>
/// <param name="context">What its code is entered with: is told where the tables are.</param>
/// <param name="lookUp">Where free places lead, and the first of all.</param>
/// <param name="variant">The mode's: each has a table of its own.</param>
internal sealed unsafe class JumpTable(AddressSpace memory, GateContext* context, Gate.LookUp lookUp, byte variant) : IDisposable
{
    private const int FirstSize = 256;
    private const int LargestSize = 1 << 16;

    /// <summary>Places of the first table for each of the second: when two addresses meet in one, jumps to one of them cost as much as ten others.</summary>
    private const int Spread = 8;

    /// <summary>The same in processes that jump to few places, as most do before they end: their table is a page, then four.</summary>
    private const int SmallSpread = 2;
    private const int SmallSize = 4 * FirstSize;

    private const int LargestFirst = 1 << 17;

    /// <summary>An address is at the place that its bits number, or at one of the next: so many in all.</summary>
    public const int Ways = 4;
    public const int EntrySize = 16;

    /// <summary>Addresses differ least in their lowest bit: functions and return addresses are aligned or scattered.</summary>
    private const int LowBit = 1;

    private nint* _first;
    private int _places;
    private nint _window;
    private Entry* _entries;
    private int _size;
    private int _used;

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        /// <summary>The sum with the address sought is 0 for this one.</summary>
        public ulong NegatedPc;
        public nint Code;
    }

    /// <summary>
    /// Where a variant's first table is, from the window on: at the far end of the guard in front of it, where no access gets that was checked
    /// (<see cref="BlockTranslator"/>'s reach).
    /// </summary>
    public static int FirstAt(byte variant) => int.MinValue + ((1 + variant) * LargestFirst * sizeof(long));

    /// <summary>The place of a variant's first table that the work register numbers.</summary>
    public static Operand FirstPlace(byte variant) => new(HostRegister.None, RegisterMap.Work, 3, FirstAt(variant), IsMemory: true, IsGuest: true);

    /// <summary>The first table is in front of the window: not yet at first, and no more when the window grew, which left it behind.</summary>
    private bool IsPlaced => _window != 0 && _window == memory.WindowBase;

    /// <summary>Sees to it that there is a first table; false when the host has no room for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPlace() => IsPlaced || TryPlaceAnew();

    private bool TryPlaceAnew()
    {
        int size = Math.Max(_size, FirstSize);
        if (!TryMapFirst(size))
            return false;
        if (_entries is null)
            Resize(size);
        else
            FillFirst();
        return true;
    }

    private bool TryMapFirst(int size)
    {
        nint place = memory.WindowBase + FirstAt(variant);
        size = Math.Min(size * (size <= SmallSize ? SmallSpread : Spread), LargestFirst);
        if (!memory.Tables.TryMap(memory.WindowBase, variant, FirstAt(variant), BytesOf(size)))
            return false;
        _places = size;
        _first = (nint*)place;
        context->Window = _window = memory.WindowBase;
        // The address bits that number a place.
        context->FirstMask = (ulong)(_places - 1) << LowBit;
        return true;
    }

    private static ulong BytesOf(int size) => Math.Max((ulong)size * (ulong)sizeof(nint), GuestAddress.PageSize);

    private void FillFirst()
    {
        ClearFirst();
        for (int i = 0; i < Length; i++)
        {
            if (_entries[i].NegatedPc != Empty)
                PutFirst(_entries[i]);
        }
    }

    private void ClearFirst()
    {
        new Span<nint>(_first, _places).Fill(lookUp.Miss);
        _first[0] = lookUp.Spent;
    }

    private void PutFirst(in Entry entry)
    {
        int place = FirstPlaceOf(entry.NegatedPc);
        if (place != 0)
            _first[place] = entry.Code;
    }

    /// <summary>Puts an address in its first place, with code that looks whether it is meant. What was there moves on by one, and so on, until one finds a free place, or would be too far from its first.</summary>
    public void Remember(ulong pc, nint code)
    {
        if (2 * _used > _size && _size < LargestSize && TryMapFirst(4 * _size))
            Resize(4 * _size);
        var entry = new Entry { NegatedPc = 0 - pc, Code = code };
        Put(entry);
        PutFirst(entry);
    }

    private void Put(Entry entry)
    {
        ulong added = entry.NegatedPc;
        int first = PlaceOf(entry);
        for (int at = first; at < first + Ways && at - PlaceOf(entry) < Ways; at++)
        {
            (entry, _entries[at]) = (_entries[at], entry);
            if (entry.NegatedPc == added)
                return;
            if (entry.NegatedPc == Empty)
            {
                _used++;
                return;
            }
        }
    }

    private int FirstPlaceOf(ulong negatedPc) => (int)((0 - negatedPc) >> LowBit) & (_places - 1);

    private int PlaceOf(in Entry entry) => (int)((0 - entry.NegatedPc) >> LowBit) & (_size - 1);

    public void Clear()
    {
        for (int i = 0; i < Length; i++)
            Clear(i);
        if (IsPlaced)
            ClearFirst();
        _used = 0;
    }

    /// <summary>Forgets host code in a range of addresses.</summary>
    public void RemoveBetween(nint start, nint end)
    {
        for (int i = 0; i < Length; i++)
        {
            if (_entries[i].Code < start || _entries[i].Code >= end)
                continue;
            Clear(i);
            _used--;
        }
        for (int i = 0; i < (IsPlaced ? _places : 0); i++)
        {
            if (_first[i] >= start && _first[i] < end)
                _first[i] = lookUp.Miss;
        }
    }

    /// <summary>The negated address of free entries, which nothing jumps to.</summary>
    private const ulong Empty = 1;

    private void Clear(int at) => _entries[at] = new Entry { NegatedPc = Empty, Code = lookUp.EmptyEntry };

    /// <summary>The last addresses have places behind the others.</summary>
    private int Length => _size == 0 ? 0 : _size + Ways - 1;

    private void Resize(int size)
    {
        Entry* old = _entries;
        int length = Length;
        _size = size;
        _entries = (Entry*)NativeMemory.Alloc((nuint)Length, EntrySize);
        (context->JumpTable, context->JumpMask) = ((nint)_entries, (ulong)(size - 1) << LowBit);
        Clear();
        for (int i = 0; i < length; i++)
        {
            if (old[i].NegatedPc != Empty)
                Put(old[i]);
        }
        NativeMemory.Free(old);
        FillFirst();
    }

    public void Dispose()
    {
        // The first one goes with the window.
        _window = 0;
        NativeMemory.Free(_entries);
        _entries = null;
        _size = 0;
    }
}
