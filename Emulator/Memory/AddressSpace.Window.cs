using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>The window's growth, the stack's and the break's.</summary>
public sealed unsafe partial class AddressSpace
{
    /// <summary>However high its limit, a stack leaves its corner to nobody else.</summary>
    private const ulong LargestStack = 60ul << 20;

    /// <summary>Linux keeps 256 pages between a growing stack and the mapping below it.</summary>
    private const ulong StackGap = 256 * GuestAddress.PageSize;

    private ulong _breakStart;
    private ulong _break;

    /// <summary>Where the heap begins and ends.</summary>
    public GuestAddress BreakStart => new(_breakStart);

    public GuestAddress BreakEnd => new(_break);

    public void SetBreakStart(GuestAddress start) => SetBreak(start, start);

    /// <summary>Says where the heap is, whatever is mapped there.</summary>
    public void SetBreak(GuestAddress start, GuestAddress end) => (_breakStart, _break) = (start.Value, end.Value);

    /// <summary>The program break: returns the break after the call; unchanged when it cannot be moved (brk(2), "C library/kernel differences").</summary>
    public GuestAddress Break(GuestAddress requested)
    {
        ulong wanted = requested.Value;
        if (wanted < _breakStart || wanted > _limit)
            return new GuestAddress(_break);
        ulong oldEnd = PageUp(_break), newEnd = PageUp(wanted);
        if (wanted - _breakStart > Limits.Data || (newEnd > oldEnd && !GrowHeap(oldEnd, newEnd)))
            return new GuestAddress(_break);
        // A program may have said that its heap ends where it has no room (prctl(2), PR_SET_MM_BRK).
        ulong lastEnd = Math.Min(oldEnd, _limit & ~(GuestAddress.PageSize - 1));
        if (newEnd < lastEnd)
            Clear(newEnd, lastEnd);
        _break = wanted;
        return requested;
    }

    private bool GrowHeap(ulong from, ulong to)
    {
        if (!_areas.IsFree(from, to))
            return false;
        if (from > _breakStart && _areas.Find(from - 1) is { Name: "[heap]" } && TryExtend(from, to - from))
            return true;
        var request = new MapRequest(new GuestAddress(from), to - from, Protection.ReadWrite, Placement.FixedNoReplace, Name: "[heap]");
        return Map(request, out _) == MapStatus.Ok;
    }

    /// <summary>The end of a stack that grew in parts, of which this is the lowest.</summary>
    private ulong StackEnd(int index)
    {
        Area lowest = _areas[index];
        ulong end = lowest.End;
        while (++index < _areas.Count && _areas[index] is { } next && next.Start == end && next.Protection == lowest.Protection && next.Name == lowest.Name && next.Object is null)
            end = next.End;
        return end;
    }

    private bool TryGrowStack(ulong address)
    {
        int index = _areas.IndexAtOrAfter(address);
        if (index == _areas.Count || _areas[index] is not { GrowsDown: true } stack)
            return false;
        ulong start = address & ~(GuestAddress.PageSize - 1);
        if (StackEnd(index) - start > Math.Min(Limits.Stack, LargestStack) || start < Floor || !_areas.IsFree(start - StackGap, stack.Start))
            return false;
        Area more = stack.Slice(start, stack.Start);
        more.Charged = false;
        more.Frozen = null;
        if (!HasRoomFor(more, start, start) || !TryCharge(more))
            return false;
        if (!MapOnHost(more))
        {
            Uncharge(more);
            return false;
        }
        stack.GrowsDown = false;
        _areas.Insert(more);
        _mapped += more.Length;
        return true;
    }

    /// <summary>Makes the window reach an address, moving all of it to a larger one when it must.</summary>
    private bool EnsureWindow(ulong end)
    {
        if (end <= _limit)
            return true;
        foreach (ulong size in WindowSizes)
        {
            if (size >= end)
                return GrowWindow(size);
        }
        return false;
    }

    /// <summary>A window of its own; null when there is no room for it.</summary>
    private static byte* Reserve(ulong size, FaultRecord* record)
    {
        nint window = Arena.Allocate(size, record);
        if (window == 0)
        {
            SpareWindows.FreeAll();
            window = Arena.Allocate(size, record);
        }
        return (byte*)window;
    }

    private bool GrowWindow(ulong size)
    {
        ForgetWatches();
        Settle();
        byte* target = Reserve(size, _record);
        if (target is null)
            return false;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            nint from = (nint)(_base + area.Start), to = (nint)(target + area.Start);
            if (!HostMemory.Move(from, area.Length, to, area.Length) && !HostVmas.MovePieces(from, area.Length, to, area.Length))
                throw new InvalidOperationException("cannot move guest memory to a larger window");
        }
        Arena.Free((nint)_base, _limit, wasMapped: true);
        Tables = new EngineTables();
        _base = target;
        _limit = size;
        return true;
    }
}
