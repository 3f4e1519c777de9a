using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Host code by guest address, for jumps through registers; read by translated code. It begins small, as most processes are,
/// and grows when it is asked to remember more than it holds.
/// </summary>
internal sealed unsafe class JumpTable(nint emptyEntry) : IDisposable
{
    private const int FirstSize = 256;
    private const int LargestSize = 1 << 16;

    /// <summary>An address is at the place that its bits number, or at one of the next: so many in all.</summary>
    public const int Ways = 4;
    public const int EntrySize = 16;

    /// <summary>Addresses differ least in their lowest bit: functions and return addresses are aligned or scattered.</summary>
    private const int LowBit = 1;

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

    public nint Start
    {
        get
        {
            if (_entries is null)
                Resize(FirstSize);
            return (nint)_entries;
        }
    }

    /// <summary>The address bits that number an entry.</summary>
    public ulong Mask => (ulong)(_size - 1) << LowBit;

    /// <summary>Puts an address in its first place. What was there moves on by one, and so on, until one finds a free place, or would be too far from its first.</summary>
    public void Remember(ulong pc, nint code)
    {
        if (2 * _used > _size && _size < LargestSize)
            Resize(4 * _size);
        Put(new Entry { NegatedPc = 0 - pc, Code = code });
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

    private int PlaceOf(in Entry entry) => (int)((0 - entry.NegatedPc) >> LowBit) & (_size - 1);

    public void Clear()
    {
        for (int i = 0; i < Length; i++)
            Clear(i);
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
    }

    /// <summary>The negated address of free entries, which nothing jumps to.</summary>
    private const ulong Empty = 1;

    private void Clear(int at) => _entries[at] = new Entry { NegatedPc = Empty, Code = emptyEntry };

    /// <summary>The last addresses have places behind the others.</summary>
    private int Length => _size == 0 ? 0 : _size + Ways - 1;

    private void Resize(int size)
    {
        Entry* old = _entries;
        int length = Length;
        _size = size;
        _entries = (Entry*)NativeMemory.Alloc((nuint)Length, EntrySize);
        Clear();
        for (int i = 0; i < length; i++)
        {
            if (old[i].NegatedPc != Empty)
                Put(old[i]);
        }
        NativeMemory.Free(old);
    }

    public void Dispose()
    {
        NativeMemory.Free(_entries);
        _entries = null;
        _size = 0;
    }
}
