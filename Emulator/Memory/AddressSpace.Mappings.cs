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

    /// <summary>
    /// Position-independent programs lie from here on, as low as leaves room below for what asks for low addresses; images are placed below it. So all
    /// code is below 2 GB, where host code has addresses as displacements and constants in instructions.
    /// </summary>
    public const ulong ProgramBase = 0x5555_4000;

    /// <summary>Longer ones are data, more likely than images, and leave the low addresses to others.</summary>
    private const ulong LongestImage = 256ul << 20;

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
            Untouched = request is { ChargedWhenTouched: true, Shared: false, Object: null },
            WasWritable = (request.Protection & Protection.Write) != 0,
            Object = request.Object,
            Holder = request.Holder,
            Offset = request.Offset,
            Name = request.Name,
            Locked = request.Locked || LocksFuture,
        };
        if (!HasRoomForAreas(1) || !HasRoomFor(area, start, start + length) || !TryCharge(area))
            return MapStatus.NoMemory;
        Clear(start, start + length);
        status = Establish(area, out address);
        _areas.Merge(start, start + length);
        _areas.Settle();
        return status;
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
        if (_areas.Find(address.Value) is { } cut && cut.Start < address.Value && cut.End > address.Value + length && !HasRoomForAreas(1))
            return MapStatus.NoMemory;
        if (address.Value < _limit)
            Clear(address.Value, Math.Min(_limit, address.Value + length));
        _areas.Settle();
        return MapStatus.Ok;
    }

    /// <summary>mprotect(2): the pages before a hole are changed, then NoMemory.</summary>
    public MapStatus Protect(GuestAddress address, ulong length, Protection protection)
    {
        length = PageUp(length);
        if (!address.IsPageAligned || address.Value + length < address.Value)
            return MapStatus.Invalid;
        ulong at = address.Value, end = address.Value + length;
        if (!HasRoomForAreas(0))
            return MapStatus.NoMemory;
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
        _areas.Merge(address.Value, end);
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
        bool becomesData = !area.Shared && (protection & ~before & Protection.Write) != 0;
        if ((becomesData && !HasRoomForData(area.Length)) || !TryCharge(area))
        {
            area.Protection = before;
            return MapStatus.NoMemory;
        }
        if (!HostMemory.Protect((nint)(_base + area.Start), area.Length, area.HostProtection))
            return MapStatus.NoMemory;
        if (IsWatched(area))
            ProtectOnHost(area, area.Start, area.End, area.HostProtection);
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
        if (target is { } place && place.Value < address.Value + oldLength && address.Value < place.Value + newLength)
            return MapStatus.Invalid;
        if (_areas.Find(address.Value) is null)
            return MapStatus.NotMapped;
        if (target is null && !keepOld && newLength <= oldLength)
            return newLength == oldLength ? MapStatus.Ok : Unmap(address + newLength, oldLength - newLength);
        // Rounded to nothing, as 0 or a length near the top is: Linux would duplicate a shared mapping, which mmap does as well.
        if (oldLength == 0)
            return MapStatus.Invalid;
        if (!IsOneMapping(address.Value, oldLength))
            return MapStatus.NotMapped;
        if (target is null && !keepOld && TryExtend(address.Value + oldLength, newLength - oldLength))
            return MapStatus.Ok;
        return mayMove ? Move(address.Value, oldLength, newLength, target?.Value, keepOld, out result) : MapStatus.NoMemory;
    }

    /// <summary>True when a range is mapped by areas that are alike to the guest, however they are accounted for here.</summary>
    private bool IsOneMapping(ulong start, ulong length)
    {
        if (length == 0 || _areas.Find(start) is not { } area)
            return false;
        while (area.End - start < length)
        {
            if (_areas.Find(area.End) is not { } next || !area.LooksLike(next))
                return false;
            area = next;
        }
        return true;
    }

    /// <summary>Grows the area that ends at a place, when what lies behind it is free.</summary>
    private bool TryExtend(ulong end, ulong more)
    {
        bool extends = _areas.Find(end - 1) is { } area && area.End == end && more <= _limit - end && _areas.IsFree(end, end + more) && TryAddTail(area, end, more);
        _areas.Merge(end, end + more);
        return extends;
    }

    /// <summary>Maps at a free place what would lie behind an area; the caller merges.</summary>
    private bool TryAddTail(Area area, ulong place, ulong length)
    {
        Area tail = area.Slice(area.End, area.End);
        (tail.Start, tail.End) = (place, place + length);
        tail.Charged = false;
        tail.Frozen = null;
        if (!HasRoomFor(tail, place, place) || !TryCharge(tail))
            return false;
        return Establish(tail, out _) == MapStatus.Ok;
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
        if (!HasRoomForAreas(1))
            return MapStatus.NoMemory;
        ulong kept = Math.Min(oldLength, newLength);
        if (kept < oldLength)
            Clear(from + kept, from + oldLength);
        InvalidateCode(from, from + kept);
        Clear(to, to + newLength);
        _areas.SplitAt(from);
        _areas.SplitAt(from + kept);
        // The object stays while its only area is on the way.
        MemoryObject? content = _areas.Find(from)!.Object;
        content?.Hold();
        bool moved = (newLength == kept || TryAddTail(_areas.Find(from + kept - 1)!, to + kept, newLength - kept)) && MovePieces(from, kept, to, keepOld);
        content?.Release();
        _areas.Merge(to, to + newLength);
        _areas.Settle();
        result = new GuestAddress(to);
        return moved ? MapStatus.Ok : MapStatus.NoMemory;
    }

    private bool MovePieces(ulong from, ulong length, ulong to, bool keepOld)
    {
        for (ulong at = from; at < from + length;)
        {
            Area source = _areas.Find(at)!;
            at = source.End;
            if (!MoveArea(source, to + (source.Start - from), keepOld))
                return false;
        }
        return true;
    }

    private bool MoveArea(Area source, ulong to, bool keepOld)
    {
        Area moved = source.Slice(source.Start, source.End);
        (moved.Start, moved.End) = (to, to + source.Length);
        // What stays behind is charged anew; what moves takes its charge along.
        source.Charged = false;
        if (keepOld && !(HasRoomFor(source, to, to) && TryCharge(source)))
        {
            source.Charged = moved.Charged;
            return false;
        }
        if (!MovePages(source.Start, source.Length, to, source.Length))
            return false;
        _placement?.Move(source.Start, source.End, moved.Start);
        if (HasMonitors)
            MoveMonitored(source, moved, keepOld);
        if (keepOld)
            Leave(source);
        else
            Drop(_areas.IndexAtOrAfter(source.Start));
        _areas.Insert(moved);
        _mapped += moved.Length;
        moved.Object?.AddMapper(this);
        return true;
    }

    /// <summary>Pages that were moved leave their monitor, unless it follows them; what stays behind is still its own.</summary>
    private void MoveMonitored(Area source, Area moved, bool keepOld)
    {
        _poisoned.Move(source.Start, source.End, moved.Start);
        if (source.Monitor is { FollowsMoves: true } monitor)
        {
            _shown.Move(source.Start, source.End, moved.Start);
            _guarded.Move(source.Start, source.End, moved.Start);
            _notices.Add(new MonitorNotice(monitor, MonitorNoticeKind.Moved, source.Start, moved.Start, moved.Length));
        }
        else
        {
            (moved.Monitor, moved.Modes) = (null, Monitored.None);
            ProtectOnHost(moved, moved.Start, moved.End);
        }
        if (keepOld)
            Forget(source.Start, source.End);
        else
            ForgetMonitored(source);
    }

    /// <summary>The place that pages were moved from stays mapped, and is empty (MREMAP_DONTUNMAP).</summary>
    private void Leave(Area source)
    {
        source.Frozen = null;
        source.Locked = false;
        MapOnHost(source);
    }

    private bool MovePages(ulong from, ulong length, ulong to, ulong newLength)
    {
        if (!HostMemory.Move((nint)(_base + from), length, (nint)(_base + to), newLength) &&
            !HostVmas.MovePieces((nint)(_base + from), length, (nint)(_base + to), newLength))
            return false;
        HostMemory.Release((nint)(_base + from), length);
        return true;
    }

    /// <summary>madvise MADV_DONTNEED, MADV_FREE: private pages read as their backing again. Invalid for pages of another kind than asked for.</summary>
    public MapStatus Discard(GuestAddress address, ulong length, Discarding kind)
    {
        ulong end = address.Value + PageUp(length);
        if (!address.IsPageAligned || end < address.Value)
            return MapStatus.Invalid;
        ulong at = address.Value;
        bool hole = false;
        while (at < end)
        {
            int index = _areas.IndexAtOrAfter(at);
            if (index == _areas.Count || _areas[index].Start >= end)
                return MapStatus.NoMemory;
            Area area = _areas[index];
            hole |= area.Start > at;
            if ((kind != Discarding.Any && area.Locked) || (kind == Discarding.Anonymous && (area.Shared || area.Object is not null)))
                return MapStatus.Invalid;
            // Parts are cut off and joined again: the area is not the same afterwards.
            (ulong from, at) = (Math.Max(at, area.Start), Math.Min(end, area.End));
            DiscardPart(area, from, at);
        }
        return hole ? MapStatus.NoMemory : MapStatus.Ok;
    }

    private void DiscardPart(Area area, ulong start, ulong end)
    {
        InvalidateCode(start, end);
        if (IsWatched(area) || _placement is not null)
            Forget(start, end);
        if (area.Frozen is null)
        {
            _ = LibC.Advise((nint)(_base + start), (nuint)(end - start), LibC.AdviseDontNeed);
            if (HasMonitors)
                ProtectOnHost(area, start, end);
            return;
        }
        // The frozen content must not come back: the pages are anonymous again.
        _areas.SplitAt(start);
        _areas.SplitAt(end);
        Area part = _areas.Find(start)!;
        part.Frozen = null;
        MapOnHost(part);
        _areas.Merge(start, end);
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
        if (start >= Floor && start + length > start && start + length <= _limit && request.Placement is Placement.Anywhere or Placement.Image && _areas.IsFree(start, start + length))
            return MapStatus.Ok;
        if (request.Placement == Placement.Image && length <= LongestImage && _areas.FindTopDown(length, Floor, ProgramBase) is { } low)
        {
            start = low;
            return MapStatus.Ok;
        }
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
        bool isMapped = TryTakeOver(area) || MapAnew(area);
        if (isMapped && IsWatched(area))
            ProtectOnHost(area, area.Start, area.End, area.HostProtection);
        return isMapped;
    }

    private bool MapAnew(Area area)
    {
        _leftovers?.Cut(area.Start, area.End);
        nint place = (nint)(_base + area.Start);
        _wasMapped = true;
        area.WasWritable |= (area.Protection & Protection.Write) != 0;
        if (area.Frozen is { } frozen)
            return HostMemory.MapFile(place, area.Length, area.Protection, shared: false, frozen.File, area.FrozenOffset);
        if (area.Object is { } content)
            return HostMemory.MapFile(place, area.Length, area.Protection, area.Shared, content.MapHandle(), area.Offset);
        return HostMemory.MapAnonymous(place, area.Length, area.HostProtection);
    }

    /// <summary>Unmaps everything in a range.</summary>
    private void Clear(ulong start, ulong end)
    {
        if (_areas.IsFree(start, end))
            return;
        InvalidateCode(start, end);
        _leftovers?.Cut(start, end);
        _areas.SplitAt(start);
        _areas.SplitAt(end);
        int index = _areas.IndexAtOrAfter(start);
        while (index < _areas.Count && _areas[index].Start < end)
        {
            if (HasMonitors || _placement is not null)
                ForgetMonitored(_areas[index]);
            Drop(index);
        }
        HostMemory.Release((nint)(_base + start), end - start);
    }

    private void ForgetMonitored(Area area)
    {
        Forget(area.Start, area.End);
        if (area.Monitor is { HearsOfUnmapping: true } monitor)
            _notices.Add(new MonitorNotice(monitor, MonitorNoticeKind.Unmapped, area.Start, 0, area.Length));
    }

    private void Drop(int index)
    {
        Area area = _areas[index];
        Uncharge(area);
        _mapped -= area.Length;
        _areas.RemoveAt(index);
        if (area.Object is { } content && !_areas.Uses(content))
            content.RemoveMapper(this);
    }

    private bool TryCharge(Area area)
    {
        bool commits = !area.Charged && !area.Untouched && area.IsPrivate && (area.Protection & Protection.Write) != 0;
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
