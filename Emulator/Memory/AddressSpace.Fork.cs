using Microsoft.Win32.SafeHandles;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// The content of a private anonymous area when it was frozen: a memory file that parent and children map copy-on-write.
/// </summary>
internal sealed class FrozenPages(SafeFileHandle handle, ulong pages)
{
    public int File => (int)handle.DangerousGetHandle();

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

    /// <summary>A process that forks again will fork more often: then few pages are worth freezing.</summary>
    private const ulong AgainThreshold = 1;

    private int _forks;

    /// <summary>A copy for fork(2): shared areas shared, private ones copy-on-write. Null when the commit limit forbids it.</summary>
    public AddressSpace? Fork()
    {
        _forks++;
        var child = new AddressSpace(_accountant, _limit) { _breakStart = _breakStart, _break = _break, Limits = Limits, _hasSeals = _hasSeals };
        for (int i = 0; i < _areas.Count; i++)
        {
            if (!_areas[i].DontFork && !ForkArea(_areas[i], child))
            {
                child.Dispose();
                return null;
            }
        }
        return child;
    }

    private bool ForkArea(Area area, AddressSpace child)
    {
        PageRuns changed = area.Shared || !area.WasWritable || area.WipeOnFork ? default : PageMap.ChangedRuns(_base + area.Start, area.Length);
        if (changed.Pages > 0 && ShouldFreeze(area, changed.Pages) && Freeze(area, changed))
            changed = default;
        Area copy = area.Slice(area.Start, area.End);
        copy.Charged = false;
        copy.Locked = false;
        if (area.WipeOnFork)
            copy.Frozen = null;
        if (!child.TryCharge(copy))
            return false;
        if (!child.MapOnHost(copy))
        {
            child.Uncharge(copy);
            return false;
        }
        child._areas.Insert(copy);
        child._mapped += copy.Length;
        copy.Object?.AddMapper(child);
        if (changed.Pages > 0)
            CopyRuns(area, changed, child);
        return true;
    }

    private bool ShouldFreeze(Area area, ulong changed)
    {
        if ((area.Protection & (Protection.Read | Protection.Write)) == 0)
            return false;
        if (area.Frozen is { } frozen)
            return changed > Math.Max(FreezeThreshold, frozen.Pages / 4);
        // All of a file's area is written, also what was not changed: a program's data is small. Not so where other guests may write to the
        // file, for pages that were not changed must show that.
        if (area.Object is { } content && (content is not HostFileObject || area.Length > FreezeThreshold * GuestAddress.PageSize || EndOfContent(area, content) < area.End))
            return false;
        return changed > (_forks > 1 ? AgainThreshold : FreezeThreshold);
    }

    private bool Freeze(Area area, in PageRuns changed)
    {
        var handle = new SafeFileHandle(HostMemory.NewFile("frozen"), ownsHandle: true);
        int file = (int)handle.DangerousGetHandle();
        if (file < 0 || LibC.Truncate(file, (long)area.Length) != 0)
            return false;
        bool whole = area.Frozen is not null || area.Object is not null;
        PageRuns runs = whole ? PageRuns.Whole(area.Length) : changed;
        foreach ((ulong offset, ulong length) in runs)
        {
            if (!WriteSparse(file, area.Start + offset, offset, length, whole))
                return false;
        }
        InvalidateCode(area.Start, area.End);
        (FrozenPages? frozen, ulong frozenOffset) = (area.Frozen, area.FrozenOffset);
        (area.Frozen, area.FrozenOffset) = (new FrozenPages(handle, changed.Pages + (frozen?.Pages ?? 0)), 0);
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

    private void CopyRuns(Area area, in PageRuns runs, AddressSpace child)
    {
        nint source = (nint)(_base + area.Start), target = (nint)(child._base + area.Start);
        bool readable = (area.Protection & (Protection.Read | Protection.Write | Protection.Execute)) != 0;
        if (!readable)
            HostMemory.Protect(source, area.Length, Protection.Read);
        if ((area.Protection & Protection.Write) == 0)
            HostMemory.Protect(target, area.Length, Protection.ReadWrite);
        foreach ((ulong offset, ulong length) in runs)
        {
            // One call instead of a fault a page; kernels before 5.14 do without.
            if (length > GuestAddress.PageSize)
                _ = LibC.Advise(target + (nint)offset, (nuint)length, LibC.AdvisePopulateWrite);
            Buffer.MemoryCopy((byte*)source + offset, (byte*)target + offset, length, length);
        }
        if ((area.Protection & Protection.Write) == 0)
            HostMemory.Protect(target, area.Length, area.Protection);
        if (!readable)
            HostMemory.Protect(source, area.Length, Protection.None);
    }
}
