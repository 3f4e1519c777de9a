namespace Vivarium.Emulator.Memory;

/// <summary>What is said of areas without changing what is mapped: seals (mseal(2)), marks (mbind(2)).</summary>
public sealed unsafe partial class AddressSpace
{
    private bool _hasSeals;

    /// <summary>Forbids changes of a range for good. NoMemory, and nothing is done, when it has holes.</summary>
    public MapStatus Seal(GuestAddress address, ulong length)
    {
        if (!IsMapped(address, PageUp(length)))
            return MapStatus.NoMemory;
        _hasSeals = true;
        return ForEachPart(address, length, static area =>
        {
            area.Sealed = true;
            return MapStatus.Ok;
        });
    }

    /// <summary>True when a part of the range may not be changed. <paramref name="onlyReadOnly"/>: only anonymous private memory that cannot be written counts.</summary>
    public bool IsSealed(GuestAddress address, ulong length, bool onlyReadOnly = false)
    {
        if (!_hasSeals)
            return false;
        ulong end = address.Value + PageUp(length);
        for (int i = _areas.IndexAtOrAfter(address.Value); i < _areas.Count && _areas[i].Start < end; i++)
        {
            Area area = _areas[i];
            bool counts = !onlyReadOnly || (!area.Shared && area.Object is null && (area.Protection & Protection.Write) == 0);
            if (area.Sealed && counts)
                return true;
        }
        return false;
    }

    /// <summary>Marks a range; NotMapped, and nothing is done, when it has holes.</summary>
    public MapStatus Mark(GuestAddress address, ulong length, object? mark)
    {
        if (!IsMapped(address, PageUp(length)))
            return MapStatus.NotMapped;
        return ForEachPart(address, length, area =>
        {
            area.Mark = mark;
            return MapStatus.Ok;
        });
    }

    /// <summary>The mark of the area that has an address, and where that ends; false when there is none, then the end is where the next begins.</summary>
    public bool TryFindMark(GuestAddress address, out object? mark, out GuestAddress end)
    {
        int index = _areas.IndexAtOrAfter(address.Value);
        Area? area = index < _areas.Count ? _areas[index] : null;
        bool isMapped = area is not null && area.Start <= address.Value;
        mark = isMapped ? area!.Mark : null;
        end = new GuestAddress(area is null ? ulong.MaxValue : isMapped ? area.End : area.Start);
        return isMapped;
    }
}
