using System.Text;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>What volumes need of the world they are mounted in.</summary>
public sealed record ExtParts(IClock Clock, RandomBytes Random, MemoryAccountant Accountant, Func<MemoryObject> NewContent, Func<bool> MayUseReserved);

/// <summary>The types ext2, ext3 and ext4 of mount(2). One driver serves all: a type says what a volume may have (ext4(5)).</summary>
public static class ExtType
{
    private static readonly HashSet<string> Words = new(StringComparer.Ordinal)
    {
        "acl", "noacl", "user_xattr", "nouser_xattr", "barrier", "nobarrier", "noload", "norecovery", "discard", "nodiscard", "delalloc", "nodelalloc", "nogrpid",
        "sysvgroups", "bsddf", "init_itable", "noinit_itable", "journal_checksum", "nojournal_checksum", "journal_async_commit", "dioread_lock", "dioread_nolock",
        "auto_da_alloc", "noauto_da_alloc", "debug", "nocheck", "nouid32", "block_validity", "noblock_validity", "lazytime", "nolazytime", "noquota", "nomblk_io_submit",
        "mblk_io_submit", "i_version", "prefetch_block_bitmaps", "no_prefetch_block_bitmaps",
    };

    private static readonly HashSet<string> Numbers = new(StringComparer.Ordinal)
    {
        "barrier", "commit", "stripe", "init_itable", "max_batch_time", "min_batch_time", "inode_readahead_blks", "journal_ioprio", "auto_da_alloc", "max_dir_size_kb", "mb_optimize_scan",
    };

    public static void Register(Vfs vfs, ExtParts parts)
    {
        foreach (string type in (string[])["ext3", "ext2", "ext4"])
            vfs.FileSystemTypes[type] = new FileSystemType(type, (in FileSystemRequest request, out FileSystem? made) => Make(vfs, parts, type, request, out made), Accepts) { Change = Change };
    }

    private static bool Accepts(string key, string? value) => (key, value) switch
    {
        (_, null) => Words.Contains(key),
        ("errors", "continue" or "remount-ro" or "panic") or ("data", "ordered" or "writeback" or "journal") or ("check", "none") => true,
        _ => Numbers.Contains(key) && uint.TryParse(value, out _),
    };

    /// <summary>What it is mounted with changes how it is written: to be only read, or again to be written.</summary>
    private static Errno Change(FileSystem fileSystem, FileSystemChange change)
    {
        var volume = (ExtFileSystem)fileSystem;
        volume.SetPolicy(change.Options);
        if (change.IsReadOnly)
            return volume.EndWriting();
        if (volume.Device.IsReadOnly)
            return Errno.EROFS;
        return ExtMount.MayWrite(volume.Volume) ? volume.BeginWriting() : Errno.EROFS;
    }

    private static Errno Make(Vfs vfs, ExtParts parts, string type, in FileSystemRequest request, out FileSystem? made)
    {
        made = null;
        Errno error = FindDevice(vfs, request, out LoopDevice? device);
        if (error != Errno.None)
            return error;
        if (device!.Volume is ExtFileSystem known)
        {
            made = known;
            return known.TypeName != type || known.ForbidsChanges != request.IsReadOnly ? Errno.EBUSY : Errno.None;
        }
        if (device.IsClaimed)
            return Errno.EBUSY;
        if (device.IsReadOnly && !request.IsReadOnly)
            return Errno.EACCES;
        World world = request.Call.World;
        error = ExtMount.Make(parts, device, type, request, text => world.Log.Add(text), out ExtFileSystem? opened);
        made = opened;
        return error;
    }

    /// <summary>The block device that a path names: ENOTBLK, EACCES on a mount without devices, ENXIO when nothing drives it.</summary>
    private static Errno FindDevice(Vfs vfs, in FileSystemRequest request, out LoopDevice? device)
    {
        device = null;
        if (request.Source.Length == 0)
            return Errno.EINVAL;
        CallContext call = request.Call;
        var caller = new FileCaller(call.Process.FileContext, call.Thread.FileCredentials, call);
        Errno error = vfs.Resolve(caller, call.Process.FileContext.WorkingDirectory, Encoding.Latin1.GetBytes(request.Source), WalkFlags.Follow, out PathEntry? path);
        if (error != Errno.None)
            return error;
        if (path!.Inode.Kind != FileKind.BlockDevice)
            return Errno.ENOTBLK;
        if (path.Mount.NoDevices)
            return Errno.EACCES;
        device = vfs.Loops.FindBlock(path.Inode.Status.RawDevice);
        return device is null ? Errno.ENXIO : Errno.None;
    }
}
