using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).</summary>
public static class SharedSegmentCalls
{
    private const int ReadOnly = 0x1000, Round = 0x2000, Replace = 0x4000, Execute = 0x8000;
    private const int HugePages = 0x800;
    private const uint DoomedMode = 0x200, LockedMode = 0x400;

    public static CallResult Shmget(CallContext call, int key, ulong size, int flags) => call.GetOrMake(
        Purged(call), key, flags, found => size > found.Size ? Errno.EINVAL : Errno.None, () => Make(call, key, size, flags));

    private static (SharedSegment?, Errno) Make(CallContext call, int key, ulong size, int flags)
    {
        if (size == 0 || size > (ulong)call.Ipc.SegmentSize.Value || size > long.MaxValue - GuestAddress.PageSize || (flags & HugePages) != 0)
            return (null, Errno.EINVAL);
        if (PagesOf(call.Ipc.Segments) + PagesOf(size) > (ulong)call.Ipc.SegmentPages.Value)
            return (null, Errno.ENOSPC);
        var pages = new AnonymousObject(call.World.Accountant, $"SYSV{key:x8}");
        if (!pages.SetLength((long)size))
        {
            pages.Release();
            return (null, Errno.ENOMEM);
        }
        Credentials who = call.Thread.Credentials;
        return (new SharedSegment(pages, size, call.Process.KeptId)
        {
            User = who.EffectiveUser, Group = who.EffectiveGroup, CreatorUser = who.EffectiveUser, CreatorGroup = who.EffectiveGroup,
            Mode = (uint)flags & 0x1FF, ChangeTime = call.Now(),
        }, Errno.None);
    }

    /// <summary>Doomed segments go when nobody maps them any more.</summary>
    private static IpcTable<SharedSegment> Purged(CallContext call)
    {
        IpcTable<SharedSegment> table = call.Ipc.Segments;
        foreach (SharedSegment segment in (SharedSegment[])[.. table.All])
        {
            if (segment.IsDoomed && segment.Pages.IsReleased)
                table.Remove(segment);
        }
        return table;
    }

    public static CallResult Shmat(CallContext call, int id, GuestAddress address, int flags)
    {
        const ulong page = GuestAddress.PageSize;
        if (!address.IsNull && !address.IsPageAligned)
        {
            if ((flags & Round) == 0)
                return Errno.EINVAL;
            address = address.PageDown;
            if (address.IsNull && (flags & Replace) != 0)
                return Errno.EINVAL;
        }
        else if (address.IsNull && (flags & Replace) != 0)
        {
            return Errno.EINVAL;
        }
        if (Purged(call).Find(id) is not { } segment)
            return Errno.EINVAL;
        bool isReadOnly = (flags & ReadOnly) != 0, runs = (flags & Execute) != 0;
        uint wanted = IpcArguments.ReadAccess | (isReadOnly ? 0 : IpcArguments.WriteAccess) | (runs ? 0x49u : 0);
        if (!segment.Allows(call.Thread.Credentials, wanted))
            return Errno.EACCES;
        ulong length = (segment.Size + page - 1) & ~(page - 1);
        if (!address.IsNull && (flags & Replace) == 0 && !IsFree(call.Memory, address, length))
            return Errno.EINVAL;
        Protection protection = Protection.Read | (isReadOnly ? 0 : Protection.Write) | (runs ? Protection.Execute : 0);
        var request = new MapRequest(
            address, length, protection, address.IsNull ? Placement.Anywhere : Placement.Fixed, Shared: true, Object: segment.Pages,
            Name: $"/SYSV{segment.Key:x8} (deleted)", MaxProtection: isReadOnly ? Protection.Read | Protection.Execute : Protection.ReadWrite | Protection.Execute);
        MapStatus status = call.Memory.Map(request, out GuestAddress place);
        if (status != MapStatus.Ok)
            return MemoryCalls.ToErrno(status);
        segment.AttachTime = call.Now();
        segment.LastProcess = call.Process.KeptId;
        return (long)place.Value;
    }

    private static bool IsFree(AddressSpace memory, GuestAddress address, ulong length)
    {
        foreach (AreaInfo area in memory.Areas())
        {
            if (area.Start < address + length && address < area.End)
                return false;
        }
        return true;
    }

    /// <summary>All of a segment's mapping that begins here.</summary>
    public static CallResult Shmdt(CallContext call, GuestAddress address)
    {
        if (!address.IsPageAligned || !call.Memory.TryFindArea(address, out AreaInfo first) || first.Start != address || first.Offset != 0 || SegmentOf(call, first) is not { } segment)
            return Errno.EINVAL;
        foreach (AreaInfo area in call.Memory.Areas())
        {
            if (area.Object == segment.Pages && area.Start >= address && area.Start - address == area.Offset && area.Offset < segment.Size)
                call.Memory.Unmap(area.Start, area.End - area.Start);
        }
        segment.DetachTime = call.Now();
        segment.LastProcess = call.Process.KeptId;
        Purged(call);
        return CallResult.Ok();
    }

