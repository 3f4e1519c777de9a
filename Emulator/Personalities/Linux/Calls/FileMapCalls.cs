using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Where a file's bytes are on its device: FS_IOC_FIEMAP (Documentation/filesystems/fiemap.rst), FIBMAP.</summary>
internal static class FileMapCalls
{
    private const uint MapExtents = 0xC020660B, MapBlock = 1;
    private const uint Synchronize = 1, Known = Synchronize;
    private const uint Last = 1, Unwritten = 0x800, Merged = 0x1000;
    private const ulong HeaderSize = 32;
    private const uint MostExtents = (uint.MaxValue - 32) / 56;

    /// <summary>struct fiemap without its extents.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ExtentMap
    {
        public ulong Start;
        public ulong Length;
        public uint Flags;
        public uint Mapped;
        public uint Room;
        public uint Reserved;
    }

    /// <summary>struct fiemap_extent.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 56)]
    private struct MappedExtent
    {
        [FieldOffset(0)] public ulong Logical;
        [FieldOffset(8)] public ulong Physical;
        [FieldOffset(16)] public ulong Length;
        [FieldOffset(40)] public uint Flags;
    }

    /// <summary>Null for other requests.</summary>
    internal static CallResult? Control(CallContext call, OpenFile file, uint request, GuestAddress argument) => (request, file.Inode.Kind) switch
    {
        (MapExtents, _) => Map(call, file.Inode, argument),
        (MapBlock, FileKind.Regular) => FindBlock(call, file.Inode, argument),
        _ => null,
    };

    private static CallResult Map(CallContext call, Inode inode, GuestAddress address)
    {
        if (inode.NextExtent(0, out _) == Errno.EOPNOTSUPP)
            return Errno.EOPNOTSUPP;
        if (!call.Memory.TryRead(address, out ExtentMap header))
            return Errno.EFAULT;
        if (header.Room > MostExtents || header.Length == 0)
            return Errno.EINVAL;
        if (header.Start > long.MaxValue)
            return Errno.EFBIG;
        Errno error = Errno.None;
        header.Mapped = 0;
        if ((header.Flags & ~Known) != 0)
        {
            header.Flags &= ~Known;
            error = Errno.EBADR;
        }
        else
        {
            error = Fill(call, inode, address + HeaderSize, ref header);
        }
        return call.Memory.TryWrite(address, header) ? error : Errno.EFAULT;
    }

    /// <summary>Each is told when the next is known; what ends the range is the last.</summary>
    private static Errno Fill(CallContext call, Inode inode, GuestAddress extents, ref ExtentMap header)
    {
        long end = header.Length > (ulong)long.MaxValue - header.Start ? long.MaxValue : (long)(header.Start + header.Length), at = (long)header.Start;
        FileExtent? before = null;
        while (true)
        {
            Errno error = inode.NextExtent(at, out FileExtent extent);
            if (error != Errno.None)
                return error;
            bool isOver = extent.Length == 0 || extent.Offset >= end;
            bool isFull = false;
            if (before is { } told && !Tell(call, extents, ref header, told, isOver ? Last : 0, out isFull))
                return Errno.EFAULT;
            if (isOver || isFull)
                return Errno.None;
            before = extent;
            at = extent.Offset + extent.Length;
        }
    }

    private static bool Tell(CallContext call, GuestAddress extents, ref ExtentMap header, in FileExtent extent, uint flags, out bool isFull)
    {
        flags |= (extent.IsUnwritten ? Unwritten : 0) | (extent.IsMerged ? Merged : 0);
        isFull = header.Room != 0 && header.Mapped + 1 >= header.Room;
        if (header.Room != 0 && header.Mapped >= header.Room)
            return true;
        ulong place = header.Mapped++ * 56UL;
        return header.Room == 0 || call.Memory.TryWrite(extents + place, new MappedExtent
        {
            Logical = (ulong)extent.Offset, Physical = (ulong)extent.Place, Length = (ulong)extent.Length, Flags = flags,
        });
    }

    private static CallResult FindBlock(CallContext call, Inode inode, GuestAddress address)
    {
        if (!call.Thread.Credentials.Has(Capability.RawIo))
            return Errno.EPERM;
        if (!call.Memory.TryRead(address, out int block))
            return Errno.EFAULT;
        long size = inode.Status.BlockSize;
        if (block < 0 || inode.NextExtent(0, out _) == Errno.EOPNOTSUPP)
            return Errno.EINVAL;
        Errno error = inode.NextExtent(block * size, out FileExtent extent);
        bool isThere = error == Errno.None && extent.Length > 0 && extent.Offset <= block * size;
        long place = isThere ? (extent.Place + (block * size) - extent.Offset) / size : 0;
        if (place > int.MaxValue)
            return Errno.ERANGE;
        return call.Memory.TryWrite(address, (int)place) ? error : Errno.EFAULT;
    }
}
