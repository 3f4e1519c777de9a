using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// A volume on a device: its super block, groups and blocks. Nothing of what it says is believed: EUCLEAN tells that it cannot be so, EBADMSG that a checksum is
/// wrong, and either is noted in the super block, for e2fsck(8).
/// </summary>
internal sealed partial class ExtVolume
{
    private readonly LoopDevice _device;
    private readonly Action<string> _log;
    private int _complaints;

    public ExtVolume(LoopDevice device, ExtSuperBlock super, MemoryAccountant accountant, Action<string> log)
    {
        _device = device;
        _log = log;
        Super = super;
        Accountant = accountant;
        BlockSize = super.BlockSize;
        Cache = new ExtBlockCache(device, BlockSize, accountant);
    }

    public ExtSuperBlock Super { get; }

    public MemoryAccountant Accountant { get; }

    public ExtBlockCache Cache { get; }

    public int BlockSize { get; }

    public ulong FreeBlocks { get; private set; }

    public uint FreeInodes { get; private set; }

    /// <summary>Whoever asks may have the reserved blocks, too.</summary>
    public Func<bool> MayUseReserved { get; init; } = static () => true;

    /// <summary>A block that data may be in.</summary>
    public bool IsBlock(ulong number) => number > Super.FirstDataBlock && number < Super.Blocks;

    public bool IsRun(ulong first, ulong count) => IsBlock(first) && count <= Super.Blocks - first;

    /// <summary>Reads bytes of a block that was checked.</summary>
    public Errno ReadData(ulong block, int offset, Span<byte> destination)
    {
        IoResult read = _device.Read(((long)block * BlockSize) + offset, destination);
        return read.Error == Errno.None && read.Count == destination.Length ? Errno.None : Errno.EIO;
    }

    public Errno WriteData(ulong block, int offset, ReadOnlySpan<byte> source)
    {
        IoResult written = _device.Write(((long)block * BlockSize) + offset, source);
        return written.Error == Errno.None && written.Count == source.Length ? Errno.None : Errno.EIO;
    }

    private ulong _held;

    /// <summary>Charges the world with what is kept in memory of the volume; false when it has no more.</summary>
    public bool TryHold(ulong bytes)
    {
        if (!Accountant.TryCharge(bytes))
            return false;
        _held += bytes;
        return true;
    }

    public void LetGo(ulong bytes)
    {
        bytes = Math.Min(bytes, _held);
        _held -= bytes;
        Accountant.Release(bytes);
    }

    /// <summary>Gives all memory back.</summary>
    public void Drop()
    {
        Cache.Drop();
        LetGo(_held);
    }

    /// <summary>Notes what cannot be, and says so in the kernel's log.</summary>
    public Errno Corrupt(string what, Errno error = Errno.EUCLEAN)
    {
        const int mostComplaints = 10;
        Super.State |= ExtSuperBlock.StateErrors;
        if (_complaints++ < mostComplaints)
            _log($"EXT4-fs error (device loop{_device.Number}): {what}");
        Failed?.Invoke();
        return error;
    }

    /// <summary>Called when something was found that cannot be.</summary>
    public Action? Failed { get; set; }

    /// <summary>Blocks of structures that no file can have, as statfs(2) leaves them out.</summary>
    public ulong Overhead { get; private set; }

    private Errno CountOverhead()
    {
        ulong copies = 0;
        for (uint i = 0; i < Super.Groups; i++)
            copies += Super.CopiedBlocks(i);
        Overhead = Super.FirstDataBlock + copies + ((ulong)Super.Groups * (TableBlocks + 2));
        if (!Super.Has(ExtCompatible.HasJournal) || Super.JournalInode == 0 || Super.JournalInode > Super.Inodes)
            return Errno.None;
        var journal = new ExtRecord(this, Super.JournalInode);
        Errno error = journal.Load();
        Overhead += error == Errno.None ? (ulong)Math.Max(0, journal.Size) / (uint)BlockSize : 0;
        return error;
    }

    /// <summary>The descriptor of a group, whose places are within the volume.</summary>
    public Errno FindGroup(uint number, out ExtGroup group)
    {
        group = default;
        Errno error = Cache.Read(Super.DescriptorBlock(number), out ExtBlock block);
        if (error != Errno.None)
            return error;
        uint perBlock = (uint)(BlockSize / Super.DescriptorSize);
        group = new ExtGroup(number, block, (int)(number % perBlock) * Super.DescriptorSize, Super.DescriptorSize);
        bool isRight = IsBlock(group.BlockBitmap) && IsBlock(group.InodeBitmap) && IsRun(group.InodeTable, TableBlocks);
        return isRight ? Errno.None : Corrupt($"group {number}: bitmap or inode table not in filesystem");
    }

    /// <summary>Blocks of a group's inode table.</summary>
    private uint TableBlocks => (uint)((ulong)Super.InodesPerGroup * (uint)Super.InodeSize / (uint)BlockSize);

    private uint BlocksIn(uint group) => (uint)Math.Min(Super.BlocksPerGroup, Super.Blocks - Super.FirstDataBlock - ((ulong)group * Super.BlocksPerGroup));

    /// <summary>Looks at all groups, and counts what is free.</summary>
    public Errno Open()
    {
        for (uint i = 0; i < Super.Groups; i++)
        {
            Errno error = FindGroup(i, out ExtGroup group);
            if (error != Errno.None)
                return error;
            if (!group.IsSealed(Super))
                return Corrupt($"Checksum for group {i} failed");
            FreeBlocks += Math.Min(group.FreeBlocks, BlocksIn(i));
            FreeInodes += Math.Min(group.FreeInodes, Super.InodesPerGroup);
            Cache.Trim();
        }
        return CountOverhead();
    }

    /// <summary>The block and the place in it of an inode, from 1 on.</summary>
    public Errno FindInode(uint number, out ExtBlock block, out int place)
    {
        uint index = (number - 1) % Super.InodesPerGroup, perBlock = (uint)(BlockSize / Super.InodeSize);
        place = (int)(index % perBlock) * Super.InodeSize;
        block = null!;
        Errno error = FindGroup((number - 1) / Super.InodesPerGroup, out ExtGroup group);
        return error != Errno.None ? error : Cache.Read(group.InodeTable + (index / perBlock), out block);
    }

    /// <summary>Writes what changed to the device.</summary>
    public Errno Write(uint now)
    {
        Super.FreeBlocks = FreeBlocks;
        Super.FreeInodes = FreeInodes;
        Super.WriteTime = now;
        Errno error = Cache.Write();
        IoResult written = _device.Write(ExtSuperBlock.Place, Super.Seal());
        return written.Error == Errno.None ? error : Errno.EIO;
    }
}
