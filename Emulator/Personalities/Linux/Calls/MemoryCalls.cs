using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>mmap(2) and the other calls on the address space.</summary>
public static class MemoryCalls
{
    private const int Shared = 0x01;
    private const int SharedValidate = 0x03;
    private const int TypeMask = 0x0F;
    private const int Fixed = 0x10;
    private const int Anonymous = 0x20;
    private const int Low32 = 0x40;
    private const int GrowsDown = 0x100;
    private const int NoReserve = 0x4000;
    private const int Stack = 0x20000;
    private const int FixedNoReplace = 0x100000;
    private const int Locked = 0x2000;

    /// <summary>What is not new enough to be refused with MAP_SHARED_VALIDATE (include/linux/mman.h, LEGACY_MAP_MASK): MAP_SYNC and FIXED_NOREPLACE are.</summary>
    private const int FlagsOfOld = TypeMask & 3 | Fixed | Anonymous | Low32 | 0x80 | GrowsDown | 0x800 | 0x1000 | Locked | NoReserve | 0x8000 | 0x10000 | Stack | 0x40000 | (21 << 26) | (30 << 26);

    private const int RemapMayMove = 1;
    private const int RemapFixed = 2;
    private const int RemapDontUnmap = 4;

    /// <summary>The end of user addresses of a 47-bit address space (TASK_SIZE).</summary>
    private const ulong UserEnd = 0x7FFF_FFFF_F000;

    public static CallResult Mmap(CallContext call, GuestAddress address, ulong length, int protection, int flags, int fd, ulong offset)
    {
        if (offset % GuestAddress.PageSize != 0)
            return Errno.EINVAL;
        // The kernel takes the file before it looks at anything else.
        if ((flags & Anonymous) == 0 && call.File(fd) is null)
            return Errno.EBADF;
        if (length == 0)
            return Errno.EINVAL;
        int type = flags & TypeMask;
        if (type is not (Shared or SharedValidate or 2) || (type == SharedValidate && (flags & Anonymous) != 0))
            return Errno.EINVAL;
        if (type == SharedValidate && (flags & ~FlagsOfOld) != 0)
            return Errno.EOPNOTSUPP;
        bool isShared = type != 2;
        MemoryObject? content = null;
        Protection most = Protection.Read | Protection.Write | Protection.Execute;
        OpenFile? file = null;
        if ((flags & Anonymous) == 0)
        {
            Errno error = FileToMap(call, fd, protection, isShared, ref offset, out file, out content, out most);
            if (error is Errno.None or Errno.ENODEV && file!.CheckMapping(offset, length) is not Errno.None and var unfit)
                error = unfit;
            if (error != Errno.None)
                return error;
        }
        if (length > UserEnd || call.Memory.AreaCount > call.World.Settings.MostAreas.Value)
            return Errno.ENOMEM;
        if ((flags & Fixed) != 0 && call.Memory.IsSealed(address, length))
            return Errno.EPERM;
        bool isLocked = (flags & Locked) != 0 || file is SecretFile;
        Errno refused = MemoryLockCalls.CheckMapping(call, length, isLocked);
        if (refused != Errno.None)
            return refused;
        AnonymousObject? pages = content is null && isShared ? SharedPages(call, length) : null;
        if (content is null && isShared && pages is null)
            return Errno.ENOMEM;
        content ??= pages;
        var request = new MapRequest(
            address, length, ToProtection(protection), PlacementOf(flags, isImage: content is not null && !isShared), isShared, content, content is null || file is null ? 0 : offset,
            NameOf(file, isShared), (flags & GrowsDown) != 0, (flags & NoReserve) != 0, isLocked, most,
            ChargedWhenTouched: (flags & (NoReserve | Stack)) != 0, Holder: file);
        MapStatus status = call.Memory.Map(request, out GuestAddress place);
        // From here on shared pages live as long as they are mapped.
        pages?.Release();
        return status == MapStatus.Ok ? (long)place.Value : ToErrno(status);
    }

