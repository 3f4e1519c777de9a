using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Bsd.Abi;

/// <summary>A layout of struct stat; what a field has no room for is cut.</summary>
/// <param name="size">Of the structure, in bytes.</param>
/// <param name="fields">Place and width of device, inode, mode, links, user, group, device of a special file, size, blocks, size of a block.</param>
/// <param name="times">Where the times of access, modification and change are, one behind the other.</param>
/// <param name="birthTime">Where the time of birth is.</param>
internal sealed class BsdStat(int size, (int Offset, int Width)[] fields, int times, int birthTime)
{
    /// <summary>Of FreeBSD since 12, with 64-bit inodes.</summary>
    public static BsdStat FreeBsd { get; } = new(
        224, [(0, 8), (8, 8), (24, 2), (16, 8), (28, 4), (32, 4), (40, 8), (112, 8), (120, 8), (128, 4)], times: 48, birthTime: 96);

    /// <summary>struct freebsd11_stat.</summary>
    public static BsdStat FreeBsd11 { get; } = new(
        120, [(0, 4), (4, 4), (8, 2), (10, 2), (12, 4), (16, 4), (20, 4), (72, 8), (80, 8), (88, 4)], times: 24, birthTime: 104);

    /// <summary>Of NetBSD since 5.0.</summary>
    public static BsdStat NetBsd { get; } = new(
        152, [(0, 8), (16, 8), (8, 4), (24, 4), (28, 4), (32, 4), (40, 8), (112, 8), (120, 8), (128, 4)], times: 48, birthTime: 96);

    /// <summary>EFAULT.</summary>
    public CallResult Store(CallContext call, GuestAddress address, in FileStatus status)
    {
        Span<byte> bytes = stackalloc byte[size];
        bytes.Clear();
        ReadOnlySpan<ulong> values =
        [
            status.Device, status.Inode, FileType.Encode(status.Kind) | status.Mode, status.Links, status.User, status.Group, status.RawDevice,
            (ulong)status.Size, (ulong)status.Blocks, status.BlockSize,
        ];
        for (int i = 0; i < values.Length; i++)
        {
            (int offset, int width) = fields[i];
            if (width == 8)
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], values[i]);
            else if (width == 4)
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[offset..], (uint)values[i]);
            else
                BinaryPrimitives.WriteUInt16LittleEndian(bytes[offset..], (ushort)values[i]);
        }
        Put(bytes[times..], status.AccessTime);
        Put(bytes[(times + 16)..], status.ModifyTime);
        Put(bytes[(times + 32)..], status.ChangeTime);
        // File systems that keep none tell the time of the last change.
        Put(bytes[birthTime..], status.HasBirthTime ? status.BirthTime : status.ChangeTime);
        return call.Memory.TryWrite(address, bytes) ? CallResult.Ok() : Errno.EFAULT;
    }

    private static void Put(Span<byte> place, long nanoseconds)
    {
        FileTime time = FileTime.From(nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(place, time.Seconds);
        BinaryPrimitives.WriteInt64LittleEndian(place[8..], time.Nanoseconds);
    }
}
