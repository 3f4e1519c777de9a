using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Host code by guest address, for jumps through registers; read by translated code. It begins small, as most processes are,
/// and grows when it is asked to remember more than it holds.
/// </summary>
internal sealed unsafe class JumpTable(nint emptyEntry) : IDisposable
{
    private const int FirstSize = 256;
    private const int LargestSize = 1 << 15;

    /// <summary>Addresses differ least in their lowest bit: functions and return addresses are aligned or scattered.</summary>
    private const int LowBit = 1;

    private Entry* _entries;
    private int _size;
    private int _remembered;

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

    public void Remember(ulong pc, nint code)
    {
        if (++_remembered > _size && _size < LargestSize)
            Resize(4 * _size);
        _entries[(pc >> LowBit) & (ulong)(_size - 1)] = new Entry { NegatedPc = 0 - pc, Code = code };
    }

    public void Clear()
    {
        for (int i = 0; i < _size; i++)
            _entries[i] = new Entry { NegatedPc = 1, Code = emptyEntry };
        _remembered = 0;
    }

    /// <summary>Forgets host code in a range of addresses.</summary>
    public void RemoveBetween(nint start, nint end)
    {
        for (int i = 0; i < _size; i++)
        {
            if (_entries[i].Code >= start && _entries[i].Code < end)
                _entries[i] = new Entry { NegatedPc = 1, Code = emptyEntry };
        }
    }

    private void Resize(int size)
    {
        NativeMemory.Free(_entries);
        _entries = (Entry*)NativeMemory.Alloc((nuint)size, (nuint)sizeof(Entry));
        _size = size;
        Clear();
    }

    public void Dispose()
    {
        NativeMemory.Free(_entries);
        _entries = null;
        _size = 0;
    }
}
