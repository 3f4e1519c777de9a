namespace Vivarium.Emulator.Cpu.Debugging;

/// <summary>DR0 to DR3, DR6 and DR7 of a thread: four places its processor stops at (SDM Vol. 3, 18.2).</summary>
public sealed class DebugRegisters
{
    public const int Count = 4;

    /// <summary>DR6's bit for a single step.</summary>
    public const ulong Stepped = 1 << 14;

    /// <summary>DR6's bits that are always set.</summary>
    private const ulong StatusReserved = 0xFFFF0FF0;

    private const ulong UserSpaceEnd = 0x7FFF_FFFF_F000;

    private const uint Execution = 0, Writes = 1, Ports = 2;

    private readonly ulong[] _addresses = new ulong[Count];

    /// <summary>DR6: which of them the last stop was for.</summary>
    public ulong Status { get; set; } = StatusReserved;

    /// <summary>DR7: which are enabled, and their kinds and lengths.</summary>
    public ulong Control { get; private set; }

    /// <summary>One at least is enabled.</summary>
    public bool IsArmed => (Control & 0xFF) != 0;

    public ulong Address(int index) => _addresses[index];

    /// <summary>False for an address that the kernel's part of memory holds, or that an enabled register's length does not divide.</summary>
    public bool TrySetAddress(int index, ulong address)
    {
        if (address >= UserSpaceEnd || (IsEnabled(Control, index) && !IsValid(Control, index, address)))
            return false;
        _addresses[index] = address;
        return true;
    }

    /// <summary>False when an enabled register would watch ports, or its address is not aligned to its length.</summary>
    public bool TrySetControl(ulong control)
    {
        for (int i = 0; i < Count; i++)
        {
            if (IsEnabled(control, i) && !IsValid(control, i, _addresses[i]))
                return false;
        }
        Control = control;
        return true;
    }

    /// <summary>Notes why the thread stopped, in DR6's bits.</summary>
    internal void Note(ulong causes) => Status = StatusReserved | causes;

    /// <summary>DR6's bits of those that stop before the instruction at an address.</summary>
    internal ulong ExecutionAt(ulong address)
    {
        ulong hits = 0;
        for (int i = 0; i < Count; i++)
        {
            if (IsEnabled(Control, i) && KindOf(Control, i) == Execution && _addresses[i] == address)
                hits |= 1UL << i;
        }
        return hits;
    }

    /// <summary>DR6's bits of those that stop after an access.</summary>
    internal ulong Touched(ulong address, ulong length, bool isWrite)
    {
        ulong hits = 0;
        for (int i = 0; i < Count; i++)
        {
            uint kind = KindOf(Control, i);
            if (!IsEnabled(Control, i) || kind == Execution || (kind == Writes && !isWrite))
                continue;
            if (address < _addresses[i] + LengthOf(Control, i) && _addresses[i] < address + length)
                hits |= 1UL << i;
        }
        return hits;
    }

    private static bool IsEnabled(ulong control, int index) => ((control >> (2 * index)) & 3) != 0;

    private static uint KindOf(ulong control, int index) => (uint)(control >> (16 + (4 * index))) & 3;

    /// <summary>Bytes; 2 in the field means 8.</summary>
    private static ulong LengthOf(ulong control, int index) => ((control >> (18 + (4 * index))) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };

    private static bool IsValid(ulong control, int index, ulong address)
    {
        ulong length = LengthOf(control, index);
        uint kind = KindOf(control, index);
        return kind != Ports && (kind != Execution || length == 1) && (address & (length - 1)) == 0;
    }
}
