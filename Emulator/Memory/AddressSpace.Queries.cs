using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What is mapped, for the kernel's look-ups and reports.</summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>True when every page of the range is mapped.</summary>
    public bool IsMapped(GuestAddress address, ulong length)
    {
        ulong at = address.Value, end = at + length;
        if (end < at)
            return false;
        while (at < end)
        {
            if (_areas.Find(at) is not { } area)
                return false;
            at = area.End;
        }
        return true;
    }

    /// <summary>True when a page of the range is mapped.</summary>
    public bool HasArea(ulong start, ulong end) => !_areas.IsFree(start, end);

    internal bool MapsForWriting(MemoryObject content)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (_areas[i].Object == content && _areas[i].Shared && (_areas[i].MaxProtection & Protection.Write) != 0)
                return true;
        }
        return false;
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
        area.Name == next.Name && area.IsLeftOut == next.IsLeftOut && (area.Object is null || area.Offset + (area.End - area.Start) == next.Offset);

    /// <summary>Identity of the memory word behind an address, for futexes: (object, offset) for shared memory, (space, address) for private.</summary>
    public (object Key, ulong Offset)? FutexKey(GuestAddress address, bool isPrivate)
    {
        if (_areas.Find(address.Value) is not { } area)
            return null;
        if (isPrivate || area is not { Shared: true, Object: { } content })
            return (this, address.Value);
        return (content, area.Offset + (address.Value - area.Start));
    }

    /// <summary>msync(2): host mappings of a file are the file's own pages, so there is nothing to write back; reports holes, and locked pages that cannot be dropped.</summary>
    public MapStatus Sync(GuestAddress address, ulong length, bool invalidates)
    {
        ulong at = address.Value, end = at + PageUp(length);
        if (end < at)
            return MapStatus.NoMemory;
        bool hole = false;
        for (int index = _areas.IndexAtOrAfter(at); at < end && index < _areas.Count && _areas[index].Start < end; index++)
        {
            hole |= _areas[index].Start > at;
            if (invalidates && _areas[index].Locked)
                return MapStatus.Busy;
            at = _areas[index].End;
        }
        return hole || at < end ? MapStatus.NoMemory : MapStatus.Ok;
    }

    /// <summary>Whether each page is in memory (mincore(2)): 1 or 0 a page, as the host has it. All are where runs are to be repeatable.</summary>
    public bool TryTellResident(GuestAddress address, Span<byte> pages)
    {
        if (!IsMapped(address, (ulong)pages.Length * GuestAddress.PageSize))
            return false;
        if (_accountant.IsRepeatable)
        {
            pages.Fill(1);
            return true;
        }
        fixed (byte* vector = pages)
            return LibC.InCore((nint)(_base + address.Value), (nuint)pages.Length * (nuint)GuestAddress.PageSize, vector) == 0;
    }

    internal int CountMappings(MemoryObject content) => _areas.CountUsers(content);

    /// <summary>Resident bytes, from the host's page tables; slow, for reports. What could be resident where runs are to be repeatable.</summary>
    public ulong ResidentBytes()
    {
        if (_accountant.IsRepeatable)
            return AccessibleBytes();
        ulong pages = 0;
        for (int i = 0; i < _areas.Count; i++)
            pages += PageMap.CountPresent(_base + _areas[i].Start, _areas[i].Length);
        return pages * GuestAddress.PageSize;
    }

    /// <summary>The same of a range.</summary>
    public ulong ResidentBytes(GuestAddress address, ulong length) =>
        _accountant.IsRepeatable ? length : PageMap.CountPresent(_base + address.Value, length) * GuestAddress.PageSize;

    /// <summary>Areas there are (/proc/sys/vm/max_map_count).</summary>
    public int AreaCount => _areas.Count;

    /// <summary>Bytes that could be resident.</summary>
    public ulong AccessibleBytes()
    {
        ulong bytes = 0;
        for (int i = 0; i < _areas.Count; i++)
            bytes += _areas[i].HostProtection == Protection.None ? 0 : _areas[i].Length;
        return bytes;
    }
}