    private static Errno FileToMap(CallContext call, int fd, int protection, bool isShared, ref ulong offset, out OpenFile? file, out MemoryObject? content, out Protection most)
    {
        content = null;
        most = Protection.Read | Protection.Write | Protection.Execute;
        file = call.File(fd);
        if (file is null || (file.Flags & OpenFlags.PathOnly) != 0)
            return Errno.EBADF;
        if (!file.CanRead)
            return Errno.EACCES;
        if (isShared && !file.CanWrite)
        {
            if (((Protection)protection & Protection.Write) != 0)
                return Errno.EACCES;
            most &= ~Protection.Write;
        }
        // Sealed against writing: no shared mapping may write, now or later (mm/memfd.c, memfd_check_seals_mmap).
        if (isShared && file.Inode.Seals is { } seals && (seals & FileSeals.AnyWrite) != 0)
        {
            if (((Protection)protection & Protection.Write) != 0)
                return Errno.EPERM;
            most &= ~Protection.Write;
        }
        // Secret memory is shared, and locked (mm/secretmem.c).
        if (file is SecretFile && !isShared)
            return Errno.EINVAL;
        content = file.MapObject(ref offset);
        // Pages of the device of zeros are anonymous ones (mmap_zero in drivers/char/mem.c).
        bool isZero = file.Inode.Kind == FileKind.CharacterDevice && MemoryDevices.IsZero(file.Inode.Status.RawDevice);
        return content is null && !isZero ? Errno.ENODEV : Errno.None;
    }

    private static AnonymousObject? SharedPages(CallContext call, ulong length)
    {
        var pages = new AnonymousObject(call.World.Accountant);
        if (pages.SetLength((long)length))
            return pages;
        pages.Release();
        return null;
    }

    private static string? NameOf(OpenFile? file, bool isShared)
    {
        if (file?.Path is { } path)
            return System.Text.Encoding.UTF8.GetString(path.FullPath());
        return file is SecretFile ? file.Description : isShared ? "/dev/zero (deleted)" : null;
    }

    /// <param name="isImage">A private mapping of a file, as dynamic linkers make them of libraries.</param>
    private static Placement PlacementOf(int flags, bool isImage) =>
        (flags & FixedNoReplace) != 0 ? Placement.FixedNoReplace :
        (flags & Fixed) != 0 ? Placement.Fixed :
        (flags & Low32) != 0 ? Placement.Low :
        isImage ? Placement.Image : Placement.Anywhere;

    private static Protection ToProtection(int protection) => (Protection)(protection & 7);

    internal static Errno ToErrno(MapStatus status) => status switch
    {
        MapStatus.Ok => Errno.None,
        MapStatus.NoMemory => Errno.ENOMEM,
        MapStatus.Exists => Errno.EEXIST,
        MapStatus.AccessDenied => Errno.EACCES,
        MapStatus.NotMapped => Errno.EFAULT,
        MapStatus.LockLimit => Errno.EAGAIN,
        MapStatus.Busy => Errno.EBUSY,
        _ => Errno.EINVAL,
    };

    public static CallResult Munmap(CallContext call, GuestAddress address, ulong length)
    {
        if (address.Value > UserEnd || length > UserEnd - address.Value)
            return Errno.EINVAL;
        if (address.IsPageAligned && call.Memory.IsSealed(address, length))
            return Errno.EPERM;
        // A hole within an area makes two of it.
        if (!HasRoomForArea(call) && call.Memory.TryFindArea(address, out AreaInfo area) && address > area.Start && (address + length).PageUp < area.End)
            return Errno.ENOMEM;
        return ToErrno(call.Memory.Unmap(address, length));
    }

    private static bool HasRoomForArea(CallContext call) => call.Memory.AreaCount < call.World.Settings.MostAreas.Value;

    public static CallResult Mprotect(CallContext call, GuestAddress address, ulong length, int protection)
    {
        const int growsDown = 0x01000000, growsUp = 0x02000000, semaphores = 8;
        if (!address.IsPageAligned || (protection & ~(7 | growsDown | growsUp | semaphores)) != 0)
            return Errno.EINVAL;
        if (length != 0 && call.Memory.IsSealed(address, length))
            return call.Memory.IsMapped(address, length) ? Errno.EPERM : Errno.ENOMEM;
        return length == 0 ? 0 : ToErrno(call.Memory.Protect(address, length, ToProtection(protection)));
    }

    /// <summary>mprotect(2) with a protection key, of which this processor has none: only -1, which asks for no key, is one.</summary>
    public static CallResult PkeyMprotect(CallContext call, GuestAddress address, ulong length, int protection, int key) =>
        key == -1 ? Mprotect(call, address, length, protection) : Errno.EINVAL;

