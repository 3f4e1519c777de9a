using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>A block of a volume's structures, as it is or will be on the device.</summary>
internal sealed class ExtBlock(ulong number, byte[] data)
{
    public ulong Number => number;

    public byte[] Data => data;

    /// <summary>It is not yet on the device as it is here.</summary>
    public bool IsDirty { get; set; }

    /// <summary>What it says was found to be right.</summary>
    public bool IsChecked { get; set; }
}

/// <summary>
/// Blocks of a volume's structures: descriptors, bitmaps, inodes, directories, maps. Those that changed go to the device when it is synchronized. They are
/// dropped between operations only, so that within one a block is the same object.
/// </summary>
internal sealed class ExtBlockCache(LoopDevice device, int blockSize, MemoryAccountant accountant)
{
    /// <summary>About four megabytes.</summary>
    private readonly int _capacity = (4 << 20) / blockSize;

    private readonly Dictionary<ulong, ExtBlock> _blocks = [];

    /// <summary>Reads a block; EIO, ENOMEM when the world has no memory for it.</summary>
    public Errno Read(ulong number, out ExtBlock block)
    {
        if (_blocks.TryGetValue(number, out ExtBlock? known))
        {
            block = known;
            return Errno.None;
        }
        Errno error = Add(number, out block);
        if (error != Errno.None)
            return error;
        IoResult read = device.Read((long)number * blockSize, block.Data);
        if (read.Error == Errno.None && read.Count == blockSize)
            return Errno.None;
        Forget(number);
        return Errno.EIO;
    }

    /// <summary>A block of zeros in place of whatever there is.</summary>
    public Errno New(ulong number, out ExtBlock block)
    {
        Forget(number);
        Errno error = Add(number, out block);
        block.IsDirty = block.IsChecked = true;
        return error;
    }

    /// <summary>What it says is of no interest any more.</summary>
    public void Forget(ulong number)
    {
        if (_blocks.Remove(number))
            accountant.Release((ulong)blockSize);
    }

    private Errno Add(ulong number, out ExtBlock block)
    {
        block = new ExtBlock(number, new byte[blockSize]);
        if (!accountant.TryCharge((ulong)blockSize))
            return Errno.ENOMEM;
        _blocks.Add(number, block);
        return Errno.None;
    }

    /// <summary>Makes room, between operations.</summary>
    public void Trim()
    {
        if (_blocks.Count <= _capacity)
            return;
        Write();
        Drop();
    }

    /// <summary>Writes what changed, in the device's order; EIO when the device refuses.</summary>
    public Errno Write()
    {
        List<ExtBlock> dirty = [];
        foreach (ExtBlock block in _blocks.Values)
        {
            if (block.IsDirty)
                dirty.Add(block);
        }
        dirty.Sort(static (left, right) => left.Number.CompareTo(right.Number));
        Errno error = Errno.None;
        foreach (ExtBlock block in dirty)
        {
            IoResult written = device.Write((long)block.Number * blockSize, block.Data);
            block.IsDirty = false;
            if (written.Error != Errno.None || written.Count != blockSize)
                error = Errno.EIO;
        }
        return error;
    }

    /// <summary>Forgets all.</summary>
    public void Drop()
    {
        accountant.Release((ulong)_blocks.Count * (ulong)blockSize);
        _blocks.Clear();
    }
}
