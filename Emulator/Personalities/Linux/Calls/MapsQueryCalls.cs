using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl(2) on /proc/PID/maps: one mapping instead of all (PROCMAP_QUERY of linux/fs.h).</summary>
internal static class MapsQueryCalls
{
    private const uint Query = 0xC0686611;
    private const uint Readable = 1, Writable = 2, Executable = 4, Shared = 8, OrNext = 16, FileBacked = 32;
    private const int Size = 104, LeastSize = 24;

    // Words of struct procmap_query, and its 32-bit members behind them.
    private const int FlagsWord = 1, AddressWord = 2, StartWord = 3, EndWord = 4, KindWord = 5, PageSizeWord = 6, OffsetWord = 7, NodeWord = 8, NameWord = 11, BuildWord = 12;
    private const int NameSizeHalf = 20, BuildSizeHalf = 21;

    /// <summary>Null for files and requests of other kinds.</summary>
    public static CallResult? Control(CallContext call, Kernel.Files.OpenFile file, uint request, GuestAddress argument)
    {
        if (request != Query || file.Inode is not ProcText { Maps: { } maps })
            return null;
        if (!call.Memory.TryRead(argument, out ulong size))
            return Errno.EFAULT;
        if (size is < LeastSize or > (ulong)GuestAddress.PageSize)
            return size < LeastSize ? Errno.EINVAL : Errno.E2BIG;
        byte[] bytes = new byte[Math.Max(size, Size)];
        if (!call.Memory.TryRead(argument, bytes.AsSpan(0, (int)size)))
            return Errno.EFAULT;
        if (bytes.AsSpan(Size).ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        Errno error = Answer(call, maps(), bytes.AsSpan(0, Size));
        if (error != Errno.None)
            return error;
        return call.Memory.TryWrite(argument, bytes.AsSpan(0, (int)Math.Min(size, Size))) ? 0 : Errno.EFAULT;
    }

    private static Errno Answer(CallContext call, AddressSpace? memory, Span<byte> query)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(query);
        Span<uint> halves = MemoryMarshal.Cast<byte, uint>(query);
        uint flags = (uint)words[FlagsWord];
        if ((words[FlagsWord] & ~0x3FUL) != 0 || (halves[NameSizeHalf] == 0) != (words[NameWord] == 0) || (halves[BuildSizeHalf] == 0) != (words[BuildWord] == 0))
            return Errno.EINVAL;
        if (memory is null)
            return Errno.ESRCH;
        if (Find(memory, words[AddressWord], flags) is not { } area)
            return Errno.ENOENT;
        (words[StartWord], words[EndWord], words[KindWord]) = (area.Start.Value, area.End.Value, KindOf(area));
        (words[PageSizeWord], words[OffsetWord], words[NodeWord]) = (GuestAddress.PageSize, area.Offset, 0);
        halves[NodeWord * 2 + 2] = halves[NodeWord * 2 + 3] = 0;
        if (halves[BuildSizeHalf] != 0)
            halves[BuildSizeHalf] = 0;
        if (halves[NameSizeHalf] == 0)
            return Errno.None;
        byte[] name = area.Name is { Length: > 0 } text ? [.. Encoding.UTF8.GetBytes(text), 0] : [];
        if (name.Length > halves[NameSizeHalf])
            return Errno.ENAMETOOLONG;
        halves[NameSizeHalf] = (uint)name.Length;
        return call.Memory.TryWrite(new GuestAddress(words[NameWord]), name) ? Errno.None : Errno.EFAULT;
    }

    private static AreaInfo? Find(AddressSpace memory, ulong address, uint flags)
    {
        const uint permissions = Readable | Writable | Executable | Shared;
        foreach (AreaInfo area in memory.Areas())
        {
            if (area.End.Value <= address)
                continue;
            if (area.Start.Value > address && (flags & OrNext) == 0)
                return null;
            bool isFit = (flags & permissions & ~KindOf(area)) == 0 && ((flags & FileBacked) == 0 || area.Object is not null);
            if (isFit)
                return area;
            if ((flags & OrNext) == 0)
                return null;
        }
        return null;
    }

    private static uint KindOf(in AreaInfo area) =>
        ((area.Protection & Protection.Read) != 0 ? Readable : 0) | ((area.Protection & Protection.Write) != 0 ? Writable : 0)
        | ((area.Protection & Protection.Execute) != 0 ? Executable : 0) | (area.Shared ? Shared : 0);
}
