using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// The content of a private anonymous area when it was frozen: a memory file that parent and children map copy-on-write.
/// </summary>
internal sealed class FrozenPages(SafeFileHandle handle, ulong pages)
{
    public int File => (int)handle.DangerousGetHandle();

    /// <summary>Was something written at an offset? <paramref name="end"/>, an address behind <paramref name="address"/>, comes closer when that changes before it.</summary>
    public bool HasContent(ulong offset, ref ulong end, ulong address)
    {
        const int seekData = 3, seekHole = 4;
        bool hasData = LibC.Seek(File, (long)offset, seekData) == (long)offset;
        long changes = LibC.Seek(File, (long)offset, hasData ? seekHole : seekData);
        if (changes > (long)offset)
            end = Math.Min(end, address + ((ulong)changes - offset));
        return hasData;
    }

    /// <summary>Pages written when it was frozen.</summary>
    public ulong Pages { get; } = pages;
}

/// <summary>
/// fork(2). A child maps what the parent's areas are mapped from and copies the pages the parent changed since, which the
/// host's page tables tell. An area with many such pages is frozen first: written to a memory file once and mapped from it by
/// both, copy-on-write, so that the next forks copy only what changed after (docs/decisions/0001-fork-by-freezing.md).
/// </summary>
public sealed unsafe partial class AddressSpace
{
    private const ulong FreezeThreshold = 64;

    /// <summary>
    /// A process that forks again will fork more often: then few pages are worth freezing. Not so where the child takes over a window:
    /// there they are copied without a fault.
    /// </summary>
    private const ulong AgainThreshold = 1;

    /// <summary>It takes the host as long to look at so many pages as to be called once more.</summary>
    private const ulong NearPages = 32;

    private int _forks;

    /// <summary>Changed pages of a template that were not frozen.</summary>
    private List<PageRun>? _templateChanges;

    /// <summary>A copy for fork(2): shared areas shared, private ones copy-on-write. Null when the commit limit forbids it.</summary>
    public AddressSpace? Fork()
    {
        if (!HasRoomForAreas(_areas.Count))
            return null;
        _forks++;
        _lineage ??= new Lineage();
        SpareWindow? spare = TakeSpare();
        AddressSpace? child = Copy(_accountant, FreezeOrList(hasSpare: spare is not null), spare, default);
        child?.Settle();
        child?.CountAreas();
        return child;
    }

    /// <summary>Freezes what is changed and will be changed in every copy.</summary>
    internal void MakeTemplate()
    {
        _lineage = new Lineage();
        _templateChanges = [];
        _templateChanges = FreezeOrList(hasSpare: false);
    }

    /// <summary>Thread-safe: a template never changes.</summary>
    internal AddressSpace? CopyTemplate(MemoryAccountant accountant, MemoryLimits limits, ReadOnlySpan<TemplateContent> objects)
    {
        if (!MappingBudget.HasRoom(_areas.Count))
            return null;
        AddressSpace? copy = Copy(accountant, _templateChanges!, TakeSpare(), objects);
        if (copy is null)
            return null;
        copy.Limits = limits;
        copy.CountAreas();
        return copy;
    }

    private SpareWindow? TakeSpare()
    {
        SpareWindow? spare = SpareWindows.Take(_lineage!);
        if (spare is null || spare.Size == _limit)
            return spare;
        spare.Free();
        return null;
    }

