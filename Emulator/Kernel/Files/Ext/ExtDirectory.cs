namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>A directory of a volume.</summary>
public sealed partial class ExtDirectory : ExtNode
{
    private const int LongestName = 255;
    private const ushort MostLinks = 65000;

    internal ExtDirectory(ExtFileSystem fileSystem, ExtRecord record)
        : base(fileSystem, record) => _map = ExtMap.Of(record);

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        if (name.Length > LongestName)
            return Errno.ENAMETOOLONG;
        if (IsGone)
            return Errno.ENOENT;
        Volume.Cache.Trim();
        Errno error = FindEntry(name, out _, out ExtEntry entry, out _, out _);
        if (error != Errno.None)
            return error;
        error = Owner.Get(entry.Inode, out ExtNode? node);
        inode = node;
        // A directory has one name, which is not below it.
        return error == Errno.None && (ReferenceEquals(node, this) || ReferenceEquals(node, Owner.Root)) ? Damaged($"'{System.Text.Encoding.Latin1.GetString(name)}' linked to parent dir") : error;
    }

    public override Errno Make(ReadOnlySpan<byte> name, in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        Errno error = MayAdd(name);
        if (error == Errno.None && spec.Kind == FileKind.Directory && !HasRoomForDirectory)
            error = Errno.EMLINK;
        if (error != Errno.None)
            return error;
        error = MakeNode(spec, out ExtNode? node);
        if (error != Errno.None)
            return error;
        error = AddEntry(name, node!.Record.Number, spec.Kind);
        if (error != Errno.None)
        {
            node.Delete();
            return error;
        }
        if (spec.Kind == FileKind.Directory)
            CountDirectory(1);
        Modified();
        inode = node;
        return Store();
    }

    public override Errno MakeUnnamed(in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        Errno error = Owner.MayChange();
        if (error != Errno.None)
            return error;
        error = MakeNode(spec, out ExtNode? node);
        if (error != Errno.None)
            return error;
        node!.Record.Links = 0;
        ((ExtFile)node).IsLinkable = !spec.IsNeverNamed;
        inode = node;
        return node.Store();
    }

    private Errno MayAdd(ReadOnlySpan<byte> name) => name.Length > LongestName ? Errno.ENAMETOOLONG : IsGone ? Errno.ENOENT : Owner.MayChange();

    /// <summary>A node with its content as it begins; on failure all of it is given back.</summary>
    private Errno MakeNode(in NodeSpec spec, out ExtNode? node)
    {
        Errno error = Owner.NewNode(this, spec, out node);
        if (error != Errno.None)
            return error;
        node!.Record.Links = (ushort)(spec.Kind == FileKind.Directory ? 2 : 1);
        if (spec.Kind is FileKind.CharacterDevice or FileKind.BlockDevice)
            node.Record.Device = spec.Device;
        error = node switch
        {
            ExtDirectory directory => directory.Start(Record.Number),
            ExtLink link => link.Write(spec.Target!),
            _ => Errno.None,
        };
        if (error == Errno.None)
            error = node.Start(spec);
        if (error == Errno.None)
            error = node.Store();
        if (error != Errno.None)
            node.Delete();
        return error;
    }

    public override Errno Link(ReadOnlySpan<byte> name, Inode target)
    {
        if (target is not ExtNode node || !ReferenceEquals(node.Owner, Owner))
            return Errno.EXDEV;
        bool isFirst = node.Record.Links == 0;
        if (node.IsGone || (isFirst && node is not ExtFile { IsLinkable: true }))
            return Errno.ENOENT;
        Errno error = MayAdd(name);
        if (error == Errno.None)
            error = node.AddName();
        if (error != Errno.None)
            return error;
        error = AddEntry(name, node.Record.Number, node.Kind);
        if (error != Errno.None)
        {
            node.Record.Links--;
            node.Store();
            return error;
        }
        Modified();
        return Store();
    }

    public override Errno Unlink(ReadOnlySpan<byte> name, Inode victim)
    {
        Errno error = Owner.MayChange();
        if (error == Errno.None)
            error = RemoveEntry(name);
        if (error != Errno.None)
            return error;
        Modified();
        error = Store();
        Errno lost = ((ExtNode)victim).LoseName();
        return error != Errno.None ? error : lost;
    }

    public override Errno RemoveDirectory(ReadOnlySpan<byte> name, Inode victim)
    {
        var directory = (ExtDirectory)victim;
        Errno error = Owner.MayChange();
        if (error == Errno.None)
            error = directory.CheckEmpty();
        if (error == Errno.None)
            error = RemoveEntry(name);
        if (error != Errno.None)
            return error;
        CountDirectory(-1);
        Modified();
        error = Store();
        directory.Record.ChangeTime = Owner.Clock.Realtime;
        Errno deleted = directory.Delete();
        return error != Errno.None ? error : deleted;
    }

    private protected override Errno DropContent()
    {
        Errno error = _map.Remove(0, uint.MaxValue);
        Record.Size = 0;
        return error;
    }

    /// <summary>ENOTEMPTY when there is more than "." and "..".</summary>
    private Errno CheckEmpty()
    {
        var names = new FirstName();
        Errno error = List(null, 0, names);
        return error == Errno.None && names.IsThere ? Errno.ENOTEMPTY : error;
    }

    private sealed class FirstName : IDirectorySink
    {
        public bool IsThere { get; private set; }

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            IsThere = true;
            return false;
        }
    }

    private bool HasRoomForDirectory => Record.Links < MostLinks || Volume.Super.Has(ExtReadOnlyCompatible.DirectoryLinks);

    /// <summary>A directory below came or went. Past what can be counted it is 1, where the volume allows for that (dir_nlink).</summary>
    private void CountDirectory(int by)
    {
        if (Record.Links == 1)
            return;
        Record.Links = (ushort)(Record.Links + by > MostLinks ? 1 : Math.Max(2, Record.Links + by));
    }

    public override Errno Rename(ReadOnlySpan<byte> name, Inode moved, Inode target, ReadOnlySpan<byte> newName, Inode? replaced, bool exchange)
    {
        var to = (ExtDirectory)target;
        var node = (ExtNode)moved;
        Errno error = to.MayAdd(newName);
        if (error == Errno.None && !exchange && replaced is ExtDirectory emptied)
            error = emptied.CheckEmpty();
        bool isArriving = node is ExtDirectory && !ReferenceEquals(to, this) && replaced is not ExtDirectory;
        if (error == Errno.None && isArriving && !to.HasRoomForDirectory)
            error = Errno.EMLINK;
        if (error != Errno.None)
            return error;
        error = replaced is null ? to.AddEntry(newName, node.Record.Number, node.Kind) : to.ChangeEntry(newName, node.Record.Number, node.Kind);
        if (error == Errno.None)
            error = exchange ? ChangeEntry(name, ((ExtNode)replaced!).Record.Number, replaced.Kind) : RemoveEntry(name);
        if (error == Errno.None)
            error = Reparent(node, this, to);
        if (error == Errno.None && exchange)
            error = Reparent((ExtNode)replaced!, to, this);
        if (error != Errno.None)
            return error;
        node.Record.ChangeTime = Owner.Clock.Realtime;
        node.Store();
        Modified();
        Store();
        to.Modified();
        to.Store();
        return FinishRename(to, (ExtNode?)replaced, exchange);
    }

    private Errno FinishRename(ExtDirectory to, ExtNode? replaced, bool exchange)
    {
        if (replaced is null)
            return Errno.None;
        if (exchange)
        {
            replaced.Record.ChangeTime = Owner.Clock.Realtime;
            return replaced.Store();
        }
        if (replaced is not ExtDirectory)
            return replaced.LoseName();
        to.CountDirectory(-1);
        Errno error = to.Store();
        Errno deleted = replaced.Delete();
        return error != Errno.None ? error : deleted;
    }

    /// <summary>A directory that moved names another one as the one above it.</summary>
    private static Errno Reparent(ExtNode node, ExtDirectory from, ExtDirectory to)
    {
        if (node is not ExtDirectory directory || ReferenceEquals(from, to))
            return Errno.None;
        from.CountDirectory(-1);
        to.CountDirectory(1);
        return directory.ChangeEntry(".."u8, to.Record.Number, FileKind.Directory);
    }

    /// <summary>Cookies are offsets in the directory: an entry from there on is the next.</summary>
    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        if (IsGone)
            return Errno.ENOENT;
        Volume.Cache.Trim();
        for (long index = (long)Math.Min(cookie, long.MaxValue) / Volume.BlockSize; index < Blocks; index++)
        {
            Errno error = ReadBlock(index, out ExtBlock block);
            if (error != Errno.None)
                return error;
            ExtEntry entry;
            for (int place = 0; place < End; place += entry.Length)
            {
                if (!ExtEntry.TryRead(block.Data, place, Volume.Super.Inodes, out entry))
                    return Damaged($"bad entry in directory: rec_len is wrong - offset={place}");
                ulong offset = (ulong)(index * Volume.BlockSize) + (uint)place;
                if (entry.Inode == 0 || offset < cookie || IsDots(entry.Name(block.Data)))
                    continue;
                FileKind kind = Volume.Super.Has(ExtIncompatible.FileType) ? ExtEntry.KindOf(entry.Kind) : FileKind.Unknown;
                if (!sink.Add(entry.Name(block.Data), entry.Inode, kind, offset + (uint)entry.Length))
                    return Errno.None;
            }
        }
        return Errno.None;
    }

    private static bool IsDots(ReadOnlySpan<byte> name) => name is [(byte)'.'] or [(byte)'.', (byte)'.'];
}
