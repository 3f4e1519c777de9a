using System.Runtime.CompilerServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Code that engines decoded: its pages are write-protected on the host until someone writes to them, through whichever
/// mapping, which first tells the engines (design decision 4).
/// </summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>Watched pages of this space, by page number.</summary>
    private readonly HashSet<ulong> _watched = [];

    /// <summary>Raised with (start, length) when watched code bytes may change or are unmapped. Engines drop their blocks in it.</summary>
    public event Action<GuestAddress, ulong>? CodeInvalidated;

    /// <summary>Copies up to <paramref name="destination"/>.Length executable bytes at <paramref name="address"/>; stops at the first
    /// non-executable page. 0 means an instruction fetch fault, described by <paramref name="fault"/>.</summary>
    public int Fetch(ulong address, Span<byte> destination, out MemoryFault fault)
    {
        int done = 0;
        while (done < destination.Length)
        {
            int count = FetchPart(address + (ulong)done, destination[done..]);
            if (count == 0)
                break;
            done += count;
        }
        fault = done > 0 ? default : DescribeFetchFault(address);
        return done;
    }

    /// <summary>The part in one area. Where its file ends is not asked first, which is a call of the host's: pages beyond it fault.</summary>
    private int FetchPart(ulong address, Span<byte> destination)
    {
        if (_areas.Find(address) is not { } area || (area.Protection & Protection.Execute) == 0)
            return 0;
        int count = (int)Math.Min((ulong)destination.Length, area.End - address);
        if (TryCopy(_base + address, destination[..count]))
            return count;
        Span<byte> view = View(new GuestAddress(address), (ulong)count, MemoryAccess.Execute);
        return TryCopy(_base + address, destination[..view.Length]) ? view.Length : 0;
    }

    /// <summary>Copies by hand: a fault in the run-time's own copying, which may be native code, could not be caught.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryCopy(byte* source, Span<byte> destination)
    {
        try
        {
            int at = 0;
            for (; at + sizeof(ulong) <= destination.Length; at += sizeof(ulong))
                Unsafe.WriteUnaligned(ref destination[at], Unsafe.ReadUnaligned<ulong>(source + at));
            for (; at < destination.Length; at++)
                destination[at] = source[at];
            return true;
        }
        catch (NullReferenceException) when (_record->Pending != 0)
        {
            _record->Pending = 0;
            return false;
        }
    }

    /// <summary>Marks the pages of a decoded block: any later write to them, through any mapping, raises <see cref="CodeInvalidated"/> first.</summary>
    public void WatchCode(ulong address, int length)
    {
        ulong last = (address + (ulong)length - 1) / GuestAddress.PageSize;
        for (ulong page = address / GuestAddress.PageSize; page <= last; page++)
        {
            if (_watched.Add(page))
                ProtectPage(page);
        }
    }

    /// <summary>Code that never changes while it is mapped: the object's identity, the area's bounds, its offset in the object.</summary>
    internal readonly record struct FixedCode(object Identity, ulong Start, ulong End, ulong Offset);

    /// <summary>Ranges of fixed code that engines use.</summary>
    private readonly List<(ulong Start, ulong End)> _fixedRanges = [];

    /// <summary>
    /// The fixed code that an address lies in: an area that can be run, could never be written, and whose object does not change. From
    /// now on <see cref="CodeInvalidated"/> tells, with the area's bounds, when any part of it goes away or changes its kind.
    /// </summary>
    internal bool TryWatchFixedCode(ulong address, out FixedCode code)
    {
        code = default;
        if (_areas.Find(address) is not { WasWritable: false, Object.Identity: { } identity } area || (area.Protection & Protection.Execute) == 0)
            return false;
        code = new FixedCode(identity, area.Start, area.End, area.Offset);
        _fixedRanges.Add((area.Start, area.End));
        return true;
    }

    private void InvalidateFixedCode(ulong start, ulong end)
    {
        for (int i = _fixedRanges.Count - 1; i >= 0; i--)
        {
            (ulong from, ulong to) = _fixedRanges[i];
            if (from >= end || to <= start)
                continue;
            _fixedRanges.RemoveAt(i);
            CodeInvalidated?.Invoke(new GuestAddress(from), to - from);
        }
    }

    private MemoryFault DescribeFetchFault(ulong address)
    {
        bool canonical = (long)address << (63 - CanonicalShift) >> (63 - CanonicalShift) == (long)address;
        FaultKind kind = !canonical ? FaultKind.NonCanonical
            : _areas.Find(address) is not { } area ? FaultKind.NotMapped
            : (area.Protection & Protection.Execute) == 0 ? FaultKind.Protection
            : FetchFaultOf(area, address) ?? FaultKind.BeyondEnd;
        return new MemoryFault(new GuestAddress(address), MemoryAccess.Execute, kind);
    }

    private void ProtectPage(ulong page)
    {
        ulong address = page * GuestAddress.PageSize;
        if (_areas.Find(address) is not { } area)
            return;
        if (area.Object is { } content)
            content.WatchCode(PageOf(area, address));
        ProtectFromWrites(area, page);
    }

    private void ProtectFromWrites(Area area, ulong page)
    {
        bool isHidden = (area.Modes & Monitored.Hiding) != 0 && !_shown.Contains(page * GuestAddress.PageSize);
        if ((area.Protection & Protection.Write) != 0 && !isHidden)
            HostMemory.Protect((nint)(_base + (page * GuestAddress.PageSize)), GuestAddress.PageSize, Protection.Read);
    }

    /// <summary>
    /// Write-protects every shared mapping here of an object's page, because the page holds code somewhere. A write through a
    /// private one makes a copy: linkers map a file's page both as the end of its code and as the start of its data.
    /// </summary>
    internal void ProtectObjectPage(MemoryObject content, ulong objectPage)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (_areas[i].Shared && PageIn(_areas[i], content, objectPage) is { } page)
                ProtectFromWrites(_areas[i], page);
        }
    }

    /// <summary>Lifts the protection of every mapping here of an object's page and drops the code on it.</summary>
    internal void ReleaseObjectPage(MemoryObject content, ulong objectPage)
    {
        for (int i = 0; i < _areas.Count; i++)
        {
            if (PageIn(_areas[i], content, objectPage) is { } page && !ForgetPage(page))
                Unprotect(page);
        }
    }

    private static ulong? PageIn(Area area, MemoryObject content, ulong objectPage)
    {
        ulong offset = objectPage * GuestAddress.PageSize;
        bool maps = area.Object == content && offset >= area.Offset && offset - area.Offset < area.Length;
        return maps ? (area.Start + offset - area.Offset) / GuestAddress.PageSize : null;
    }

    /// <summary>Before a write to a range: tells the engines whose code it holds and lifts the protection. False when none was watched.</summary>
    private bool ReleaseWatch(ulong start, ulong length)
    {
        bool released = false;
        ulong last = (start + length - 1) / GuestAddress.PageSize;
        for (ulong page = start / GuestAddress.PageSize; page <= last; page++)
            released |= ReleasePage(page);
        return released;
    }

    private bool ReleasePage(ulong page)
    {
        ulong address = page * GuestAddress.PageSize;
        bool shared = _areas.Find(address) is { Shared: true, Object: { } content } area && content.ReleaseCode(PageOf(area, address));
        return ForgetPage(page) || shared;
    }

    private bool ForgetPage(ulong page)
    {
        if (!_watched.Remove(page))
            return false;
        Unprotect(page);
        CodeInvalidated?.Invoke(new GuestAddress(page * GuestAddress.PageSize), GuestAddress.PageSize);
        return true;
    }

    private void Unprotect(ulong page)
    {
        ulong address = page * GuestAddress.PageSize;
        if (_areas.Find(address) is { } area && (area.Protection & Protection.Write) != 0)
            ProtectOnHost(area, address, address + GuestAddress.PageSize);
    }

    /// <summary>Tells engines that a range goes away or changes its kind.</summary>
    private void InvalidateCode(ulong start, ulong end)
    {
        InvalidateFixedCode(start, end);
        if (_watched.Count == 0)
            return;
        if (end - start > (ulong)_watched.Count * GuestAddress.PageSize)
        {
            foreach (ulong page in _watched.Where(p => p * GuestAddress.PageSize >= start && p * GuestAddress.PageSize < end).Order().ToArray())
                ForgetPage(page);
            return;
        }
        for (ulong page = start / GuestAddress.PageSize; page * GuestAddress.PageSize < end; page++)
            ForgetPage(page);
    }

    private void ForgetWatches() => InvalidateCode(0, _limit);

    private static ulong PageOf(Area area, ulong address) => (area.Offset + (address - area.Start)) / GuestAddress.PageSize;
}
