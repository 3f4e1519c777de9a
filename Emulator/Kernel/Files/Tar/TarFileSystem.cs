using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Tar;

/// <summary>A tar archive as a read-only tree, to lie under an overlay. Contents are read from the archive when they are asked for.</summary>
public sealed class TarFileSystem : FileSystem
{
    private const uint Magic = 0x75737461; // "usta"

    private readonly TarNode _root;
    private ulong _nextInode = 2;

    private TarFileSystem(IClock clock, ulong device, MemoryObject archive, Func<MemoryObject> newContent)
        : base(clock)
    {
        Device = device;
        Archive = archive;
        NewContent = newContent;
        _root = new TarNode(this, new FileStatus { Device = device, Inode = 1, Kind = FileKind.Directory, Mode = 0x1ED, Links = 2, BlockSize = 4096, Size = 4096, Blocks = 8 });
    }

    public override string TypeName => "tar";

    public override Inode Root => _root;

    public override bool IsReadOnly => true;

    public ulong Device { get; }

    internal MemoryObject Archive { get; }

    internal Func<MemoryObject> NewContent { get; }

    public override FileSystemStatus Status => new()
    {
        Magic = Magic, BlockSize = 4096, Blocks = (ulong)Archive.Length / 4096, Files = _nextInode, NameLength = 255, Id = Device,
    };

    /// <summary>
    /// Indexes an archive (ustar, pax or GNU); null with one sentence for the user when it is malformed.
    /// </summary>
    /// <param name="archive">The uncompressed archive; kept.</param>
    /// <param name="newContent">Makes an object for a file that is mapped: entries do not lie on page boundaries.</param>
    public static TarFileSystem? Open(IClock clock, ulong device, MemoryObject archive, Func<MemoryObject> newContent, out string? problem)
    {
        TarFileSystem fileSystem = new(clock, device, archive, newContent);
        TarReader reader = new(archive);
        while (reader.Next(out TarEntry entry))
        {
            problem = fileSystem.Add(entry);
            if (problem is not null)
                return null;
        }
        problem = reader.Problem;
        return problem is null ? fileSystem : null;
    }

    private string? Add(in TarEntry entry)
    {
        List<byte[]>? names = Split(entry.Name);
        if (names is null)
            return $"entry '{Show(entry.Name)}' leads out of the archive";
        if (names.Count == 0)
        {
            if (entry.Kind == FileKind.Directory)
                _root.Redefine(StatusOf(entry, _root.Status.Inode));
            return null;
        }
        TarNode directory = _root;
        for (int i = 0; i < names.Count - 1; i++)
        {
            TarNode? next = directory.Child(names[i]) ?? directory.Add(names[i], NewDirectory());
            if (next.Kind != FileKind.Directory)
                return $"entry '{Show(entry.Name)}' lies under something that is no directory";
            directory = next;
        }
        byte[] name = names[^1];
        if (entry.IsHardLink)
        {
            if (Find(entry.LinkName) is not { Kind: not FileKind.Directory } target)
                return $"hard link '{Show(entry.Name)}' names '{Show(entry.LinkName)}', which does not come before it";
            directory.Add(name, target);
            target.AddLink();
            return null;
        }
        TarNode? existing = directory.Child(name);
        if (entry.Kind == FileKind.Directory && existing is { Kind: FileKind.Directory })
            existing.Redefine(StatusOf(entry, existing.Status.Inode));
        else
            directory.Add(name, new TarNode(this, StatusOf(entry, _nextInode++), entry.Offset, entry.LinkName, entry.Attributes));
        return null;
    }

    private TarNode NewDirectory() => new(this, new FileStatus
    {
        Device = Device, Inode = _nextInode++, Kind = FileKind.Directory, Mode = 0x1ED, Links = 2, BlockSize = 4096, Size = 4096, Blocks = 8,
    });

    private FileStatus StatusOf(in TarEntry entry, ulong inode) => new()
    {
        Device = Device,
        Inode = inode,
        Kind = entry.Kind,
        Mode = entry.Kind == FileKind.SymbolicLink ? 0x1FF : entry.Mode & 0xFFF,
        Links = entry.Kind == FileKind.Directory ? 2u : 1,
        User = entry.User,
        Group = entry.Group,
        RawDevice = entry.Device,
        Size = entry.Kind switch { FileKind.Regular => entry.Size, FileKind.SymbolicLink => entry.LinkName.Length, FileKind.Directory => 4096, _ => 0 },
        BlockSize = 4096,
        Blocks = entry.Kind switch { FileKind.Regular => (entry.Size + 4095) / 4096 * 8, FileKind.Directory => 8, _ => 0 },
        AccessTime = entry.ModifyTime,
        ModifyTime = entry.ModifyTime,
        ChangeTime = entry.ModifyTime,
        BirthTime = entry.ModifyTime,
    };

