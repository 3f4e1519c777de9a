namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Neighbouring blocks of a file that are neighbours on the volume, too; at block 0 a hole. Those that are unwritten read as zeros.</summary>
internal readonly record struct ExtRun(ulong Block, uint Count, bool IsUnwritten)
{
    public bool IsHole => Block == 0;

    /// <summary>It has data.</summary>
    public bool IsWritten => Block != 0 && !IsUnwritten;
}

/// <summary>Where the blocks of a file are.</summary>
internal abstract class ExtMap(ExtRecord record)
{
    protected ExtRecord Record => record;

    protected ExtVolume Volume => record.Volume;

    /// <summary>Blocks that a file can have.</summary>
    public abstract ulong MostBlocks { get; }

    /// <summary>What is at a block of the file, and how far it goes on like that, at most <paramref name="most"/> blocks; a hole may be told in parts.</summary>
    public abstract Errno Find(ulong logical, uint most, out ExtRun run);

    /// <summary>Fills a hole, of which this is a block, from there on by at most so many blocks: ENOSPC.</summary>
    public abstract Errno Fill(ulong logical, uint most, bool isUnwritten, out ExtRun run);

    /// <summary>Unwritten blocks have data now, or the reverse.</summary>
    public abstract Errno Mark(ulong logical, uint count, bool isUnwritten);

    /// <summary>Frees blocks: what was there is a hole.</summary>
    public abstract Errno Remove(ulong logical, ulong count);

    /// <summary>The first block at or behind one that is no hole; <see cref="MostBlocks"/> when there is none.</summary>
    public abstract Errno NextMapped(ulong logical, out ulong next);

    /// <summary>What is mapped at or behind an offset, for FS_IOC_FIEMAP; a length of 0 when there is nothing any more.</summary>
    public Errno NextExtent(long offset, out FileExtent extent)
    {
        extent = default;
        int blockSize = Volume.BlockSize;
        Errno error = NextMapped((ulong)(offset / blockSize), out ulong logical);
        if (error != Errno.None || logical >= MostBlocks)
            return error;
        error = Find(logical, uint.MaxValue, out ExtRun run);
        if (error != Errno.None)
            return error;
        // What goes on in another table of pointers is one all the same.
        bool isMerged = (record.Flags & ExtInodeFlags.Extents) == 0;
        uint count = run.Count;
        while (isMerged && Find(logical + count, uint.MaxValue, out ExtRun next) == Errno.None && next.Block == run.Block + count)
            count += next.Count;
        bool isLast = NextMapped(logical + count, out ulong following) == Errno.None && following >= MostBlocks;
        extent = new FileExtent((long)logical * blockSize, (long)run.Block * blockSize, (long)count * blockSize, run.IsUnwritten, isLast, isMerged);
        return Errno.None;
    }

    /// <summary>Moves all blocks from one on, over what is a hole; extents only.</summary>
    public virtual Errno Shift(ulong from, long by) => Errno.EOPNOTSUPP;

    public static ExtMap Of(ExtRecord record) => (record.Flags & ExtInodeFlags.Extents) != 0 ? new ExtExtents(record) : new ExtPointers(record);

    /// <summary>Where a file's first block should be: in its inode's group.</summary>
    protected ulong FirstGoal
    {
        get
        {
            ulong group = (record.Number - 1) / Volume.Super.InodesPerGroup;
            return Volume.Super.FirstDataBlock + (group * Volume.Super.BlocksPerGroup) + 1;
        }
    }
}
