using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Windows that go from child to child (docs/decisions/0001-fork-by-freezing.md): one that ends leaves its window, with what is
/// mapped there, to its parent; the next child maps only what differs, and copies over what the last one wrote.
/// </summary>
public sealed unsafe partial class AddressSpace
{
    // What a spare window may hold of the host's: pages, and tables for them.
    private const ulong MostSparePages = 256;
    private const int MostSpareMappings = 64;
    private const ulong MostSpareBytes = 1ul << 30;

    /// <summary>What children hand their windows back to; made by the first fork.</summary>
    private Lineage? _lineage;

    /// <summary>Where this child's own window goes.</summary>
    private Lineage? _parent;

    /// <summary>What the window still holds of a process before, until <see cref="Settle"/>.</summary>
    private Leftovers? _leftovers;

    /// <summary>
    /// Leaves the window to the parent; false when it has to be freed. The areas are still there, their code is not. Where monitors were, pages
    /// may be out of reach on the host, which the next process would not know.
    /// </summary>
    private bool TryLeaveWindow()
    {
        if (HasMonitors)
            return false;
        if (_parent is not { HasEnded: false } parent || _leftovers is not null || _limit != FirstWindow || _mapped > MostSpareBytes || _areas.Count > MostSpareMappings)
            return false;
        var kept = new List<KeptMapping>(_areas.Count);
        for (int i = 0; i < _areas.Count; i++)
        {
            if (IsKept(_areas[i]))
                kept.Add(OnHost(_areas[i]));
        }
        if (kept.Count == 0)
            return false;
        var changed = new List<PageRun>();
        AddChanged(changed);
        if (CountPages(CollectionsMarshal.AsSpan(changed)) > MostSparePages)
            return false;
        for (int i = 0; i < _areas.Count; i++)
        {
            if (!IsKept(_areas[i]))
                HostMemory.Release((nint)(_base + _areas[i].Start), _areas[i].Length);
        }
        Tables.ReleaseLarge((nint)_base);
        return SpareWindows.TryKeep(new SpareWindow(parent, _base, _limit, _record, Tables, new Leftovers(kept, changed)));
    }

    /// <summary>Not what others may write to or are charged for: its end must be the end of the content.</summary>
    private static bool IsKept(Area area) => !area.Shared && (area.Frozen is not null || area.Object is null || area.Object.Backing is not null);

    private static KeptMapping OnHost(Area area) => new(
        area.Start,
        area.End,
        area.Frozen ?? area.Object?.Backing,
        area.Frozen is not null ? area.FrozenOffset : area.Offset,
        HostMemory.ToHost(area.HostProtection));

    /// <summary>
    /// Gives back what the window still holds of the process before and nothing was mapped over. To be called once a forked or instantiated
    /// space has its areas, before its program runs.
    /// </summary>
    public void Settle()
    {
        if (_leftovers is not { } left)
            return;
        _leftovers = null;
        ulong start = 0, end = 0;
        foreach (KeptMapping mapping in left.Mappings)
        {
            if (mapping.Start != end && end > start)
                HostMemory.Release((nint)(_base + start), end - start);
            if (mapping.Start != end)
                start = mapping.Start;
            end = mapping.End;
        }
        if (end > start)
            HostMemory.Release((nint)(_base + start), end - start);
    }

    /// <summary>
    /// Maps an area by what the window's last process had mapped there; false when that was something else. Pages that it changed are
    /// made their backing's again, but for those that are about to be copied. <paramref name="original"/> has the same area.
    /// </summary>
    private bool TryTakeOver(Area area, ReadOnlySpan<PageRun> copied = default, AddressSpace? original = null)
    {
        if (_leftovers is not { } left || !IsKept(area) || !left.TryTake(OnHost(area), out bool isProtected))
            return false;
        if (!isProtected && !HostMemory.Protect((nint)(_base + area.Start), area.Length, area.HostProtection))
            throw new InvalidOperationException("cannot protect guest memory");
        foreach (PageRun run in left.Changed)
        {
            ulong at = Math.Max(run.Start, area.Start), end = Math.Min(run.End, area.End);
            foreach (PageRun copy in copied)
            {
                if (copy.Start >= end || at >= end)
                    break;
                if (copy.End <= at)
                    continue;
                Undo(area, at, copy.Start, original);
                at = copy.End;
            }
            Undo(area, at, end, original);
        }
        return true;
    }

    private void Undo(Area area, ulong start, ulong end, AddressSpace? original)
    {
        if (start >= end)
            return;
        bool isWritable = (area.HostProtection & Protection.Write) != 0;
        if (isWritable && area.Frozen is null && area.Object is null)
            new Span<byte>(_base + start, checked((int)(end - start))).Clear();
        else if (isWritable && area.Frozen is not null && original is not null)
            Buffer.MemoryCopy(original._base + start, _base + start, end - start, end - start);
        else
            _ = LibC.Advise((nint)(_base + start), (nuint)(end - start), LibC.AdviseDontNeed);
    }
}