    /// <summary>ENOSPC, as on every processor without keys (pkeys(7)).</summary>
    public static CallResult PkeyAlloc(CallContext call, ulong flags, ulong rights)
    {
        const ulong disableAccess = 1, disableWrite = 2;
        return flags != 0 || (rights & ~(disableAccess | disableWrite)) != 0 ? Errno.EINVAL : Errno.ENOSPC;
    }

    public static CallResult PkeyFree(CallContext call, int key) => Errno.EINVAL;

    /// <summary>mseal(2).</summary>
    public static CallResult Mseal(CallContext call, GuestAddress address, ulong length, ulong flags)
    {
        if (flags != 0 || !address.IsPageAligned)
            return Errno.EINVAL;
        ulong rounded = (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        if ((length != 0 && rounded == 0) || address.Value + rounded < address.Value)
            return Errno.EINVAL;
        return rounded == 0 ? 0 : ToErrno(call.Memory.Seal(address, rounded));
    }

    /// <summary>Shows another part of a shared mapping's file in its place (remap_file_pages(2)), as a mapping of its own.</summary>
    public static CallResult RemapFilePages(CallContext call, GuestAddress address, ulong length, ulong protection, ulong page, ulong flags)
    {
        const ulong pageMask = ~(GuestAddress.PageSize - 1);
        var start = new GuestAddress(address.Value & pageMask);
        length &= pageMask;
        if (protection != 0 || start.Value + length <= start.Value || page + (length / GuestAddress.PageSize) < page || page > long.MaxValue / GuestAddress.PageSize)
            return Errno.EINVAL;
        if (!call.Memory.TryFindArea(start, out AreaInfo area) || area is not { Shared: true, Object: { } content })
            return Errno.EINVAL;
        for (ulong at = area.End.Value; at < start.Value + length;)
        {
            if (!call.Memory.TryFindArea(new GuestAddress(at), out AreaInfo next) || next.Object != content || next.Protection != area.Protection)
                return Errno.EINVAL;
            at = next.End.Value;
        }
        if (call.Memory.IsSealed(start, length))
            return Errno.EPERM;
        content.Hold();
        MapStatus status = call.Memory.Map(
            new MapRequest(start, length, area.Protection, Placement.Fixed, Shared: true, content, page * GuestAddress.PageSize, area.Name), out _);
        content.Release();
        return ToErrno(status);
    }

    public static CallResult Brk(CallContext call, GuestAddress end) => (long)call.Memory.Break(end).Value;

    public static CallResult Mremap(CallContext call, GuestAddress address, ulong oldLength, ulong newLength, int flags, GuestAddress newAddress)
    {
        if ((flags & ~(RemapMayMove | RemapFixed | RemapDontUnmap)) != 0 || !address.IsPageAligned || newLength == 0)
            return Errno.EINVAL;
        if ((flags & (RemapFixed | RemapDontUnmap)) != 0 && (flags & RemapMayMove) == 0)
            return Errno.EINVAL;
        // What stays behind must be as long as what moves.
        if ((flags & RemapDontUnmap) != 0 && oldLength != newLength)
            return Errno.EINVAL;
        if (call.Memory.IsSealed(address, Math.Max(1, oldLength)) || ((flags & RemapFixed) != 0 && call.Memory.IsSealed(newAddress, newLength)))
            return Errno.EPERM;
        GuestAddress? target = (flags & RemapFixed) != 0 ? newAddress : null;
        MapStatus status = call.Memory.Remap(address, oldLength, newLength, (flags & RemapMayMove) != 0, target, (flags & RemapDontUnmap) != 0, out GuestAddress result);
        return status == MapStatus.Ok ? (long)result.Value : ToErrno(status);
    }

    public static CallResult Msync(CallContext call, GuestAddress address, ulong length, int flags)
    {
        const int asynchronous = 1, invalidate = 2, synchronous = 4;
        bool isSane = address.IsPageAligned && (flags & ~(asynchronous | invalidate | synchronous)) == 0 && (flags & (asynchronous | synchronous)) != (asynchronous | synchronous);
        return isSane ? ToErrno(call.Memory.Sync(address, length, (flags & invalidate) != 0)) : Errno.EINVAL;
    }

    public static CallResult Mincore(CallContext call, GuestAddress address, ulong length, GuestAddress vector)
    {
        if (!address.IsPageAligned)
            return Errno.EINVAL;
        if (length > UserEnd || address.Value > UserEnd - length)
            return Errno.ENOMEM;
        ulong pages = (length + GuestAddress.PageSize - 1) / GuestAddress.PageSize;
        Span<byte> resident = stackalloc byte[1024];
        for (ulong done = 0; done < pages;)
        {
            Span<byte> part = resident[..(int)Math.Min(pages - done, 1024)];
            if (!call.Memory.TryTellResident(address + (done * GuestAddress.PageSize), part))
                return Errno.ENOMEM;
            if (!call.Memory.TryWrite(vector + done, part))
                return Errno.EFAULT;
            done += (ulong)part.Length;
        }
        return 0;
    }

    public static CallResult Madvise(CallContext call, GuestAddress address, ulong length, int advice)
    {
        const int dontNeed = 4, remove = 9;
        bool removes = advice is dontNeed or remove && address.IsPageAligned && call.Memory.IsMapped(address, length);
        return removes && UserFaultCalls.TellRemoval(call, address, (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1)) is { } waits
            ? waits : AdviseOther(call.Memory, address, length, advice, call.Thread.Credentials.Has(Capability.Administer));
    }

    internal static CallResult AdviseOther(AddressSpace memory, GuestAddress address, ulong length, int advice, bool mayLose = false)
    {
        if (!IsKnown(advice) || !address.IsPageAligned)
            return Errno.EINVAL;
        if (advice is LosePages or RetirePages && !mayLose)
            return Errno.EPERM;
        ulong rounded = (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        if ((length != 0 && rounded == 0) || address.Value + rounded < address.Value)
            return Errno.EINVAL;
        if (IsDestructive(advice) && memory.IsSealed(address, rounded, onlyReadOnly: true))
            return Errno.EPERM;
        return rounded == 0 ? 0 : ToErrno(Advise(memory, address, rounded, advice));
    }

    /// <summary>Advice after which memory is not what it was (mseal(2)): DONTNEED, FREE, REMOVE, DONTFORK, WIPEONFORK, DONTNEED_LOCKED.</summary>
    private static bool IsDestructive(int advice) => advice is 4 or 8 or 9 or 10 or 18 or 24;

    /// <summary>Pages are not looked at for equals (12, 13: MADV_MERGEABLE), which a kernel without KSM refuses.</summary>
    private static bool IsKnown(int advice) => advice is >= 0 and <= 4 or >= 8 and <= 11 or >= 14 and <= 24 or LosePages or RetirePages;

    /// <summary>MADV_HWPOISON, and MADV_SOFT_OFFLINE, after which pages are elsewhere and nobody sees it.</summary>
    private const int LosePages = 100, RetirePages = 101;

    /// <summary>What an advice changes here; most change nothing, but tell of holes.</summary>
    private static MapStatus Advise(AddressSpace memory, GuestAddress address, ulong length, int advice)
    {
        const int dontNeed = 4, free = 8, remove = 9, dontFork = 10, doFork = 11, dontDump = 16, doDump = 17, wipeOnFork = 18, keepOnFork = 19, populateRead = 22, populateWrite = 23, dontNeedLocked = 24;
        return advice switch
        {
            dontNeed => memory.Discard(address, length, Discarding.Unlocked),
            dontNeedLocked => memory.Discard(address, length, Discarding.Any),
            free => memory.Discard(address, length, Discarding.Anonymous),
            remove => memory.Remove(address, length),
            dontFork => memory.SetForkPolicy(address, length, dontFork: true, wipes: null),
            doFork => memory.SetForkPolicy(address, length, dontFork: false, wipes: null),
            wipeOnFork => memory.SetForkPolicy(address, length, dontFork: null, wipes: true),
            dontDump or doDump => memory.LeaveOutOfDumps(address, length, advice == dontDump),
            keepOnFork => memory.SetForkPolicy(address, length, dontFork: null, wipes: false),
            populateRead => memory.Populate(address, length, MemoryAccess.Read),
            populateWrite => memory.Populate(address, length, MemoryAccess.Write),
            LosePages => memory.Lose(address, length),
            _ => memory.IsMapped(address, length) ? MapStatus.Ok : MapStatus.NoMemory,
        };
    }
}
