using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
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
    private const int FixedNoReplace = 0x100000;

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
        if (type is not (Shared or SharedValidate or 2))
            return Errno.EINVAL;
        bool isShared = type != 2;
        MemoryObject? content = null;
        Protection most = Protection.Read | Protection.Write | Protection.Execute;
        OpenFile? file = null;
        if ((flags & Anonymous) == 0)
        {
            Errno error = FileToMap(call, fd, protection, isShared, out file, out content, out most);
            if (error != Errno.None)
                return error;
        }
        if (length > UserEnd)
            return Errno.ENOMEM;
        if (content is null && isShared)
            content = SharedPages(call, length);
        if (content is null && isShared)
            return Errno.ENOMEM;
        var request = new MapRequest(
            address, length, ToProtection(protection), PlacementOf(flags), isShared, content, content is null || file is null ? 0 : offset,
            NameOf(file, isShared), (flags & GrowsDown) != 0, (flags & NoReserve) != 0, most);
        MapStatus status = call.Memory.Map(request, out GuestAddress place);
        return status == MapStatus.Ok ? (long)place.Value : ToErrno(status);
    }

    private static Errno FileToMap(CallContext call, int fd, int protection, bool isShared, out OpenFile? file, out MemoryObject? content, out Protection most)
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
        content = file.MapObject();
        return content is null ? Errno.ENODEV : Errno.None;
    }

    private static AnonymousObject? SharedPages(CallContext call, ulong length)
    {
        var pages = new AnonymousObject(call.World.Accountant);
        return pages.SetLength((long)length) ? pages : null;
    }

    private static string? NameOf(OpenFile? file, bool isShared)
    {
        if (file?.Path is { } path)
            return System.Text.Encoding.UTF8.GetString(path.FullPath());
        return isShared ? "/dev/zero (deleted)" : null;
    }

    private static Placement PlacementOf(int flags) =>
        (flags & FixedNoReplace) != 0 ? Placement.FixedNoReplace :
        (flags & Fixed) != 0 ? Placement.Fixed :
        (flags & Low32) != 0 ? Placement.Low : Placement.Anywhere;

    private static Protection ToProtection(int protection) => (Protection)(protection & 7);

    private static Errno ToErrno(MapStatus status) => status switch
    {
        MapStatus.Ok => Errno.None,
        MapStatus.NoMemory => Errno.ENOMEM,
        MapStatus.Exists => Errno.EEXIST,
        MapStatus.AccessDenied => Errno.EACCES,
        MapStatus.NotMapped => Errno.EFAULT,
        _ => Errno.EINVAL,
    };

    public static CallResult Munmap(CallContext call, GuestAddress address, ulong length) =>
        address.Value > UserEnd || length > UserEnd - address.Value ? Errno.EINVAL : ToErrno(call.Memory.Unmap(address, length));

    public static CallResult Mprotect(CallContext call, GuestAddress address, ulong length, int protection)
    {
        const int growsDown = 0x01000000, growsUp = 0x02000000, semaphores = 8;
        if (!address.IsPageAligned || (protection & ~(7 | growsDown | growsUp | semaphores)) != 0)
            return Errno.EINVAL;
        return length == 0 ? 0 : ToErrno(call.Memory.Protect(address, length, ToProtection(protection)));
    }

    public static CallResult Brk(CallContext call, GuestAddress end) => (long)call.Memory.Break(end).Value;

    public static CallResult Mremap(CallContext call, GuestAddress address, ulong oldLength, ulong newLength, int flags, GuestAddress newAddress)
    {
        if ((flags & ~(RemapMayMove | RemapFixed | RemapDontUnmap)) != 0 || !address.IsPageAligned || newLength == 0)
            return Errno.EINVAL;
        if ((flags & (RemapFixed | RemapDontUnmap)) != 0 && (flags & RemapMayMove) == 0)
            return Errno.EINVAL;
        GuestAddress? target = (flags & RemapFixed) != 0 ? newAddress : null;
        MapStatus status = call.Memory.Remap(address, oldLength, newLength, (flags & RemapMayMove) != 0, target, (flags & RemapDontUnmap) != 0, out GuestAddress result);
        return status == MapStatus.Ok ? (long)result.Value : ToErrno(status);
    }

    public static CallResult Msync(CallContext call, GuestAddress address, ulong length, int flags)
    {
        const int asynchronous = 1, invalidate = 2, synchronous = 4;
        bool isSane = address.IsPageAligned && (flags & ~(asynchronous | invalidate | synchronous)) == 0 && (flags & (asynchronous | synchronous)) != (asynchronous | synchronous);
        return isSane ? ToErrno(call.Memory.Sync(address, length)) : Errno.EINVAL;
    }

    /// <summary>Pages of the world are never paged out: what is mapped is resident.</summary>
    public static CallResult Mincore(CallContext call, GuestAddress address, ulong length, GuestAddress vector)
    {
        if (!address.IsPageAligned)
            return Errno.EINVAL;
        ulong pages = (length + GuestAddress.PageSize - 1) / GuestAddress.PageSize;
        if (!call.Memory.IsMapped(address, pages * GuestAddress.PageSize))
            return Errno.ENOMEM;
        Span<byte> resident = stackalloc byte[1024];
        resident.Fill(1);
        for (ulong done = 0; done < pages;)
        {
            Span<byte> part = resident[..(int)Math.Min(pages - done, 1024)];
            if (!call.Memory.TryWrite(vector + done, part))
                return Errno.EFAULT;
            done += (ulong)part.Length;
        }
        return 0;
    }

    public static CallResult Madvise(CallContext call, GuestAddress address, ulong length, int advice)
    {
        const int dontNeed = 4, free = 8, remove = 9, dontNeedLocked = 24;
        if (!address.IsPageAligned || length > UserEnd)
            return Errno.EINVAL;
        switch (advice)
        {
            case dontNeed or free or dontNeedLocked:
                return length == 0 ? 0 : ToErrno(call.Memory.Discard(address, length));
            case 0 or 1 or 2 or 3 or 10 or 11 or 12 or 13 or 14 or 15 or 16 or 17 or 18 or 19 or 20 or 21 or 22 or 23 or 25:
                return call.Memory.IsMapped(address, (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1)) ? 0 : Errno.ENOMEM;
            case remove:
                return Errno.EINVAL;
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>Guest memory is as resident as it gets; locking checks its range.</summary>
    public static CallResult Mlock(CallContext call, GuestAddress address, ulong length) =>
        call.Memory.IsMapped(address.PageDown, (address + length).PageUp - address.PageDown) ? 0 : Errno.ENOMEM;

    public static CallResult Mlock2(CallContext call, GuestAddress address, ulong length, int flags) =>
        (flags & ~1) != 0 ? Errno.EINVAL : Mlock(call, address, length);

    public static CallResult Munlock(CallContext call, GuestAddress address, ulong length) => Mlock(call, address, length);

    public static CallResult Mlockall(CallContext call, int flags) => flags is 0 or > 7 or 4 ? Errno.EINVAL : 0;

    public static CallResult Munlockall(CallContext call) => 0;
}
