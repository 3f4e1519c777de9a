using System.Numerics;
using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Blocks of a volume: which are taken.</summary>
internal sealed partial class ExtVolume
{
    /// <summary>
    /// Takes up to so many neighbouring blocks, as near behind a place as there are any; ENOSPC when only those are left that are reserved for others.
    /// </summary>
    public Errno TakeBlocks(ulong goal, uint most, out ulong first, out uint count)
    {
        (first, count) = (0, 0);
        ulong reserved = FreeBlocks > Super.ReservedBlocks || MayUseReserved() ? 0 : Super.ReservedBlocks;
        if (FreeBlocks <= reserved)
            return Errno.ENOSPC;
        most = (uint)Math.Min(most, FreeBlocks > Super.ReservedBlocks && !MayUseReserved() ? FreeBlocks - Super.ReservedBlocks : FreeBlocks);
        if (!IsBlock(goal))
            goal = Super.FirstDataBlock + 1;
        uint start = (uint)((goal - Super.FirstDataBlock) / Super.BlocksPerGroup), groups = Super.Groups;
        uint from = (uint)((goal - Super.FirstDataBlock) % Super.BlocksPerGroup);
        // The goal's group comes again at the end, for what lies before the goal.
        for (uint i = 0; i <= groups; i++)
        {
            Errno error = TakeFrom((start + i) % groups, i == 0 ? from : 0, most, out first, out count);
            if (error == Errno.None && count > 0)
                return Errno.None;
            if (error is not (Errno.None or Errno.EUCLEAN or Errno.EBADMSG))
                return error;
        }
        return Errno.ENOSPC;
    }

    private Errno TakeFrom(uint number, uint from, uint most, out ulong first, out uint count)
    {
        (first, count) = (0, 0);
        Errno error = FindGroup(number, out ExtGroup group);
        if (error != Errno.None || group.FreeBlocks == 0)
            return error;
        error = ReadBlockBitmap(group, out ExtBlock bitmap);
        if (error != Errno.None)
            return error;
        uint end = BlocksIn(number), bit = FindClear(bitmap.Data, from, end);
        if (bit >= end)
            return Errno.None;
        most = Math.Min(most, group.FreeBlocks);
        while (count < most && bit + count < end && !IsSet(bitmap.Data, bit + count))
        {
            Set(bitmap.Data, bit + count);
            count++;
        }
        first = Super.FirstDataBlock + ((ulong)number * Super.BlocksPerGroup) + bit;
        group.Flags &= ~ExtGroupFlags.BlocksUnused;
        group.FreeBlocks -= count;
        FreeBlocks -= Math.Min(count, FreeBlocks);
        SealBlocks(group, bitmap);
        return Errno.None;
    }

    /// <summary>Gives blocks back; EUCLEAN when one of them was free, or is no block that could have been taken.</summary>
    public Errno FreeBlocksAt(ulong first, ulong count)
    {
        if (!IsRun(first, count))
            return Corrupt($"freeing blocks not in datazone - block = {first}, count = {count}");
        while (count > 0)
        {
            uint number = (uint)((first - Super.FirstDataBlock) / Super.BlocksPerGroup), bit = (uint)((first - Super.FirstDataBlock) % Super.BlocksPerGroup);
            uint here = (uint)Math.Min(count, BlocksIn(number) - bit);
            Errno error = FreeIn(number, bit, here);
            if (error != Errno.None)
                return error;
            for (uint i = 0; i < here; i++)
                Cache.Forget(first + i);
            first += here;
            count -= here;
        }
        return Errno.None;
    }

    private Errno FreeIn(uint number, uint bit, uint count)
    {
        Errno error = FindGroup(number, out ExtGroup group);
        if (error == Errno.None && HoldsStructures(group, number, bit, count))
            error = Corrupt($"freeing blocks in system zone - group {number}, bit {bit}");
        ExtBlock bitmap = null!;
        if (error == Errno.None)
            error = ReadBlockBitmap(group, out bitmap);
        if (error != Errno.None)
            return error;
        uint freed = 0;
        while (freed < count && IsSet(bitmap.Data, bit + freed))
            Clear(bitmap.Data, bit + freed++);
        group.FreeBlocks = Math.Min(group.FreeBlocks + freed, BlocksIn(number));
        FreeBlocks += freed;
        SealBlocks(group, bitmap);
        return freed == count ? Errno.None : Corrupt($"bit already cleared for block in group {number}");
    }

