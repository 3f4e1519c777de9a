using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>Memory that is charged when it is touched, a chunk at a time.</summary>
public sealed unsafe partial class AddressSpace
{
    private const ulong TouchedChunk = 64ul << 10;

    /// <summary>Charges the chunk around an address of an untouched area and opens it; false when the world's memory is used up.</summary>
    private bool TryTouch(Area area, ulong address)
    {
        // Without areas left for its parts, the whole is charged.
        bool isPart = HasRoomForAreas(0);
        ulong start = isPart ? Math.Max(area.Start, address & ~(TouchedChunk - 1)) : area.Start;
        ulong end = isPart ? Math.Min(area.End, (address | (TouchedChunk - 1)) + 1) : area.End;
        _areas.SplitAt(start);
        _areas.SplitAt(end);
        Area chunk = _areas.Find(address)!;
        chunk.Untouched = false;
        bool charged = TryCharge(chunk);
        if (charged)
            ProtectOnHost(chunk, start, end);
        else
            chunk.Untouched = true;
        _areas.Merge(start, end);
        return charged;
    }
}
