using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What the signal handler leaves for the engine: the last host fault inside a window.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FaultRecord
{
    public ulong HostAddress;

    /// <summary>The processor's page-fault error code; bit 1 is set for writes (SDM Vol. 3A, 4.7).</summary>
    public ulong ErrorCode;
    public ulong Pending;
}

/// <summary>
/// The one host range that all windows lie in, so that the signal handler tells guest faults by address alone. It is handed
/// out in units of 4 GB; a window has a guard of 2 GB before and behind it.
/// </summary>
internal static unsafe class Arena
{
    public const int UnitShift = 32;
    public const ulong Unit = 1ul << UnitShift;
    public const ulong Guard = Unit / 2;
    private const int Units = 16384;

    private static readonly Lock Gate = new();
    private static readonly bool[] Taken = new bool[Units];
    private static readonly nint* RecordOfUnit = (nint*)NativeMemory.AllocZeroed(Units, (nuint)sizeof(nint));
    private static readonly nint Base = Reserve();
    private static int _firstFree;

    /// <summary>Reserves a window of <paramref name="size"/> bytes (a multiple of the unit), all of it inaccessible; 0 when the arena is full.</summary>
    public static nint Allocate(ulong size, FaultRecord* record)
    {
        int count = UnitsOf(size);
        lock (Gate)
        {
            int first = FindFree(count);
            if (first < 0)
                return 0;
            for (int i = first; i < first + count; i++)
            {
                Taken[i] = true;
                RecordOfUnit[i] = (nint)record;
            }
            _firstFree = Math.Max(_firstFree, first);
            return (nint)((ulong)Base + ((ulong)first << UnitShift) + Guard);
        }
    }

    /// <summary>Gives a window back; its memory, and what an engine has in the guard in front of it, is released when anything was mapped there.</summary>
    public static void Free(nint window, ulong size, bool wasMapped)
    {
        nint start = (nint)((ulong)window - Guard);
        int count = UnitsOf(size);
        if (wasMapped)
            HostMemory.Release(start, Guard + size);
        lock (Gate)
        {
            int first = (int)((ulong)(start - Base) >> UnitShift);
            for (int i = first; i < first + count; i++)
            {
                Taken[i] = false;
                RecordOfUnit[i] = 0;
            }
            _firstFree = Math.Min(_firstFree, first);
        }
    }

    private static int UnitsOf(ulong size) => (int)((size + (2 * Guard)) >> UnitShift);

    private static int FindFree(int count)
    {
        int run = 0;
        for (int i = _firstFree; i < Units; i++)
        {
            run = Taken[i] ? 0 : run + 1;
            if (run == count)
                return i - count + 1;
        }
        return -1;
    }

    private static nint Reserve()
    {
        ulong size = (ulong)Units << UnitShift;
        nint start = LibC.Map(0, (nuint)size, LibC.ProtectionNone, LibC.MapPrivate | LibC.MapAnonymous | LibC.MapNoReserve, -1, 0);
        if (start == LibC.Failed)
            throw new InvalidOperationException($"cannot reserve address space for guests (mmap: error {Marshal.GetLastPInvokeError()})");
        FaultHandler.Install(start, size, RecordOfUnit);
        return start;
    }
}