    private static SharedSegment? SegmentOf(CallContext call, in AreaInfo area)
    {
        foreach (SharedSegment segment in call.Ipc.Segments.All)
        {
            if (area.Object == segment.Pages)
                return segment;
        }
        return null;
    }

    public static CallResult Shmctl(CallContext call, int id, int command, GuestAddress buffer)
    {
        const int locks = 11, unlocks = 12, statusByIndex = 13, summary = 14, anyStatusByIndex = 15;
        if (command < 0 || id < 0)
            return Errno.EINVAL;
        IpcTable<SharedSegment> table = Purged(call);
        if (command is IpcArguments.Information or summary)
            return Tell(call, table, command == summary, buffer);
        bool byIndex = command is statusByIndex or anyStatusByIndex;
        if ((byIndex ? table.AtIndex(id) : table.Find(id)) is not { } segment)
            return Errno.EINVAL;
        switch (command)
        {
            case IpcArguments.Status or statusByIndex or anyStatusByIndex:
                if (command != anyStatusByIndex && !segment.Allows(call.Thread.Credentials, IpcArguments.ReadAccess))
                    return Errno.EACCES;
                return WriteStatus(call, segment, buffer) ? CallResult.Ok(byIndex ? segment.Id : 0) : Errno.EFAULT;
            case IpcArguments.SetOwner:
                Span<byte> bytes = stackalloc byte[IpcArguments.OwnerSize];
                return call.Memory.TryRead(buffer, bytes) ? call.SetOwnerFrom(buffer, segment, bytes) : Errno.EFAULT;
            case IpcArguments.RemoveId:
                return Remove(call, table, segment);
            case locks or unlocks:
                if (!segment.MayBeChangedBy(call.Thread.Credentials) && !call.Thread.Credentials.Has(Capability.LockMemory))
                    return Errno.EPERM;
                segment.IsLocked = command == locks;
                return CallResult.Ok();
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult Remove(CallContext call, IpcTable<SharedSegment> table, SharedSegment segment)
    {
        if (!segment.MayBeChangedBy(call.Thread.Credentials))
            return Errno.EPERM;
        if (segment.Attachments == 0)
            table.Remove(segment);
        else if (!segment.IsDoomed)
            segment.Doom();
        return CallResult.Ok();
    }

    /// <summary>struct shmid64_ds.</summary>
    private static bool WriteStatus(CallContext call, SharedSegment segment, GuestAddress buffer)
    {
        Span<byte> status = stackalloc byte[112];
        status.Clear();
        IpcArguments.WriteOwner(status, segment, (segment.IsDoomed ? DoomedMode : 0) | (segment.IsLocked ? LockedMode : 0));
        ReadOnlySpan<long> words =
        [
            (long)segment.Size, segment.AttachTime, segment.DetachTime, segment.ChangeTime,
            (uint)call.NumberOf(segment.Creator) | (long)call.NumberOf(segment.LastProcess) << 32, segment.Attachments,
        ];
        MemoryMarshal.AsBytes(words).CopyTo(status[IpcArguments.OwnerSize..]);
        return call.Memory.TryWrite(buffer, status);
    }

    private static ulong PagesOf(ulong bytes) => (bytes + GuestAddress.PageSize - 1) / GuestAddress.PageSize;

    private static ulong PagesOf(IpcTable<SharedSegment> table)
    {
        ulong pages = 0;
        foreach (SharedSegment segment in table.All)
            pages += PagesOf(segment.Size);
        return pages;
    }

    /// <summary>struct shminfo64 of the limits, or struct shm_info of what is there; returns the highest index.</summary>
    private static CallResult Tell(CallContext call, IpcTable<SharedSegment> table, bool isSummary, GuestAddress buffer)
    {
        IpcSpace space = call.Ipc;
        long pages = (long)PagesOf(table), most = space.MostSegments.Value;
        ReadOnlySpan<long> words = isSummary ? [table.Count, pages, table.All.Sum(static segment => segment.Pages.Kept) / (long)GuestAddress.PageSize, 0, 0, 0] : [space.SegmentSize.Value, 1, most, most, space.SegmentPages.Value, 0, 0, 0, 0];
        return call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(words)) ? CallResult.Ok(table.HighestIndex) : Errno.EFAULT;
    }
}
