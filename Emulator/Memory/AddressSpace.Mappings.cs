using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>mmap(2) and its family on areas and host mappings.</summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>Sizes a window can have; it grows when the guest maps beyond it.</summary>
    private const ulong FirstWindow = 1ul << 32;
    private static readonly ulong[] WindowSizes = [FirstWindow, 1ul << 36, 1ul << 40];

    /// <summary>mmap_min_addr: nothing is placed below.</summary>
    private const ulong Floor = 0x10000;
    private const ulong LowCeiling = 1ul << 31;

    /// <summary>Mappings are placed below this, top down; above it lies the initial stack.</summary>
    private const ulong FirstCeiling = FirstWindow - (64ul << 20);

    private ulong _mapped;

    public ulong MappedBytes => _mapped;

    /// <summary>Maps memory (mmap(2)). Lengths are rounded up to pages. Commit is charged to the accountant for private writable memory.</summary>
    public MapStatus Map(in MapRequest request, out GuestAddress address)
    {
        address = default;
        ulong length = PageUp(request.Length);
        if (length == 0 || length < request.Length)
            return request.Length == 0 ? MapStatus.Invalid : MapStatus.NoMemory;
        MapStatus status = Place(request, length, out ulong start);
        if (status != MapStatus.Ok)
            return status;
        var area = new Area
        {
            Start = start,
            End = start + length,
            Protection = request.Protection,
            MaxProtection = request.MaxProtection,
            Shared = request.Shared,
            GrowsDown = request.GrowsDown,
            NoReserve = request.NoReserve,
            WasWritable = (request.Protection & Protection.Write) != 0,
            Object = request.Object,
            Offset = request.Offset,
            Name = request.Name,
        };
        if (!TryCharge(area))
            return MapStatus.NoMemory;
        Clear(start, start + length);
        return Establish(area, out address);
    }

    private MapStatus Establish(Area area, out GuestAddress address)
    {
        address = new GuestAddress(area.Start);
        if (!MapOnHost(area))
        {
            HostMemory.Release((nint)(_base + area.Start), area.Length);
            Uncharge(area);
            return MapStatus.NoMemory;
        }
        _areas.Insert(area);
        _mapped += area.Length;
        area.Object?.AddMapper(this);
        return MapStatus.Ok;
    }

    public MapStatus Unmap(GuestAddress address, ulong length)
    {
        length = PageUp(length);
        if (!address.IsPageAligned || length == 0 || address.Value + length < address.Value)
            return MapStatus.Invalid;
        if (address.Value < _limit)
            Clear(address.Value, Math.Min(_limit, address.Value + length));
        return MapStatus.Ok;
    }

    /// <summary>mprotect(2): the pages before a hole are changed, then NoMemory.</summary>
    public MapStatus Protect(GuestAddress address, ulong length, Protection protection)
    {
        length = PageUp(length);
        if (!address.IsPageAligned || address.Value + length < address.Value)
            return MapStatus.Invalid;
        ulong at = address.Value, end = address.Value + length;
        while (at < end)
        {
            if (_areas.Find(at) is not { } found)
                return MapStatus.NoMemory;
            if ((protection & ~found.MaxProtection) != 0)
                return MapStatus.AccessDenied;
            _areas.SplitAt(at);
            _areas.SplitAt(end);
            Area area = _areas.Find(at)!;
            MapStatus status = Change(area, protection);
            if (status != MapStatus.Ok)
                return status;
            at = area.End;
        }
        return MapStatus.Ok;
    }

    private MapStatus Change(Area area, Protection protection)
    {
        if (area.Protection == protection)
            return MapStatus.Ok;
        InvalidateCode(area.Start, area.End);
        Protection before = area.Protection;
        area.Protection = protection;
        area.WasWritable |= (protection & Protection.Write) != 0;
        if (!TryCharge(area))
        {
            area.Protection = before;
            return MapStatus.NoMemory;
        }
        if (!HostMemory.Protect((nint)(_base + area.Start), area.Length, protection))
            return MapStatus.NoMemory;
        area.Object?.AddMapper(this);
        return MapStatus.Ok;
    }

    /// <summary>mremap(2); <paramref name="target"/> is set with MREMAP_FIXED.</summary>
    public MapStatus Remap(GuestAddress address, ulong oldLength, ulong newLength, bool mayMove, GuestAddress? target, bool keepOld, out GuestAddress result)
    {
        result = address;
        oldLength = PageUp(oldLength);
        newLength = PageUp(newLength);
        if (!address.IsPageAligned || newLength == 0 || (target is { } wanted && (!wanted.IsPageAligned || !mayMove)))
            return MapStatus.Invalid;
        if (target is null && newLength <= oldLength)
            return newLength == oldLength ? (IsMapped(address, oldLength) ? MapStatus.Ok : MapStatus.NotMapped) : Unmap(address + newLength, oldLength - newLength);
        if (_areas.Find(address.Value) is not { } found || found.End - address.Value < oldLength)
            return MapStatus.NotMapped;
        // Rounded to nothing, as 0 or a length near the top is: Linux would duplicate a shared mapping, which mmap does as well.
        if (oldLength == 0)
            return MapStatus.Invalid;
        if (target is null && !keepOld && TryExtend(address.Value + oldLength, newLength - oldLength))
            return MapStatus.Ok;
        return mayMove ? Move(address.Value, oldLength, newLength, target?.Value, keepOld, out result) : MapStatus.NoMemory;
    }

    /// <summary>Grows the area that ends at a place, when what lies behind it is free.</summary>
    private bool TryExtend(ulong end, ulong more)
    {
        if (_areas.Find(end - 1) is not { } area || area.End != end || more > _limit - end || !_areas.IsFree(end, end + more) || area.Frozen is not null)
            return false;
        Area tail = area.Slice(end, end);
        tail.End = end + more;
        tail.Offset = area.Offset + area.Length;
        tail.Charged = false;
        if (!TryCharge(tail))
            return false;
        if (!MapOnHost(tail))
        {
            Uncharge(tail);
            return false;
        }
        _mapped += more;
        area.End = tail.End;
        area.Charged |= tail.Charged;
        return true;
    }

    private MapStatus Move(ulong from, ulong oldLength, ulong newLength, ulong? target, bool keepOld, out GuestAddress result)
    {
        result = default;
        var request = new MapRequest(new GuestAddress(target ?? 0), newLength, Protection.None, target is null ? Placement.Anywhere : Placement.Fixed);
        MapStatus status = Place(request, newLength, out ulong to);
        if (status != MapStatus.Ok)
            return status;
        if (to < from + oldLength && from < to + newLength)
            return MapStatus.Invalid;
        ulong kept = Math.Min(oldLength, newLength);
        if (kept < oldLength)
            Clear(from + kept, from + oldLength);
        InvalidateCode(from, from + kept);
        Clear(to, to + newLength);
        _areas.SplitAt(from);
        _areas.SplitAt(from + kept);
        Area source = _areas.Find(from)!;
        Area moved = source.Slice(from, from + kept);
        moved.Start = to;
        moved.End = to + newLength;
        moved.Charged = false;
        if (!TryCharge(moved))
            return MapStatus.NoMemory;
        if (!MovePages(from, kept, to, newLength))
        {
            Uncharge(moved);
            return MapStatus.NoMemory;
        }
        if (!keepOld)
            Drop(_areas.IndexAtOrAfter(from));
        else
            MapOnHost(source);
        _areas.Insert(moved);
        _mapped += newLength;
        moved.Object?.AddMapper(this);
        result = new GuestAddress(to);
        return MapStatus.Ok;
    }

    private bool MovePages(ulong from, ulong length, ulong to, ulong newLength)
    {
        if (!HostMemory.Move((nint)(_base + from), length, (nint)(_base + to), newLength) &&
            !HostVmas.MovePieces((nint)(_base + from), length, (nint)(_base + to), newLength))
            return false;
        HostMemory.Release((nint)(_base + from), length);
        return true;
    }

    /// <summary>madvise MADV_DONTNEED: private pages read as their backing again.</summary>
    public MapStatus Discard(GuestAddress address, ulong length)
    {
        ulong end = address.Value + PageUp(length);
        if (!address.IsPageAligned || end < address.Value)
            return MapStatus.Invalid;
        ulong at = address.Value;
        bool hole = false;
        for (int index = _areas.IndexAtOrAfter(at); at < end; index++)
        {
            if (index == _areas.Count || _areas[index].Start >= end)
                return MapStatus.NoMemory;
            Area area = _areas[index];
            hole |= area.Start > at;
            DiscardPart(area, Math.Max(at, area.Start), Math.Min(end, area.End));
            at = Math.Min(end, area.End);
        }
        return hole ? MapStatus.NoMemory : MapStatus.Ok;
    }

    private void DiscardPart(Area area, ulong start, ulong end)
    {
        InvalidateCode(start, end);
        if (area.Frozen is null)
        {
            _ = LibC.Advise((nint)(_base + start), (nuint)(end - start), LibC.AdviseDontNeed);
            return;
        }
        // The frozen content must not come back: the pages are anonymous again.
        _areas.SplitAt(start);
        _areas.SplitAt(end);
        Area part = _areas.Find(start)!;
        part.Frozen = null;
        MapOnHost(part);
    }

    private MapStatus Place(in MapRequest request, ulong length, out ulong start)
    {
        start = request.Address.Value;
        if (request.Placement is Placement.Fixed or Placement.FixedNoReplace)
        {
            if (!request.Address.IsPageAligned)
                return MapStatus.Invalid;
            if (start + length < start || !EnsureWindow(start + length))
                return MapStatus.NoMemory;
            return request.Placement == Placement.FixedNoReplace && !_areas.IsFree(start, start + length) ? MapStatus.Exists : MapStatus.Ok;
        }
        start = PageUp(start);
        if (start >= Floor && start + length > start && start + length <= _limit && request.Placement == Placement.Anywhere && _areas.IsFree(start, start + length))
            return MapStatus.Ok;
        return TryFindPlace(length, request.Placement == Placement.Low ? LowCeiling : FirstCeiling, out start) ? MapStatus.Ok : MapStatus.NoMemory;
    }

    private bool TryFindPlace(ulong length, ulong ceiling, out ulong start)
    {
        start = _areas.FindTopDown(length, Floor, ceiling) ?? 0;
        if (start != 0 || ceiling == LowCeiling)
            return start != 0;
        foreach (ulong size in WindowSizes)
        {
            if (size > FirstWindow && length < size / 2 && EnsureWindow(size))
            {
                start = _areas.FindTopDown(length, FirstWindow, _limit) ?? 0;
                if (start != 0)
                    return true;
            }
        }
        return false;
    }

    private bool MapOnHost(Area area)
    {
        nint place = (nint)(_base + area.Start);
        _wasMapped = true;
        area.WasWritable |= (area.Protection & Protection.Write) != 0;
        if (area.Frozen is { } frozen)
            return HostMemory.MapFile(place, area.Length, area.Protection, shared: false, frozen.File, area.FrozenOffset);
        if (area.Object is { } content)
            return HostMemory.MapFile(place, area.Length, area.Protection, area.Shared, content.MapHandle(), area.Offset);
        return HostMemory.MapAnonymous(place, area.Length, area.Protection);
    }

    /// <summary>Unmaps everything in a range.</summary>
    private void Clear(ulong start, ulong end)
    {
        if (_areas.IsFree(start, end))
            return;
        InvalidateCode(start, end);
        _areas.SplitAt(start);
        _areas.SplitAt(end);
        int index = _areas.IndexAtOrAfter(start);
        while (index < _areas.Count && _areas[index].Start < end)
            Drop(index);
        HostMemory.Release((nint)(_base + start), end - start);
    }

    private void Drop(int index)
    {
        Area area = _areas[index];
        Uncharge(area);
        _mapped -= area.Length;
        _areas.RemoveAt(index);
    }

    private bool TryCharge(Area area)
    {
        bool commits = !area.Charged && !area.NoReserve && area.IsPrivate && (area.Protection & Protection.Write) != 0;
        if (!commits)
            return true;
        if (!_accountant.TryCharge(area.Length))
            return false;
        area.Charged = true;
        return true;
    }

    private void Uncharge(Area area)
    {
        if (area.Charged)
            _accountant.Release(area.Length);
        area.Charged = false;
    }

    private static ulong PageUp(ulong length) => (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
}