    private TarNode? Find(byte[] path)
    {
        TarNode? node = _root;
        foreach (byte[] name in Split(path) ?? [])
            node = node?.Child(name);
        return node;
    }

    /// <summary>Components without "." and empty ones; null when one is "..".</summary>
    private static List<byte[]>? Split(ReadOnlySpan<byte> path)
    {
        List<byte[]> names = [];
        foreach (Range range in path.Split((byte)'/'))
        {
            ReadOnlySpan<byte> name = path[range];
            if (name.IsEmpty || name.SequenceEqual("."u8))
                continue;
            if (name.SequenceEqual(".."u8) || name.Length > PathWalk.MaxName)
                return null;
            names.Add(name.ToArray());
        }
        return names;
    }

    private static string Show(byte[] name) => System.Text.Encoding.UTF8.GetString(name);
}

/// <summary>A node of an archive.</summary>
internal sealed class TarNode : Inode
{
    private readonly TarFileSystem _owner;
    private readonly long _offset;
    private readonly byte[] _target;
    private readonly Dictionary<string, byte[]>? _attributes;
    private readonly Dictionary<byte[], TarNode>? _children;
    private readonly List<byte[]>? _names;
    private FileStatus _status;
    private MemoryObject? _mapped;

    internal TarNode(TarFileSystem owner, in FileStatus status, long offset = 0, byte[]? target = null, Dictionary<string, byte[]>? attributes = null)
    {
        _owner = owner;
        _status = status;
        _offset = offset;
        _target = target ?? [];
        _attributes = attributes;
        if (status.Kind == FileKind.Directory)
            (_children, _names) = (new Dictionary<byte[], TarNode>(ByteNameComparer.Instance), []);
    }

    public override FileKind Kind => _status.Kind;

    public override FileStatus Status => _status;

    public override FileSystem FileSystem => _owner;

    internal TarNode? Child(byte[] name) => _children!.GetValueOrDefault(name);

    /// <summary>Adds or, as a later entry of an archive does, replaces a name.</summary>
    internal TarNode Add(byte[] name, TarNode node)
    {
        if (!_children!.ContainsKey(name))
            _names!.Add(name);
        _children[name] = node;
        if (node.Kind == FileKind.Directory)
            _status.Links++;
        return node;
    }

    internal void AddLink() => _status.Links++;

    internal void Redefine(in FileStatus status) => _status = status with { Links = _status.Links };

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        if (_children is null)
            return Errno.ENOTDIR;
        if (!_children.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out TarNode? node))
            return Errno.ENOENT;
        inode = node;
        return Errno.None;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        if (_names is null)
            return Errno.ENOTDIR;
        for (int i = (int)Math.Min(cookie, int.MaxValue); i < _names.Count; i++)
        {
            TarNode node = _children![_names[i]];
            if (!sink.Add(_names[i], node._status.Inode, node.Kind, (ulong)i + 1))
                break;
        }
        return Errno.None;
    }

    public override Errno ReadLink(CallContext? call, out byte[]? target)
    {
        target = _target;
        return Kind == FileKind.SymbolicLink ? Errno.None : Errno.EINVAL;
    }

    public override IoResult ReadAt(long offset, Span<byte> destination)
    {
        if (offset >= _status.Size)
            return 0;
        return _owner.Archive.Read(_offset + offset, destination[..(int)Math.Min(destination.Length, _status.Size - offset)]);
    }

    public override Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        if (_mapped is null)
        {
            MemoryObject copy = _owner.NewContent();
            byte[] buffer = new byte[1 << 16];
            for (long offset = 0; offset < _status.Size;)
            {
                int count = (int)ReadAt(offset, buffer).Count;
                if (count <= 0 || !copy.Write(offset, buffer.AsSpan(0, count)))
                {
                    copy.Release();
                    content = null;
                    return Errno.ENOMEM;
                }
                offset += count;
            }
            _mapped = copy;
        }
        content = _mapped;
        return Errno.None;
    }

    public override Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value)
    {
        value = null;
        return _attributes is not null && _attributes.TryGetValue(System.Text.Encoding.Latin1.GetString(name), out value) ? Errno.None : Errno.ENODATA;
    }

    public override Errno ListAttributes(out byte[] names)
    {
        names = _attributes is null ? [] : [.. _attributes.Keys.Order(StringComparer.Ordinal).SelectMany(static name => System.Text.Encoding.Latin1.GetBytes(name + "\0"))];
        return Errno.None;
    }
}