    /// <summary>Structures of the group itself are no file's blocks.</summary>
    private bool HoldsStructures(in ExtGroup group, uint number, uint bit, uint count)
    {
        ulong first = Super.FirstDataBlock + ((ulong)number * Super.BlocksPerGroup) + bit, end = first + count;
        bool Meets(ulong start, ulong blocks) => first < start + blocks && start < end;
        return bit < Super.CopiedBlocks(number) || Meets(group.BlockBitmap, 1) || Meets(group.InodeBitmap, 1) || Meets(group.InodeTable, TableBlocks);
    }

    /// <summary>The bitmap of a group's blocks; made when the group was never used.</summary>
    private Errno ReadBlockBitmap(in ExtGroup group, out ExtBlock bitmap)
    {
        bool isNew = Super.HasGroupChecksums && (group.Flags & ExtGroupFlags.BlocksUnused) != 0;
        Errno error = isNew ? Cache.New(group.BlockBitmap, out bitmap) : Cache.Read(group.BlockBitmap, out bitmap);
        if (error != Errno.None)
            return error;
        if (isNew)
        {
            FillNew(group, bitmap.Data);
            ExtGroup made = group;
            made.Flags &= ~ExtGroupFlags.BlocksUnused;
            SealBlocks(made, bitmap);
        }
        if (bitmap.IsChecked || !Super.HasChecksums)
            return Errno.None;
        bitmap.IsChecked = group.BlockBitmapChecksum == group.Fit(BitmapChecksum(bitmap, Super.BlocksPerGroup), ofInodes: false);
        return bitmap.IsChecked ? Errno.None : Corrupt($"bg {group.Number}: bad block bitmap checksum", Errno.EBADMSG);
    }

    private void FillNew(in ExtGroup group, byte[] bits)
    {
        ulong start = Super.FirstDataBlock + ((ulong)group.Number * Super.BlocksPerGroup);
        uint blocks = BlocksIn(group.Number);
        for (uint i = 0; i < Math.Min(Super.CopiedBlocks(group.Number), blocks); i++)
            Set(bits, i);
        void Take(ulong first, ulong count)
        {
            for (ulong at = first; at < first + count; at++)
            {
                if (at >= start && at < start + blocks)
                    Set(bits, (uint)(at - start));
            }
        }
        Take(group.BlockBitmap, 1);
        Take(group.InodeBitmap, 1);
        Take(group.InodeTable, TableBlocks);
        for (uint i = blocks; i < BlockSize * 8; i++)
            Set(bits, i);
    }

    private void SealBlocks(ExtGroup group, ExtBlock bitmap)
    {
        bitmap.IsDirty = true;
        if (Super.HasChecksums)
            group.BlockBitmapChecksum = BitmapChecksum(bitmap, Super.BlocksPerGroup);
        group.Seal(Super);
    }

    private uint BitmapChecksum(ExtBlock bitmap, uint bits) => Crc32.Of(Super.ChecksumSeed, bitmap.Data.AsSpan(0, (int)(bits / 8)));

    private static bool IsSet(byte[] bits, uint index) => (bits[index / 8] >> (int)(index % 8) & 1) != 0;

    private static void Set(byte[] bits, uint index) => bits[index / 8] |= (byte)(1 << (int)(index % 8));

    private static void Clear(byte[] bits, uint index) => bits[index / 8] &= (byte)~(1 << (int)(index % 8));

    /// <summary>The first clear bit from a place on; the end when there is none.</summary>
    private static uint FindClear(byte[] bits, uint from, uint end)
    {
        while (from < end && from % 64 != 0)
        {
            if (!IsSet(bits, from))
                return from;
            from++;
        }
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bits);
        for (; from < end; from += 64)
        {
            ulong clear = ~words[(int)(from / 64)];
            if (clear != 0)
                return Math.Min(end, from + (uint)BitOperations.TrailingZeroCount(clear));
        }
        return end;
    }
}
