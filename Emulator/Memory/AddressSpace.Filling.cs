namespace Vivarium.Emulator.Memory;

/// <summary>What monitors do with pages (ioctl_userfaultfd(2)). Ranges are the callers' to check.</summary>
public sealed unsafe partial class AddressSpace
{
    private static readonly byte[] Zeros = new byte[GuestAddress.PageSize];

    /// <summary>Gives a page that is not there its content: one page's bytes, or zeros for none.</summary>
    public FillStatus FillPage(GuestAddress address, ReadOnlySpan<byte> bytes, bool guards)
    {
        Area area = _areas.Find(address.Value)!;
        if (IsTaken(area, address.Value))
            return FillStatus.Exists;
        if (area.Object is { } end && EndOfContent(area, end) <= address.Value)
            return FillStatus.NoPage;
        if (area.Untouched)
        {
            if (!TryTouch(area, address.Value))
                return FillStatus.NoMemory;
            area = _areas.Find(address.Value)!;
        }
        if (bytes.IsEmpty)
            bytes = Zeros;
        if (!(area.Shared ? WriteContent(area, address.Value, bytes) : WritePage(address.Value, bytes)))
            return FillStatus.NoMemory;
        Settle(area, address.Value, guards);
        return FillStatus.Ok;
    }

    /// <summary>Shows a page whose content is there (UFFDIO_CONTINUE).</summary>
    public FillStatus ShowPage(GuestAddress address, bool guards)
    {
        Area area = _areas.Find(address.Value)!;
        ulong offset = area.Offset + (address.Value - area.Start);
        if (area.Object is not { } content || (long)offset >= content.Length || content.NextData((long)offset) != (long)offset)
            return FillStatus.NoPage;
        if (_shown.Contains(address.Value) || _poisoned.Contains(address.Value))
            return FillStatus.Exists;
        Settle(area, address.Value, guards);
        return FillStatus.Ok;
    }

    /// <summary>A page that is not there is lost: whoever touches it gets a bus error.</summary>
    public FillStatus PoisonPage(GuestAddress address)
    {
        Area area = _areas.Find(address.Value)!;
        if (IsTaken(area, address.Value))
            return FillStatus.Exists;
        _poisoned.Add(address.Value, address.Value + GuestAddress.PageSize);
        ProtectOnHost(area, address.Value, address.Value + GuestAddress.PageSize);
        return FillStatus.Ok;
    }

    /// <summary>Moves an anonymous page to where there is none (UFFDIO_MOVE). NoPage when there is none to move.</summary>
    public FillStatus MovePage(GuestAddress source, GuestAddress target)
    {
        Area from = _areas.Find(source.Value)!, to = _areas.Find(target.Value)!;
        if (IsTaken(to, target.Value))
            return FillStatus.Exists;
        if (!IsTaken(from, source.Value) || _poisoned.Contains(source.Value))
            return FillStatus.NoPage;
        Span<byte> bytes = stackalloc byte[(int)GuestAddress.PageSize];
        new ReadOnlySpan<byte>(_base + source.Value, bytes.Length).CopyTo(bytes);
        FillStatus status = FillPage(target, bytes, guards: false);
        if (status == FillStatus.Ok)
            DiscardPart(_areas.Find(source.Value)!, source.Value, source.Value + GuestAddress.PageSize);
        return status;
    }

    /// <summary>Guards the pages of a part of an area against writing, or lifts that.</summary>
    public void Guard(GuestAddress start, GuestAddress end, bool guards)
    {
        Area area = _areas.Find(start.Value)!;
        InvalidateCode(start.Value, end.Value);
        if (!guards)
            _guarded.Remove(start.Value, end.Value);
        else if (area.Object is not null || area.Monitor!.GuardsUnpopulated)
            _guarded.Add(start.Value, end.Value);
        else
            GuardPopulated(area, start.Value, end.Value);
        ProtectOnHost(area, start.Value, end.Value);
    }

    private void GuardPopulated(Area area, ulong start, ulong end)
    {
        for (ulong at = start; at < end;)
        {
            ulong next = at + GuestAddress.PageSize;
            bool isThere;
            if ((area.Modes & Monitored.Hiding) != 0)
                (isThere, next) = (_shown.Contains(at), _shown.EndOf(at));
            else
                isThere = IsPopulated(area, at, ref next);
            next = Math.Min(next, end);
            if (isThere)
                _guarded.Add(at, next);
            at = next;
        }
    }

    /// <summary>Content of an object was taken away: those who watch hear of it when they touch it again.</summary>
    internal void OnPunched(MemoryObject content, ulong offset, ulong length)
    {
        if (!HasMonitors)
            return;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            if (!IsWatched(area) || RangeIn(area, content, offset, length) is not { } range)
                continue;
            Forget(range.Start, range.End);
            ProtectOnHost(area, range.Start, range.End);
        }
    }

    /// <summary>True when there is a page, or where one was lost.</summary>
    private bool IsTaken(Area area, ulong page)
    {
        if (_poisoned.Contains(page))
            return true;
        if ((area.Modes & Monitored.Hiding) != 0 && _shown.Contains(page))
            return true;
        if ((area.Modes & Monitored.Hiding) != 0 && area.Object is null)
            return false;
        ulong end = page + GuestAddress.PageSize;
        return IsPopulated(area, page, ref end, GuestAddress.PageSize);
    }

    private void Settle(Area area, ulong page, bool guards)
    {
        if ((area.Modes & Monitored.Hiding) != 0)
            _shown.Add(page, page + GuestAddress.PageSize);
        if (guards)
            _guarded.Add(page, page + GuestAddress.PageSize);
        else
            _guarded.Remove(page, page + GuestAddress.PageSize);
        ProtectOnHost(area, page, page + GuestAddress.PageSize);
    }

    private static bool WriteContent(Area area, ulong page, ReadOnlySpan<byte> bytes)
    {
        long offset = (long)(area.Offset + (page - area.Start));
        int count = (int)Math.Min(bytes.Length, area.Object!.Length - offset);
        return area.Object.Write(offset, bytes[..count]);
    }

    private bool WritePage(ulong page, ReadOnlySpan<byte> bytes)
    {
        InvalidateCode(page, page + GuestAddress.PageSize);
        if (!Host.HostMemory.Protect((nint)(_base + page), GuestAddress.PageSize, Protection.ReadWrite))
            return false;
        bytes.CopyTo(new Span<byte>(_base + page, bytes.Length));
        return true;
    }
}
