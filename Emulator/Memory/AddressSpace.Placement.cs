using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>The node for a page of a range with a mark (mbind(2)); <paramref name="index"/> counts the pages of a range or file.</summary>
public delegate int NodeChooser(object? mark, ulong index);

/// <summary>Where a page is.</summary>
/// <param name="Kind">Whether there is one.</param>
/// <param name="Node">Its node.</param>
/// <param name="IsShared">Other address spaces map it too.</param>
public readonly record struct PagePlace(PageKind Kind, int Node, bool IsShared);

public enum PageKind : byte
{
    NotMapped,

    /// <summary>It was never touched.</summary>
    Absent,

    /// <summary>It was only read: the one page of zeros.</summary>
    Zero,
    Present,
}

/// <summary>
/// Nodes of memory (numa(7)). A page is placed by the policy that held when it was first touched: so whoever changes a policy, or asks
/// where pages are, first has all that are there placed by the one that held until now. Nothing else is done for it.
/// </summary>
public sealed unsafe partial class AddressSpace
{
    private PagePlacement? _placement;

    /// <summary>Gives a node to the pages of a range that are there and have none.</summary>
    public void PlacePages(GuestAddress start, ulong length, NodeChooser choose)
    {
        if (_accountant.Nodes == 1)
            return;
        _placement ??= new PagePlacement(_accountant.Nodes);
        ulong end = length > _limit - Math.Min(_limit, start.Value) ? _limit : start.Value + length;
        for (int i = _areas.IndexAtOrAfter(start.Value); i < _areas.Count && _areas[i].Start < end; i++)
            PlaceArea(_areas[i], Math.Max(start.Value, _areas[i].Start), Math.Min(end, _areas[i].End), choose);
    }

    private void PlaceArea(Area area, ulong start, ulong end, NodeChooser choose)
    {
        PagePlacement placement = PlacementOf(area);
        foreach (PageRun run in Populated(area, start, end))
        {
            for (ulong at = run.Start; at < run.End; at += GuestAddress.PageSize)
            {
                ulong key = KeyOf(area, at);
                if (!placement.IsPlaced(key))
                    placement.Place(key, key + GuestAddress.PageSize, choose(area.Mark, (area.Offset + (at - area.Start)) / GuestAddress.PageSize));
            }
        }
    }

    /// <summary>Where a page is, of those that were placed.</summary>
    public PagePlace PlaceOf(GuestAddress address)
    {
        ulong page = address.PageDown.Value, end = page + GuestAddress.PageSize;
        if (_areas.Find(page) is not { } area)
            return new PagePlace(PageKind.NotMapped, 0, false);
        if (!IsPopulated(area, page, ref end, GuestAddress.PageSize))
        {
            bool isZero = area is { Shared: false, Object: null } && PageMap.CountPresent(_base + page, GuestAddress.PageSize) != 0;
            return new PagePlace(isZero ? PageKind.Zero : PageKind.Absent, 0, false);
        }
        int node = _placement is null ? 0 : PlacementOf(area).NodeOf(KeyOf(area, page)) ?? 0;
        return new PagePlace(PageKind.Present, node, area is { Shared: true, Object: { } content } && content.IsMappedTwice);
    }

    /// <summary>Whether a page that is present is its file's or shared memory's: not one that a private mapping copied when it was written.</summary>
    public bool IsOfObject(GuestAddress address) =>
        _areas.Find(address.PageDown.Value) is { Object: not null } area && (area.Shared || !PageMap.IsCopied(_base + address.PageDown.Value));

    /// <summary>Moves a placed page to another node.</summary>
    public void MoveToNode(GuestAddress address, int node)
    {
        if (_areas.Find(address.Value) is not { } area || _placement is null)
            return;
        ulong key = KeyOf(area, address.PageDown.Value);
        PlacementOf(area).Place(key, key + GuestAddress.PageSize, node);
    }

    /// <summary>Calls for every page of a range that is there and was placed.</summary>
    public void ForEachPage(GuestAddress start, ulong length, Action<GuestAddress, PagePlace> visit)
    {
        ulong end = length > _limit - Math.Min(_limit, start.Value) ? _limit : start.Value + length;
        for (int i = _areas.IndexAtOrAfter(start.Value); i < _areas.Count && _areas[i].Start < end; i++)
        {
            Area area = _areas[i];
            PagePlacement placement = PlacementOf(area);
            bool isShared = area is { Shared: true, Object: { } content } && content.IsMappedTwice;
            ulong last = Math.Min(end, area.End);
            for (ulong at = Math.Max(start.Value, area.Start); at < last;)
            {
                ulong key = KeyOf(area, at);
                ulong run = Math.Min(last - at, placement.EndOf(key) - key);
                for (ulong page = at; placement.IsPlaced(key) && page < at + run; page += GuestAddress.PageSize)
                    visit(new GuestAddress(page), new PagePlace(PageKind.Present, placement.NodeOf(KeyOf(area, page))!.Value, isShared));
                at += run;
            }
        }
    }

    private PagePlacement PlacementOf(Area area) => area is { Shared: true, Object: { } content }
        ? content.Placement ??= new PagePlacement(_accountant.Nodes)
        : _placement ??= new PagePlacement(_accountant.Nodes);

    private static ulong KeyOf(Area area, ulong page) => area is { Shared: true, Object: not null } ? area.Offset + (page - area.Start) : page;
}
