using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Kernel.Files.HostTrees;

/// <summary>A host directory. With a writable tree changes go to the host; others may change it, too, so names are looked up anew.</summary>
public sealed class HostDirectory : HostInode
{
    // The node last found under a name, so that it stays the same object while the host says it is the same file.
    private readonly Dictionary<byte[], HostInode> _known = new(ByteNameComparer.Instance);
    private List<HostEntry>? _listing;

    internal HostDirectory(HostFileSystem owner, byte[] path, in FileStatus status)
        : base(owner, path, status)
    {
    }

    public override bool CachesNames => Owner.IsReadOnly;

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        byte[] path = Join(name);
        Errno error = (Errno)Tree.Status(path, out HostStatus host);
        if (error != Errno.None)
            return error;
        FileStatus status = Owner.Describe(host);
        Dictionary<byte[], HostInode>.AlternateLookup<ReadOnlySpan<byte>> known = _known.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (!Owner.IsReadOnly && known.TryGetValue(name, out HostInode? found) && found.Kind == status.Kind && found.Status.Inode == status.Inode)
        {
            inode = found;
            return Errno.None;
        }
        HostInode node = Create(Owner, path, status);
        if (!Owner.IsReadOnly)
            known[name] = node;
        inode = node;
        return Errno.None;
    }

    /// <summary>
    /// A directory that something will be mounted on, so that hardly anybody ever looks at it: only then is the host asked what it is like. Null when there is no
    /// directory of that name, or it is not known.
    /// </summary>
    internal HostDirectory? FindHidden(ReadOnlySpan<byte> name)
    {
        if (!Owner.IsReadOnly || Path.Length > 0)
            return null;
        FileStatus own = Last;
        return Tree.HasDirectory(name, own.ModifyTime, own.ChangeTime)
            ? new HostDirectory(Owner, Join(name), new FileStatus { Kind = FileKind.Directory }) { IsUnasked = true }
            : null;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        if (cookie == 0 || _listing is null)
        {
            List<HostEntry> entries = [];
            Errno error = (Errno)Tree.List(Path, entries);
            if (error != Errno.None)
                return error;
            _listing = entries;
        }
        for (int i = (int)Math.Min(cookie, (ulong)_listing.Count); i < _listing.Count; i++)
        {
            if (!sink.Add(_listing[i].Name, _listing[i].Inode, FromType(_listing[i].Type), (ulong)i + 1))
                return Errno.None;
        }
        _listing = null;
        return Errno.None;
    }

    public override Errno Make(ReadOnlySpan<byte> name, in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        if (Owner.IsReadOnly)
            return Errno.EROFS;
        int failure = spec.Kind == FileKind.SymbolicLink
            ? Tree.MakeSymlink(Path, name, spec.Target!, spec.User, spec.Group)
            : Tree.Make(Path, name, TypeBits(spec.Kind) | spec.Mode, spec.User, spec.Group);
        if (failure != 0)
            return (Errno)failure;
        // The host's own creation mask does not count.
        Errno error = Lookup(name, out inode);
        if (error == Errno.None && spec.Kind != FileKind.SymbolicLink)
            error = inode!.SetAttributes(new AttributeChange { Mode = spec.Mode & 0xFFF });
        return error;
    }

    public override Errno Link(ReadOnlySpan<byte> name, Inode target)
    {
        if (Owner.IsReadOnly)
            return Errno.EROFS;
        if (target is not HostInode node || !ReferenceEquals(node.FileSystem, Owner))
            return Errno.EXDEV;
        (byte[] directory, byte[] oldName) = Split(node.Path);
        return (Errno)Tree.Link(directory, oldName, Path, name);
    }

    public override Errno Unlink(ReadOnlySpan<byte> name, Inode victim) => Remove(name, (HostInode)victim, isDirectory: false);

    public override Errno RemoveDirectory(ReadOnlySpan<byte> name, Inode victim) => Remove(name, (HostInode)victim, isDirectory: true);

    private Errno Remove(ReadOnlySpan<byte> name, HostInode victim, bool isDirectory)
    {
        if (Owner.IsReadOnly)
            return Errno.EROFS;
        FileStatus before = victim.Status;
        Errno error = (Errno)Tree.Unlink(Path, name, isDirectory);
        if (error != Errno.None)
            return error;
        Forget(name);
        victim.LoseLink(before);
        return Errno.None;
    }

    public override Errno Rename(ReadOnlySpan<byte> name, Inode moved, Inode target, ReadOnlySpan<byte> newName, Inode? replaced, bool exchange)
    {
        if (Owner.IsReadOnly)
            return Errno.EROFS;
        HostDirectory to = (HostDirectory)target;
        FileStatus before = exchange || replaced is null ? default : replaced.Status;
        Errno error = (Errno)Tree.Rename(Path, name, to.Path, newName, exchange);
        if (error != Errno.None)
            return error;
        if (!exchange && replaced is HostInode lost)
            lost.LoseLink(before);
        Forget(name);
        to.Forget(newName);
        to.Adopt((HostInode)moved, newName);
        if (exchange)
            Adopt((HostInode)replaced!, name);
        return Errno.None;
    }

    private void Forget(ReadOnlySpan<byte> name) => _known.GetAlternateLookup<ReadOnlySpan<byte>>().Remove(name);

    private void Adopt(HostInode node, ReadOnlySpan<byte> name)
    {
        _known.GetAlternateLookup<ReadOnlySpan<byte>>()[name] = node;
        node.Path = Join(name);
        if (node is HostDirectory directory)
            directory.RenameKnown();
    }

    private void RenameKnown()
    {
        foreach ((byte[] name, HostInode node) in _known)
        {
            node.Path = Join(name);
            (node as HostDirectory)?.RenameKnown();
        }
    }

    private byte[] Join(ReadOnlySpan<byte> name) => Path.Length == 0 ? name.ToArray() : [.. Path, (byte)'/', .. name];

    private static (byte[] Directory, byte[] Name) Split(byte[] path)
    {
        int slash = Array.LastIndexOf(path, (byte)'/');
        return slash < 0 ? ([], path) : (path[..slash], path[(slash + 1)..]);
    }
}
