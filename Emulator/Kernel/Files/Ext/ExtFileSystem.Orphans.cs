using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Files that had lost their last name, or were being shortened, when the volume was last written: a list through the inodes, or a file of their numbers.</summary>
public sealed partial class ExtFileSystem
{
    private bool _becomesReadOnly;

    /// <summary>What is done on an error, as the volume says or it was mounted with: nothing, or it is only read from then on.</summary>
    internal void SetPolicy(IReadOnlyList<(string Key, string? Value)> options)
    {
        const int policyPlace = 0x3C, @continue = 1;
        ushort kept = BinaryPrimitives.ReadUInt16LittleEndian(Volume.Super.Raw.AsSpan(policyPlace));
        _becomesReadOnly = kept > @continue;
        foreach ((string key, string? value) in options)
            _becomesReadOnly = key == "errors" ? value != "continue" : _becomesReadOnly;
        Volume.Failed = () => ForbidsChanges |= _becomesReadOnly && _isWriting;
    }

    internal Errno DeleteOrphans(Action<string> tell)
    {
        ExtSuperBlock super = Volume.Super;
        int deleted = 0;
        uint next = super.LastOrphan;
        super.LastOrphan = 0;
        // No list is longer than there are inodes.
        for (uint i = 0; next != 0 && i < super.Inodes; i++)
        {
            if (Finish(next, out next) != Errno.None)
                break;
            deleted++;
        }
        Errno error = super.Has(ExtReadOnlyCompatible.OrphanPresent) ? FinishFile(ref deleted) : Errno.None;
        if (deleted > 0)
            tell($"{deleted} orphan inode{(deleted == 1 ? "" : "s")} deleted");
        Errno written = Synchronize();
        return error != Errno.None ? error : written;
    }

    /// <summary>Deletes what has no name, and shortens what has one.</summary>
    private Errno Finish(uint number, out uint next)
    {
        next = 0;
        if (number < Volume.Super.FirstInode || number > Volume.Super.Inodes)
            return Volume.Corrupt($"bad orphan inode {number}");
        Volume.Cache.Trim();
        var record = new ExtRecord(Volume, number);
        Errno error = record.Load();
        if (error == Errno.None && (record.Kind == FileKind.Unknown || !Volume.IsTaken(number)))
            error = Volume.Corrupt($"bad orphan inode {number}");
        if (error == Errno.None)
            error = Check(record);
        if (error != Errno.None)
            return error;
        next = record.DeletionTime;
        record.DeletionTime = 0;
        if (_nodes.ContainsKey(number))
            return Errno.None;
        error = Add(record, out ExtNode? node);
        if (error != Errno.None)
            return error;
        if (record.Links == 0)
            return node!.Delete();
        error = node is ExtFile file ? file.SetAttributes(new AttributeChange { Size = record.Size }) : Errno.None;
        record.Store();
        return error;
    }

    /// <summary>The orphan file: blocks of inode numbers, each with a magic number and a checksum at its end.</summary>
    private Errno FinishFile(ref int deleted)
    {
        const int tail = 8;
        Volume.Super.Remove(ExtReadOnlyCompatible.OrphanPresent);
        var record = new ExtRecord(Volume, Volume.Super.OrphanFile);
        if (!Volume.Super.Has(ExtCompatible.OrphanFile) || record.Number == 0 || record.Number > Volume.Super.Inodes || record.Load() != Errno.None || record.Kind != FileKind.Regular)
            return Volume.Corrupt("bad orphan file");
        ExtMap map = ExtMap.Of(record);
        long blocks = Math.Min(record.Size / Volume.BlockSize, 512);
        byte[] data = new byte[Volume.BlockSize];
        for (long i = 0; i < blocks; i++)
        {
            Errno error = map.Find((ulong)i, 1, out ExtRun run);
            if (error == Errno.None && !run.IsWritten)
                error = Volume.Corrupt("bad orphan file");
            if (error == Errno.None)
                error = Volume.ReadData(run.Block, 0, data);
            for (int place = 0; place + tail < data.Length && error == Errno.None; place += 4)
            {
                uint number = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(place));
                if (number == 0)
                    continue;
                error = Finish(number, out _);
                deleted++;
            }
            if (error == Errno.None)
                error = ClearOrphans(record, run.Block, data);
            if (error != Errno.None)
                return error;
        }
        return Errno.None;
    }

    private Errno ClearOrphans(ExtRecord record, ulong block, byte[] data)
    {
        const int tail = 8;
        data.AsSpan(0, data.Length - tail).Clear();
        if (Volume.Super.HasChecksums)
        {
            uint crc = Crc32.Of(Crc32.Of(record.ChecksumSeed, block), data.AsSpan(0, data.Length - tail));
            BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(data.Length - 4), crc);
        }
        return Volume.WriteData(block, 0, data);
    }
}
