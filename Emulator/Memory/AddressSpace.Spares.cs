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

    /// <summary>Leaves the window to the parent; false when it has to be freed. The areas are still there, their code is not.</summary>
    private bool TryLeaveWindow()
    {
        if (_parent is not { HasEnded: false } parent || _limit != FirstWindow || _mapped > MostSpareBytes || _areas.Count > MostSpareMappings)
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
        return SpareWindows.TryKeep(new SpareWindow(parent, _base, _limit, _record, kept, changed));
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
    /// Frees what a spare window has mapped and a fork of these areas does not want there. What is left is mapped as wanted, but for
    /// protections: one mapping for each area that has one.
    /// </summary>
    private List<KeptMapping> Narrow(SpareWindow spare)
    {
        var wanted = new List<KeptMapping>(_areas.Count);
        ReadOnlySpan<KeptMapping> parts = CollectionsMarshal.AsSpan(spare.Mappings);
        int index = 0;
        while (!parts.IsEmpty)
        {
            KeptMapping kept = KeptMapping.Join(parts, out int count);
            ulong at = kept.Start;
            for (; index < _areas.Count && _areas[index].Start < kept.End; index++)
            {
                Area area = _areas[index];
                KeptMapping here = OnHost(area);
                if (!MayStayMapped(area) || !kept.Covers(here))
                    continue;
                ReleaseIn(spare, at, area.Start);
                wanted.Add(here with { Protection = here.ProtectionIn(parts[..count]) });
                at = area.End;
            }
            ReleaseIn(spare, at, kept.End);
            parts = parts[count..];
        }
        return wanted;
    }

    /// <summary>Pages that are changed and cannot be read are rare enough to be mapped anew.</summary>
    private static bool MayStayMapped(Area area) =>
        !area.DontFork && !area.WipeOnFork && IsKept(area) && (area.Protection != Protection.None || !area.WasWritable);

    private static void ReleaseIn(SpareWindow spare, ulong start, ulong end)
    {
        if (start < end)
            HostMemory.Release((nint)(spare.Base + start), end - start);
    }

    /// <summary>Undoes in a child's window what the last child changed in an area, but for the pages that are copied anyway.</summary>
    private void Undo(Area area, List<PageRun> changed, ReadOnlySpan<PageRun> copied, AddressSpace child)
    {
        foreach (PageRun run in changed)
        {
            ulong at = Math.Max(run.Start, area.Start), end = Math.Min(run.End, area.End);
            foreach (PageRun copy in copied)
            {
                if (copy.Start >= end || at >= end)
                    break;
                if (copy.End <= at)
                    continue;
                Undo(area, at, copy.Start, child);
                at = copy.End;
            }
            Undo(area, at, end, child);
        }
    }

    /// <summary>These pages are their backing's here: so they must be in the child.</summary>
    private void Undo(Area area, ulong start, ulong end, AddressSpace child)
    {
        if (start >= end)
            return;
        bool isWritable = (area.HostProtection & Protection.Write) != 0;
        // A file may have been cut off on the host.
        if (!isWritable || (area.Frozen is null && area.Object is not null))
            _ = LibC.Advise((nint)(child._base + start), (nuint)(end - start), LibC.AdviseDontNeed);
        else if (area.Frozen is null)
            new Span<byte>(child._base + start, checked((int)(end - start))).Clear();
        else
            Buffer.MemoryCopy(_base + start, child._base + start, end - start, end - start);
    }
}
