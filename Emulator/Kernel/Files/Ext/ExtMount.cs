using Vivarium.Emulator.Kernel.Files.Devices;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Takes a volume into use: reads its super block, replays its journal, looks at its groups, and finishes what was left to be deleted.</summary>
internal static class ExtMount
{
    public static Errno Make(ExtParts parts, LoopDevice device, string type, in FileSystemRequest request, Action<string> log, out ExtFileSystem? made)
    {
        made = null;
        void Tell(string text) => log($"EXT4-fs (loop{device.Number}): {text}");
        Errno error = ReadSuper(device, out ExtSuperBlock? super, out string? problem);
        if (error == Errno.None)
            error = CheckFeatures(super!, type, request.IsReadOnly, out problem);
        if (problem is not null)
            Tell(problem);
        if (error != Errno.None)
            return error;
        ExtVolume volume = NewVolume(parts, device, super!, log);
        bool replays = super!.Has(ExtIncompatible.Recover) && !request.Options.Any(static option => option.Key is "noload" or "norecovery");
        if (replays)
        {
            error = Replay(device, volume, Tell);
            if (error == Errno.None)
                error = ReadSuper(device, out super, out problem);
            if (error != Errno.None)
                return error;
            volume = NewVolume(parts, device, super!, log);
        }
        error = volume.Open();
        var fileSystem = new ExtFileSystem(parts, device, volume, type) { ForbidsChanges = request.IsReadOnly };
        if (error == Errno.None)
            error = fileSystem.Enter();
        if (error == Errno.None)
            error = Begin(fileSystem, request, Tell);
        if (error != Errno.None)
        {
            volume.Drop();
            return error;
        }
        device.Open();
        device.Volume = fileSystem;
        made = fileSystem;
        return Errno.None;
    }

    private static ExtVolume NewVolume(ExtParts parts, LoopDevice device, ExtSuperBlock super, Action<string> log) =>
        new(device, super, parts.Accountant, log) { MayUseReserved = parts.MayUseReserved };

    private static Errno ReadSuper(LoopDevice device, out ExtSuperBlock? super, out string? problem)
    {
        byte[] raw = new byte[ExtSuperBlock.Length];
        IoResult read = device.Read(ExtSuperBlock.Place, raw);
        super = null;
        problem = "unable to read superblock";
        if (read.Error != Errno.None || read.Count != raw.Length)
            return Errno.EIO;
        super = new ExtSuperBlock(raw);
        return super.Check(device.Size, out problem);
    }

    /// <summary>EINVAL for features that are unknown, or that the type does not have.</summary>
    private static Errno CheckFeatures(ExtSuperBlock super, string type, bool isReadOnly, out string? problem)
    {
        uint others = (uint)(super.Incompatible & ~ExtIncompatible.Known);
        uint unwritable = (uint)(super.ReadOnlyCompatible & ~ExtReadOnlyCompatible.Known);
        problem = null;
        if (type != "ext4")
        {
            ExtIncompatible known = type == "ext2" ? ExtIncompatible.KnownToExt2 : ExtIncompatible.KnownToExt3;
            bool fits = (super.Incompatible & ~known) == 0 && (isReadOnly || (super.ReadOnlyCompatible & ~ExtReadOnlyCompatible.KnownToExt2) == 0)
                && (type == "ext2" || super.Has(ExtCompatible.HasJournal));
            problem = fits ? null : $"couldn't mount as {type} due to feature incompatibilities";
        }
        else if (others != 0)
        {
            problem = $"couldn't mount because of unsupported optional features ({others:x})";
        }
        else if (unwritable != 0 && !isReadOnly)
        {
            problem = $"couldn't mount RDWR because of unsupported optional features ({unwritable:x})";
        }
        return problem is null ? Errno.None : Errno.EINVAL;
    }

    public static bool MayWrite(ExtVolume volume) => (volume.Super.ReadOnlyCompatible & ~ExtReadOnlyCompatible.Known) == 0;

    private static Errno Replay(LoopDevice device, ExtVolume volume, Action<string> tell)
    {
        if (device.IsReadOnly)
        {
            tell("write access unavailable, cannot proceed (try mounting with noload)");
            return Errno.EROFS;
        }
        Errno error = ExtJournal.Replay(volume, out string? problem);
        if (problem is not null)
            tell(problem);
        if (error == Errno.None)
        {
            volume.Cache.Drop();
            byte[] raw = new byte[ExtSuperBlock.Length];
            device.Read(ExtSuperBlock.Place, raw);
            var super = new ExtSuperBlock(raw);
            super.Remove(ExtIncompatible.Recover);
            device.Write(ExtSuperBlock.Place, super.Seal());
            tell("recovery complete");
        }
        volume.Drop();
        return error;
    }

    private static Errno Begin(ExtFileSystem fileSystem, in FileSystemRequest request, Action<string> tell)
    {
        fileSystem.SetPolicy(request.Options);
        ushort state = fileSystem.Volume.Super.State;
        bool isChecked = (state & (ExtSuperBlock.StateValid | ExtSuperBlock.StateErrors)) == ExtSuperBlock.StateValid;
        if (request.IsReadOnly)
            return Errno.None;
        if (!isChecked)
            tell((state & ExtSuperBlock.StateErrors) != 0 ? "warning: mounting fs with errors, running e2fsck is recommended" : "warning: mounting unchecked fs, running e2fsck is recommended");
        Errno error = fileSystem.BeginWriting();
        return error == Errno.None ? fileSystem.DeleteOrphans(tell) : error;
    }
}
