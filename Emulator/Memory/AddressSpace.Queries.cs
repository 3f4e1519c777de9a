using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What is mapped, for the kernel's look-ups and reports.</summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>True when every page of the range is mapped.</summary>
    public bool IsMapped(GuestAddress address, ulong length)
    {
        ulong at = address.Value, end = at + length;
        while (at < end)
        {
            if (_areas.Find(at) is not { } area)
                return false;
            at = area.End;
        }
        return true;
    }

    public bool TryFindArea(GuestAddress address, out AreaInfo area)
    {
        Area? found = _areas.Find(address.Value);
        area = found?.Describe() ?? default;
        return found is not null;
    }

    /// <summary>All areas in address order, adjacent ones of equal kind merged.</summary>
    public IReadOnlyList<AreaInfo> Areas()
    {
        var all = new List<AreaInfo>(_areas.Count);
        for (int i = 0; i < _areas.Count; i++)
        {
            AreaInfo next = _areas[i].Describe();
            if (all.Count > 0 && Continues(all[^1], next))
                all[^1] = all[^1] with { End = next.End };
            else
                all.Add(next);
        }
        return all;
    }

    private static bool Continues(AreaInfo area, AreaInfo next) =>
        area.End == next.Start && area.Protection == next.Protection && area.Shared == next.Shared && area.Object == next.Object &&
        area.Name == next.Name && (area.Object is null || area.Offset + (area.End - area.Start) == next.Offset);

    /// <summary>Identity of the memory word behind an address, for futexes: (object, offset) for shared memory, (space, address) for private.</summary>
    public (object Key, ulong Offset)? FutexKey(GuestAddress address, bool isPrivate)
    {
        if (_areas.Find(address.Value) is not { } area)
            return null;
        if (isPrivate || area is not { Shared: true, Object: { } content })
            return (this, address.Value);
        return (content, area.Offset + (address.Value - area.Start));
    }

    /// <summary>msync(2): host mappings of a file are the file's own pages, so there is nothing to write back; reports holes.</summary>
    public MapStatus Sync(GuestAddress address, ulong length) =>
        IsMapped(address, PageUp(length)) ? MapStatus.Ok : MapStatus.NoMemory;

    /// <summary>Resident bytes, from the host's page tables; slow, for reports.</summary>
    public ulong ResidentBytes()
    {
        ulong pages = 0;
        for (int i = 0; i < _areas.Count; i++)
            pages += PageMap.CountPresent(_base + _areas[i].Start, _areas[i].Length);
        return pages * GuestAddress.PageSize;
    }
}
