namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Inodes of a volume: which are taken.</summary>
internal sealed partial class ExtVolume
{
    /// <summary>Takes an inode, in its directory's group or the next with room; for a directory in the group with most room. ENOSPC when there is none.</summary>
    public Errno TakeInode(uint parent, bool isDirectory, out uint number)
    {
        number = 0;
        if (FreeInodes == 0)
            return Errno.ENOSPC;
        uint groups = Super.Groups, start = (parent - 1) / Super.InodesPerGroup;
        if (isDirectory && BestForDirectory(out start) is var error and not Errno.None)
            return error;
        for (uint i = 0; i < groups; i++)
        {
            error = TakeInodeFrom((start + i) % groups, isDirectory, out number);
            if (error == Errno.None && number != 0)
                return Errno.None;
            if (error is not (Errno.None or Errno.EUCLEAN or Errno.EBADMSG))
                return error;
        }
        return Errno.ENOSPC;
    }

    /// <summary>The group with most free blocks among those with at least the average of free inodes.</summary>
    private Errno BestForDirectory(out uint best)
    {
        best = 0;
        uint most = 0, average = FreeInodes / Super.Groups;
        for (uint i = 0; i < Super.Groups; i++)
        {
            Errno error = FindGroup(i, out ExtGroup group);
            if (error != Errno.None)
                return error;
            if (group.FreeInodes > 0 && group.FreeInodes >= average && group.FreeBlocks > most)
                (best, most) = (i, group.FreeBlocks);
        }
        return Errno.None;
    }

    private Errno TakeInodeFrom(uint number, bool isDirectory, out uint inode)
    {
        inode = 0;
        Errno error = FindGroup(number, out ExtGroup group);
        if (error != Errno.None || group.FreeInodes == 0)
            return error;
        error = ReadInodeBitmap(group, out ExtBlock bitmap);
        if (error != Errno.None)
            return error;
        // Those before the first that is free for all are the volume's own.
        uint index = FindClear(bitmap.Data, number == 0 ? Super.FirstInode - 1 : 0, Super.InodesPerGroup);
        if (index >= Super.InodesPerGroup)
            return Errno.None;
        Set(bitmap.Data, index);
        group.Flags &= ~ExtGroupFlags.InodesUnused;
        if (Super.HasGroupChecksums && index >= Super.InodesPerGroup - Math.Min(group.UnusedInodes, Super.InodesPerGroup))
            group.UnusedInodes = Super.InodesPerGroup - index - 1;
        group.FreeInodes--;
        group.Directories += isDirectory ? 1u : 0;
        FreeInodes -= Math.Min(1, FreeInodes);
        SealInodes(group, bitmap);
        // Who reads the group's inodes sees those of blocks that were never used, too: a group's bitmap of blocks comes with its first inode.
        error = ReadBlockBitmap(group, out _);
        inode = (number * Super.InodesPerGroup) + index + 1;
        return error;
    }

    public bool IsTaken(uint inode)
    {
        Errno error = FindGroup((inode - 1) / Super.InodesPerGroup, out ExtGroup group);
        ExtBlock bitmap = null!;
        if (error == Errno.None)
            error = ReadInodeBitmap(group, out bitmap);
        return error == Errno.None && IsSet(bitmap.Data, (inode - 1) % Super.InodesPerGroup);
    }

    public Errno FreeInode(uint inode, bool isDirectory)
    {
        uint number = (inode - 1) / Super.InodesPerGroup, index = (inode - 1) % Super.InodesPerGroup;
        Errno error = FindGroup(number, out ExtGroup group);
        ExtBlock bitmap = null!;
        if (error == Errno.None)
            error = ReadInodeBitmap(group, out bitmap);
        if (error != Errno.None)
            return error;
        if (inode < Super.FirstInode || !IsSet(bitmap.Data, index))
            return Corrupt($"bit already cleared for inode {inode}");
        Clear(bitmap.Data, index);
        group.FreeInodes = Math.Min(group.FreeInodes + 1, Super.InodesPerGroup);
        if (isDirectory && group.Directories > 0)
            group.Directories--;
        FreeInodes++;
        SealInodes(group, bitmap);
        return Errno.None;
    }

    private Errno ReadInodeBitmap(in ExtGroup group, out ExtBlock bitmap)
    {
        bool isNew = Super.HasGroupChecksums && (group.Flags & ExtGroupFlags.InodesUnused) != 0;
        Errno error = isNew ? Cache.New(group.InodeBitmap, out bitmap) : Cache.Read(group.InodeBitmap, out bitmap);
        if (error != Errno.None)
            return error;
        if (isNew)
        {
            for (uint i = Super.InodesPerGroup; i < BlockSize * 8; i++)
                Set(bitmap.Data, i);
            ExtGroup made = group;
            made.Flags &= ~ExtGroupFlags.InodesUnused;
            SealInodes(made, bitmap);
        }
        if (bitmap.IsChecked || !Super.HasChecksums)
            return Errno.None;
        bitmap.IsChecked = group.InodeBitmapChecksum == group.Fit(BitmapChecksum(bitmap, Super.InodesPerGroup), ofInodes: true);
        return bitmap.IsChecked ? Errno.None : Corrupt($"bg {group.Number}: bad inode bitmap checksum", Errno.EBADMSG);
    }

    private void SealInodes(ExtGroup group, ExtBlock bitmap)
    {
        bitmap.IsDirty = true;
        if (Super.HasChecksums)
            group.InodeBitmapChecksum = BitmapChecksum(bitmap, Super.InodesPerGroup);
        group.Seal(Super);
    }
}
