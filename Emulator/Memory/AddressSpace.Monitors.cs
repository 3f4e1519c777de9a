using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Ranges whose faults somebody else resolves (userfaultfd(2)). Pages that a monitor has not given yet are inaccessible on the host, those
/// it guards cannot be written; so whatever touches them faults, and the fault is told to it.
/// </summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>Of areas with hidden pages: those that can be accessed.</summary>
    private PageRuns _shown = new();

    /// <summary>Pages of monitored areas that must not be written.</summary>
    private PageRuns _guarded = new();

    /// <summary>Pages whose content is lost (UFFDIO_POISON).</summary>
    private PageRuns _poisoned = new();

    private readonly List<MonitorNotice> _notices = [];
    private MemoryFault? _heldUp;

    /// <summary>Some area has, or had, a monitor.</summary>
    public bool HasMonitors { get; private set; }

    /// <summary>What monitors have to be told of the last change; empties the list.</summary>
    public MonitorNotice[] TakeNotices()
    {
        MonitorNotice[] notices = [.. _notices];
        _notices.Clear();
        return notices;
    }

    public bool HasNotices => _notices.Count > 0;

    /// <summary>The access of the kernel's that a monitor held up since this was last asked.</summary>
    public MemoryFault? TakeHeldUp()
    {
        MemoryFault? fault = _heldUp;
        _heldUp = null;
        return fault;
    }

    public bool IsHeldUp => _heldUp is not null;

    /// <summary>Nobody uses it any more.</summary>
    public bool IsGone => _base is null;

    /// <summary>The monitor of an address.</summary>
    public IFaultMonitor? MonitorOf(GuestAddress address) => _areas.Find(address.Value)?.Monitor;

    /// <summary>The kind of its area as monitors see it, where the area ends, and how it is monitored; false when nothing is mapped there: then the end is where the next begins.</summary>
    public bool TryFindMonitored(GuestAddress address, out MonitoredArea area)
    {
        int index = _areas.IndexAtOrAfter(address.Value);
        Area? found = index < _areas.Count ? _areas[index] : null;
        bool isMapped = found is not null && found.Start <= address.Value;
        area = isMapped
            ? new MonitoredArea(new(found!.End), found.Monitor, found.Modes, found.Object is null, found.Object is AnonymousObject, found.Shared, (found.MaxProtection & Protection.Write) != 0, found.Protection, found.Locked)
            : new MonitoredArea(new(found?.Start ?? ulong.MaxValue), null, Monitored.None, false, false, false, false, Protection.None, false);
        return isMapped;
    }

    /// <summary>Makes the mapped parts of a range a monitor's. NoMemory when there are too many areas.</summary>
    public MapStatus Watch(GuestAddress start, ulong length, IFaultMonitor monitor, Monitored modes)
    {
        if (!HasRoomForAreas(Cuts))
            return MapStatus.NoMemory;
        HasMonitors = true;
        _ = ForEachPart(start, length, area =>
        {
            Protection before = area.HostProtection;
            bool wasHidden = (area.Modes & Monitored.Hiding) != 0;
            InvalidateCode(area.Start, area.End);
            if (!wasHidden && (modes & Monitored.Hiding) != 0)
                ShowPopulated(area);
            (area.Monitor, area.Modes) = (monitor, modes);
            ProtectOnHost(area, area.Start, area.End, before);
            return MapStatus.Ok;
        });
        return MapStatus.Ok;
    }

    /// <summary>The mapped parts of a range are nobody's any more.</summary>
    public void Unwatch(GuestAddress start, ulong length) => _ = ForEachPart(start, length, area =>
    {
        Release(area);
        return MapStatus.Ok;
    });

    /// <summary>Nothing is a monitor's any more.</summary>
    public void Unwatch(IFaultMonitor monitor)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (_areas[i].Monitor == monitor)
                Release(_areas[i]);
        }
        _areas.Merge(0, _limit);
    }

    /// <summary>In a fork's copy: what was one monitor's is another's, which is made when it is needed.</summary>
    public void ReplaceMonitors(Func<IFaultMonitor, IFaultMonitor> replacement)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (_areas[i].Monitor is { } monitor)
                _areas[i].Monitor = replacement(monitor);
        }
    }

    private void Release(Area area)
    {
        if (area.Monitor is null)
            return;
        InvalidateCode(area.Start, area.End);
        (area.Monitor, area.Modes) = (null, Monitored.None);
        ForgetMonitor(area);
        ProtectOnHost(area, area.Start, area.End);
    }

    /// <summary>Something may keep pages of an area out of reach.</summary>
    private bool IsWatched(Area area) => area.Monitor is not null || _poisoned.Count > 0;

    private void Forget(ulong start, ulong end)
    {
        _shown.Remove(start, end);
        _guarded.Remove(start, end);
        _poisoned.Remove(start, end);
        _placement?.Forget(start, end);
    }

    /// <summary>An area of a fork's copy that nobody watches there; what is lost stays so.</summary>
    private void ForgetMonitor(Area area)
    {
        _shown.Remove(area.Start, area.End);
        _guarded.Remove(area.Start, area.End);
    }

    /// <summary>Is a page neither hidden nor lost? <paramref name="end"/> comes closer when that changes before it.</summary>
    private bool IsReachable(Area area, ulong address, ref ulong end)
    {
        end = Math.Min(end, _poisoned.EndOf(address));
        bool isHidden = false;
        if ((area.Modes & Monitored.Hiding) != 0)
        {
            end = Math.Min(end, _shown.EndOf(address));
            isHidden = !_shown.Contains(address);
        }
        return !isHidden && !_poisoned.Contains(address);
    }

    /// <summary>Pages that were there before anybody watched stay in reach.</summary>
    private void ShowPopulated(Area area)
    {
        _shown.Remove(area.Start, area.End);
        if (area.Shared)
        {
            // What is there but was never touched here is shown when it is (a minor fault). Runs that are to be repeatable do not ask the host.
            var present = new List<PageRun>();
            if (!_accountant.IsRepeatable)
                PageMap.AddPresent(_base, area.Start, area.End, present);
            foreach (PageRun run in present)
                _shown.Add(run.Start, run.End);
            return;
        }
        foreach (PageRun run in Populated(area, area.Start, area.End))
            _shown.Add(run.Start, run.End);
    }

    /// <summary>The pages of a part of an area that are there.</summary>
    private List<PageRun> Populated(Area area, ulong start, ulong end)
    {
        var runs = new List<PageRun>();
        if (area is { Untouched: false, Shared: false, Object: null, Frozen: null })
        {
            PageMap.AddChanged(_base, start, end, runs);
            return runs;
        }
        for (ulong at = start; at < end && !area.Untouched;)
        {
            ulong next = at + GuestAddress.PageSize;
            if (IsPopulated(area, at, ref next))
                runs.Add(new PageRun(at, Math.Min(next, end)));
            at = next;
        }
        return runs;
    }

    /// <summary>Is there a page? <paramref name="end"/> becomes where that may change, at least a page on.</summary>
    private bool IsPopulated(Area area, ulong address, ref ulong end, ulong step = PopulationStep)
    {
        if (area.Untouched)
        {
            end = area.End;
            return false;
        }
        var runs = new List<PageRun>();
        ulong last = Math.Min(area.End, address + step);
        if (area.Shared)
        {
            end = last;
            return HasContent(area.Object!, area.Offset, area.Start, address, ref end);
        }
        PageMap.AddChanged(_base, address, last, runs);
        bool isChanged = runs.Count > 0 && runs[0].Start == address;
        end = isChanged ? runs[0].End : runs.Count > 0 ? runs[0].Start : last;
        if (isChanged)
            return true;
        if (area.Frozen is { } frozen)
            return frozen.HasContent(area.FrozenOffset + (address - area.Start), ref end, address);
        return area.Object is { } content && HasContent(content, area.Offset, area.Start, address, ref end);
    }

    private const ulong PopulationStep = 1ul << 30;

    private static bool HasContent(MemoryObject content, ulong offset, ulong start, ulong address, ref ulong end)
    {
        const ulong page = GuestAddress.PageSize;
        long at = (long)(offset + (address - start));
        if (at >= content.Length)
            return false;
        bool hasData = content.NextData(at) == at;
        ulong changes = ((ulong)(hasData ? content.NextHole(at) : content.NextData(at)) + page - 1) & ~(page - 1);
        end = Math.Min(end, Math.Max(address + page, address + (changes - (ulong)at)));
        return hasData;
    }

    /// <summary>The content of a range is lost (MADV_HWPOISON): who touches it gets a bus error. What a file outside has is read again.</summary>
    public MapStatus Lose(GuestAddress address, ulong length) => ForEachPart(address, length, area =>
    {
        if (area is { Shared: true, Object: AnonymousObject content })
            content.TellLost(area.Offset, area.Length);
        else if (area.Object is null)
            Lose(area.Start, area.End);
        return MapStatus.Ok;
    });

    private void Lose(ulong start, ulong end)
    {
        HasMonitors = true;
        InvalidateCode(start, end);
        _poisoned.Add(start, end);
        HostMemory.Protect((nint)(_base + start), end - start, Protection.None);
    }

    /// <summary>The same of an object's content, wherever it is mapped.</summary>
    internal void OnLost(MemoryObject content, ulong offset, ulong length)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (RangeIn(_areas[i], content, offset, length) is { } range)
                Lose(range.Start, range.End);
        }
    }

    /// <summary>Where an area shows a part of an object.</summary>
    private static (ulong Start, ulong End)? RangeIn(Area area, MemoryObject content, ulong offset, ulong length)
    {
        if (area.Object != content || offset + length <= area.Offset || offset >= area.Offset + area.Length)
            return null;
        return (area.Start + (Math.Max(offset, area.Offset) - area.Offset), area.Start + Math.Min(area.Length, offset + length - area.Offset));
    }

    /// <summary>Why a monitored page cannot be accessed; Retry when it can, or can now.</summary>
    private FaultKind ClassifyMonitored(Area area, ulong address, MemoryAccess access)
    {
        ulong page = address & ~(GuestAddress.PageSize - 1);
        if (_poisoned.Contains(page))
            return FaultKind.Poisoned;
        if ((area.Modes & Monitored.Hiding) != 0 && !_shown.Contains(page))
        {
            if (area.Object is { } content && EndOfContent(area, content) <= page)
                return FaultKind.BeyondEnd;
            bool hasContent = area.Object is { } source && source.NextData((long)(area.Offset + (page - area.Start))) == (long)(area.Offset + (page - area.Start));
            if (hasContent && (area.Modes & Monitored.Minor) != 0)
                return FaultKind.MinorPage;
            if (!hasContent && (area.Modes & Monitored.Missing) != 0)
                return FaultKind.MissingPage;
            Show(area, page);
        }
        if (access != MemoryAccess.Write || !_guarded.Contains(page))
            return FaultKind.Retry;
        if (!area.Monitor!.ReleasesGuards)
            return FaultKind.GuardedPage;
        _guarded.Remove(page, page + GuestAddress.PageSize);
        ProtectOnHost(area, page, page + GuestAddress.PageSize);
        return FaultKind.Retry;
    }

    private void Show(Area area, ulong page)
    {
        _shown.Add(page, page + GuestAddress.PageSize);
        ProtectOnHost(area, page, page + GuestAddress.PageSize);
    }

    /// <summary>Limits an access of the kernel's to what can be accessed; false when its first page cannot, which is remembered.</summary>
    private bool Limit(Area area, ulong address, MemoryAccess access, ref ulong end)
    {
        FaultKind kind = ClassifyMonitored(area, address, access);
        if (kind != FaultKind.Retry)
        {
            _heldUp ??= new MemoryFault(new GuestAddress(address), access, kind);
            return false;
        }
        if ((area.Modes & Monitored.Hiding) != 0)
            end = Math.Min(end, _shown.EndOf(address));
        if (access == MemoryAccess.Write)
            end = Math.Min(end, _guarded.EndOf(address));
        end = Math.Min(end, _poisoned.EndOf(address));
        return true;
    }

    /// <summary>Is the page that an engine fetches from out of reach?</summary>
    private FaultKind? FetchFaultOf(Area area, ulong address) =>
        IsWatched(area) && ClassifyMonitored(area, address, MemoryAccess.Execute) is var kind and not FaultKind.Retry ? kind : null;

    /// <summary>Gives the pages of a range of an area the protection they have on the host.</summary>
    private void ProtectOnHost(Area area, ulong start, ulong end, Protection? all = null)
    {
        if (!IsWatched(area))
        {
            HostMemory.Protect((nint)(_base + start), end - start, area.HostProtection);
            return;
        }
        for (ulong at = start; at < end;)
        {
            ulong next = Math.Min(end, _guarded.EndOf(at));
            Protection protection = !IsReachable(area, at, ref next) ? Protection.None
                : _guarded.Contains(at) && area.HostProtection != Protection.None ? Protection.Read : area.HostProtection;
            if (protection != all)
                HostMemory.Protect((nint)(_base + at), next - at, protection);
            at = next;
        }
    }
}

/// <summary>A mapping as monitors see it.</summary>
public readonly record struct MonitoredArea(
    GuestAddress End, IFaultMonitor? Monitor, Monitored Modes, bool IsAnonymous, bool IsMemoryFile, bool IsShared, bool MayBeWritten, Protection Protection, bool IsLocked);
