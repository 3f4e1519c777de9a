using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What an address space may hold, in bytes (RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK).</summary>
public readonly record struct MemoryLimits(ulong Total, ulong Data, ulong Stack)
{
    public static MemoryLimits None { get; } = new(ulong.MaxValue, ulong.MaxValue, 8ul << 20);
}

/// <summary>Limits of a space, locked memory.</summary>
public sealed unsafe partial class AddressSpace
{
    public MemoryLimits Limits { get; set; } = MemoryLimits.None;

    /// <summary>What is mapped from now on is locked (MCL_FUTURE).</summary>
    public bool LocksFuture { get; private set; }

    /// <summary>Bytes counted against RLIMIT_MEMLOCK.</summary>
    public ulong LockedBytes => LockedWithin(0, ulong.MaxValue);

    /// <summary>Locked bytes of a range.</summary>
    public ulong LockedWithin(ulong start, ulong end)
    {
        ulong bytes = 0;
        for (int i = _areas.IndexAtOrAfter(start); i < _areas.Count && _areas[i].Start < end; i++)
        {
            if (_areas[i].Locked)
                bytes += Math.Min(end, _areas[i].End) - Math.Max(start, _areas[i].Start);
        }
        return bytes;
    }

    /// <summary>mlock(2), munlock(2): pages before a hole are changed, then NoMemory.</summary>
    public MapStatus Lock(GuestAddress address, ulong length, bool locks)
    {
        ulong at = address.PageDown.Value, end = (address + length).PageUp.Value;
        if (end < at)
            return MapStatus.Invalid;
        if (end == at)
            return MapStatus.Ok;
        _areas.SplitAt(at);
        _areas.SplitAt(end);
        ulong start = at;
        bool isReadable = true;
        for (int i = _areas.IndexAtOrAfter(at); i < _areas.Count && _areas[i].Start <= at && at < end; i++)
        {
            _areas[i].Locked = locks;
            isReadable &= _areas[i].Protection != Protection.None;
            at = _areas[i].End;
        }
        _areas.Merge(start, end);
        return at < end || (locks && !isReadable) ? MapStatus.NoMemory : MapStatus.Ok;
    }

    /// <summary>mlockall(2), munlockall(2).</summary>
    public void LockAll(bool current, bool future)
    {
        LocksFuture = future;
        for (int i = 0; i < _areas.Count; i++)
            _areas[i].Locked = current || (future && _areas[i].Locked);
    }

    /// <summary>madvise(2) of areas: what a fork does with them. Changes what is mapped of the range; NoMemory with holes.</summary>
    public MapStatus SetForkPolicy(GuestAddress address, ulong length, bool? dontFork, bool? wipes) => ForEachPart(address, length, area =>
    {
        if (wipes == true && (area.Shared || area.Object is not null))
            return MapStatus.Invalid;
        area.DontFork = dontFork ?? area.DontFork;
        area.WipeOnFork = wipes ?? area.WipeOnFork;
        return MapStatus.Ok;
    });

    /// <summary>MADV_DONTDUMP, MADV_DODUMP.</summary>
    public MapStatus LeaveOutOfDumps(GuestAddress address, ulong length, bool leavesOut) => ForEachPart(address, length, area =>
    {
        area.DontDump = leavesOut;
        return MapStatus.Ok;
    });

    /// <summary>MADV_REMOVE: takes pages and their backing away, so that every mapping of them reads zeros.</summary>
    public MapStatus Remove(GuestAddress address, ulong length) => ForEachPart(address, length, area =>
    {
        if (area.Locked || area.Object is not AnonymousObject)
            return MapStatus.Invalid;
        if (!area.Shared || (area.MaxProtection & Protection.Write) == 0)
            return MapStatus.AccessDenied;
        InvalidateCode(area.Start, area.End);
        if (LibC.Advise((nint)(_base + area.Start), (nuint)area.Length, LibC.AdviseRemove) != 0)
            return MapStatus.Invalid;
        area.Object.TellPunched(area.Offset, area.Length);
        return MapStatus.Ok;
    });

    /// <summary>MADV_POPULATE_READ, MADV_POPULATE_WRITE: touches pages. Invalid where access is not allowed, NotMapped beyond a file's end.</summary>
    public MapStatus Populate(GuestAddress address, ulong length, MemoryAccess access)
    {
        ulong at = address.Value, end = at + PageUp(length);
        while (at < end)
        {
            if (_areas.Find(at) is not { } area)
                return MapStatus.NoMemory;
            if (!Allows(area, access))
                return MapStatus.Invalid;
            ulong last = Math.Min(end, area.End);
            if (area.Object is { } content && EndOfContent(area, content) < last)
                return MapStatus.NotMapped;
            for (; at < last; at += GuestAddress.PageSize)
                Touch(at, access);
        }
        return MapStatus.Ok;
    }

    private void Touch(ulong address, MemoryAccess access)
    {
        Span<byte> view = View(new GuestAddress(address), 1, access);
        if (access == MemoryAccess.Write && !view.IsEmpty)
            Interlocked.Or(ref System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(View(new GuestAddress(address), 4, access))[0], 0);
        else if (!view.IsEmpty)
            _ = Volatile.Read(ref view[0]);
    }

    private MapStatus ForEachPart(GuestAddress address, ulong length, Func<Area, MapStatus> change)
    {
        ulong at = address.Value, end = at + PageUp(length);
        _areas.SplitAt(at);
        _areas.SplitAt(end);
        bool hole = false;
        MapStatus status = MapStatus.Ok;
        for (int i = _areas.IndexAtOrAfter(at); at < end && i < _areas.Count && _areas[i].Start < end && status == MapStatus.Ok; i++)
        {
            hole |= _areas[i].Start > at;
            status = change(_areas[i]);
            at = _areas[i].End;
        }
        _areas.Merge(address.Value, end);
        return status != MapStatus.Ok ? status : hole || at < end ? MapStatus.NoMemory : MapStatus.Ok;
    }

    /// <summary>True when an area fits the limits once a range that it replaces is gone.</summary>
    private bool HasRoomFor(Area area, ulong replacedStart, ulong replacedEnd)
    {
        if (Limits.Total != ulong.MaxValue)
        {
            ulong kept = _mapped - MappedWithin(replacedStart, replacedEnd);
            if (area.Length > Limits.Total || kept > Limits.Total - area.Length)
                return false;
        }
        return area.Shared || (area.Protection & Protection.Write) == 0 || area.GrowsDown || HasRoomForData(area.Length);
    }

    private bool HasRoomForData(ulong more)
    {
        if (Limits.Data == ulong.MaxValue)
            return true;
        ulong data = 0;
        for (int i = 0; i < _areas.Count; i++)
        {
            Area area = _areas[i];
            if (!area.Shared && (area.Protection & Protection.Write) != 0 && area.Name != "[stack]")
                data += area.Length;
        }
        return more <= Limits.Data && data <= Limits.Data - more;
    }

    private ulong MappedWithin(ulong start, ulong end)
    {
        ulong bytes = 0;
        for (int i = _areas.IndexAtOrAfter(start); i < _areas.Count && _areas[i].Start < end; i++)
            bytes += Math.Min(end, _areas[i].End) - Math.Max(start, _areas[i].Start);
        return bytes;
    }
}