    /// <summary>A space with the same areas, in a spare window if there is one; what is changed is listed. Objects may be others of the same content.</summary>
    private AddressSpace? Copy(MemoryAccountant accountant, List<PageRun> changed, SpareWindow? spare, ReadOnlySpan<TemplateContent> objects)
    {
        AddressSpace child = spare is null ? new AddressSpace(accountant, _limit) : new AddressSpace(accountant, spare);
        (child._breakStart, child._break, child.Limits, child._hasSeals) = (_breakStart, _break, Limits, _hasSeals);
        child._placement = _placement?.Copy();
        if (HasMonitors)
            (child.HasMonitors, child._shown, child._guarded, child._poisoned) = (true, _shown.Copy(), _guarded.Copy(), _poisoned.Copy());
        int next = 0;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            ReadOnlySpan<PageRun> runs = RunsOf(area, changed, ref next);
            if (!area.DontFork && !CopyArea(area, runs, child, objects))
            {
                child.Dispose();
                return null;
            }
        }
        child._parent = _lineage;
        return child;
    }

    private bool CopyArea(Area area, ReadOnlySpan<PageRun> runs, AddressSpace child, ReadOnlySpan<TemplateContent> objects)
    {
        Area copy = area.Slice(area.Start, area.End);
        copy.Charged = false;
        copy.Locked = false;
        (copy.Monitor, copy.Modes) = (null, Monitored.None);
        if (area.WipeOnFork)
            copy.Frozen = null;
        foreach (TemplateContent content in objects)
        {
            if (area.Object == content.Original)
                (copy.Object, copy.Holder) = (content.Own, content.Holder);
        }
        if (!child.TryCharge(copy))
            return false;
        bool isFollowed = area.Monitor is { FollowsForks: true };
        if (child.HasMonitors && !isFollowed)
            child.ForgetMonitor(copy);
        // Of a watched area not all runs are copied, and what a process before left there is not for this one.
        bool isThere = !IsWatched(area) && child.TryTakeOver(copy, runs, this);
        if (!isThere && !child.MapOnHost(copy))
        {
            child.Uncharge(copy);
            return false;
        }
        child._areas.Insert(copy);
        child._mapped += copy.Length;
        copy.Object?.AddMapper(child);
        if (!runs.IsEmpty && IsWatched(area))
            CopyReachable(area, runs, child);
        else if (!runs.IsEmpty)
            CopyRuns(area, runs, child, isThere);
        if (isFollowed)
            (copy.Monitor, copy.Modes) = (area.Monitor, area.Modes);
        if (child.IsWatched(copy))
            child.ProtectOnHost(copy, copy.Start, copy.End);
        return true;
    }

    /// <summary>Freezes what has many changed pages; lists those of the other areas, none across two of them.</summary>
    private List<PageRun> FreezeOrList(bool hasSpare)
    {
        List<PageRun> all = [], listed = [];
        AddChanged(all);
        int next = 0;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            int first = listed.Count;
            for (; next < all.Count && all[next].Start < area.End; next++)
            {
                PageRun run = all[next];
                if (run.End > area.Start && CanDiffer(area))
                    listed.Add(new PageRun(Math.Max(run.Start, area.Start), Math.Min(run.End, area.End)));
                // The rest of it is the next area's.
                if (run.End > area.End)
                    break;
            }
            ReadOnlySpan<PageRun> runs = CollectionsMarshal.AsSpan(listed)[first..];
            ulong pages = CountPages(runs);
            if (ShouldFreeze(area, pages, hasSpare) && Freeze(area, runs, pages))
                listed.RemoveRange(first, listed.Count - first);
        }
        return listed;
    }

    /// <summary>True when pages of a fork's copy may differ from the backing.</summary>
    private static bool CanDiffer(Area area) => !area.Shared && area.WasWritable && !area.WipeOnFork;

    /// <summary>Adds the pages of the window that are not their backing's. Areas that lie together are asked about by one call.</summary>
    private void AddChanged(List<PageRun> runs)
    {
        ulong start = 0, end = 0;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            if (area.Shared || !area.WasWritable)
                continue;
            if (end != 0 && (area.Start - end > NearPages * GuestAddress.PageSize || !PageMap.CanScan))
            {
                PageMap.AddChanged(_base, start, end, runs);
                end = 0;
            }
            if (end == 0)
                start = area.Start;
            end = area.End;
        }
        if (end != 0)
            PageMap.AddChanged(_base, start, end, runs);
    }

    private static ulong CountPages(ReadOnlySpan<PageRun> runs)
    {
        ulong pages = 0;
        foreach (PageRun run in runs)
            pages += run.Pages;
        return pages;
    }

    private static ReadOnlySpan<PageRun> RunsOf(Area area, List<PageRun> runs, ref int next)
    {
        int first = next;
        while (next < runs.Count && runs[next].Start < area.End)
            next++;
        return CollectionsMarshal.AsSpan(runs)[first..next];
    }

    private bool ShouldFreeze(Area area, ulong changed, bool hasSpare)
    {
        if ((area.Protection & (Protection.Read | Protection.Write)) == 0 || !CanDiffer(area) || IsWatched(area))
            return false;
        // Every copy of a template writes to its data.
        if (_templateChanges is not null)
            return area.Frozen is null && area.Object is { } data && IsSmallFile(area, data);
        ulong most = area.Frozen is { } frozen ? Math.Max(FreezeThreshold, frozen.Pages / 4)
            : _forks > 1 && !hasSpare ? AgainThreshold : FreezeThreshold;
        return changed > most && (area.Frozen is not null || area.Object is not { } content || IsSmallFile(area, content));
    }

    /// <summary>
    /// All of a file's area is written when it is frozen, also what was not changed: a program's data is small. Not so where other guests may
    /// write to the file, for pages that were not changed must show that.
    /// </summary>
    private bool IsSmallFile(Area area, MemoryObject content) =>
        content is HostFileObject && area.Length <= FreezeThreshold * GuestAddress.PageSize && EndOfContent(area, content) >= area.End;

    private bool Freeze(Area area, ReadOnlySpan<PageRun> changed, ulong pages)
    {
        var handle = new SafeFileHandle(HostMemory.NewFile("frozen"), ownsHandle: true);
        int file = (int)handle.DangerousGetHandle();
        if (file < 0 || LibC.Truncate(file, (long)area.Length) != 0)
            return false;
        bool whole = area.Frozen is not null || area.Object is not null;
        PageRun all = new(area.Start, area.End);
        foreach (PageRun run in whole ? new ReadOnlySpan<PageRun>(in all) : changed)
        {
            if (!WriteSparse(file, run.Start, run.Start - area.Start, run.End - run.Start, whole))
                return false;
        }
        InvalidateCode(area.Start, area.End);
        (FrozenPages? frozen, ulong frozenOffset) = (area.Frozen, area.FrozenOffset);
        (area.Frozen, area.FrozenOffset) = (new FrozenPages(handle, pages + (frozen?.Pages ?? 0)), 0);
        if (MapOnHost(area))
            return true;
        (area.Frozen, area.FrozenOffset) = (frozen, frozenOffset);
        return false;
    }

    private bool WriteSparse(int file, ulong from, ulong offset, ulong length, bool skipZeros)
    {
        if (!skipZeros)
            return PositionedIo.WriteFully(file, (long)offset, new ReadOnlySpan<byte>(_base + from, checked((int)length)));
        for (ulong page = 0; page < length; page += GuestAddress.PageSize)
        {
            var bytes = new ReadOnlySpan<byte>(_base + from + page, (int)GuestAddress.PageSize);
            if (bytes.ContainsAnyExcept((byte)0) && !PositionedIo.WriteFully(file, (long)(offset + page), bytes))
                return false;
        }
        return true;
    }

    private void CopyRuns(Area area, ReadOnlySpan<PageRun> runs, AddressSpace child, bool wasThere)
    {
        nint source = (nint)(_base + area.Start), target = (nint)(child._base + area.Start);
        bool isReadable = area.Protection != Protection.None, isWritable = (area.Protection & Protection.Write) != 0;
        // What both only read is the same as at the last fork, mostly.
        if (wasThere && isReadable && !isWritable && AreEqual(runs, child))
            return;
        if (!isReadable)
            HostMemory.Protect(source, area.Length, Protection.Read);
        if (!isWritable)
            HostMemory.Protect(target, area.Length, Protection.ReadWrite);
        foreach (PageRun run in runs)
        {
            ulong length = run.End - run.Start;
            // One call instead of a fault a page; kernels before 5.14 do without.
            if (!wasThere && length > GuestAddress.PageSize)
                _ = LibC.Advise((nint)(child._base + run.Start), (nuint)length, LibC.AdvisePopulateWrite);
            Buffer.MemoryCopy(_base + run.Start, child._base + run.Start, length, length);
        }
        if (!isWritable)
            HostMemory.Protect(target, area.Length, area.Protection);
        if (!isReadable)
            HostMemory.Protect(source, area.Length, Protection.None);
    }

    /// <summary>The same of an area of which some pages cannot be read: those that are hidden have no content, that of others is lost.</summary>
    private void CopyReachable(Area area, ReadOnlySpan<PageRun> runs, AddressSpace child)
    {
        foreach (PageRun run in runs)
        {
            for (ulong at = run.Start, end; at < run.End; at = end)
            {
                end = run.End;
                if (!IsReachable(area, at, ref end))
                    continue;
                ulong length = end - at;
                bool isReadable = area.Protection != Protection.None;
                if (!isReadable)
                    HostMemory.Protect((nint)(_base + at), length, Protection.Read);
                HostMemory.Protect((nint)(child._base + at), length, Protection.ReadWrite);
                Buffer.MemoryCopy(_base + at, child._base + at, length, length);
                HostMemory.Protect((nint)(child._base + at), length, area.HostProtection);
                if (!isReadable)
                    HostMemory.Protect((nint)(_base + at), length, Protection.None);
            }
        }
    }

    private bool AreEqual(ReadOnlySpan<PageRun> runs, AddressSpace child)
    {
        foreach (PageRun run in runs)
        {
            int length = checked((int)(run.End - run.Start));
            if (!new ReadOnlySpan<byte>(_base + run.Start, length).SequenceEqual(new ReadOnlySpan<byte>(child._base + run.Start, length)))
                return false;
        }
        return true;
    }
}
