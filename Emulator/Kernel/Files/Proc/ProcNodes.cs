using System.Text;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>A node whose content is made when it is asked for.</summary>
public abstract class ProcNode : Inode
{
    private readonly GeneratedFileSystem _owner;
    private readonly FileKind _kind;
    private readonly uint _mode;
    private readonly ulong _number;
    private readonly long _time;

    private protected ProcNode(GeneratedFileSystem owner, FileKind kind, uint mode, uint user = 0, uint group = 0)
    {
        _owner = owner;
        _kind = kind;
        _mode = mode;
        _number = owner.NextInode();
        _time = owner.Clock.Realtime;
        User = user;
        Group = group;
    }

    private uint User { get; }

    private uint Group { get; }

    public override FileKind Kind => _kind;

    public override FileSystem FileSystem => _owner;

    private protected GeneratedFileSystem Owner => _owner;

    private protected virtual uint Links => 1;

    private protected virtual long Size => 0;

    public override FileStatus Status => new()
    {
        Device = _owner.Device, Inode = _number, Kind = _kind, Mode = _mode, Links = Links, User = User, Group = Group, Size = Size,
        BlockSize = 1024, AccessTime = _time, ModifyTime = _time, ChangeTime = _time,
    };

    public override Errno SetAttributes(in AttributeChange change) =>
        // Truncating is what every shell redirection does first; it changes nothing here.
        change is { Mode: null, User: null, Group: null } ? Errno.None : Errno.EPERM;
}

/// <summary>A text that is made anew for each open file, when reading starts.</summary>
public sealed class ProcText : ProcNode
{
    private readonly Func<CallContext?, byte[]?> _make;
    private readonly Func<byte[], Errno>? _store;

    /// <param name="make">Null when the object it tells of is gone (ESRCH).</param>
    /// <param name="store">Takes what is written; null for files that cannot be.</param>
    internal ProcText(
        GeneratedFileSystem owner, Func<CallContext?, byte[]?> make, Func<byte[], Errno>? store = null, uint? mode = null, uint user = 0, uint group = 0)
        : base(owner, FileKind.Regular, mode ?? (store is null ? 0x124u : 0x1A4), user, group)
    {
        _make = make;
        _store = store;
    }

    public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = new TextFile(this, path, flags, call);
        return Errno.None;
    }

    /// <summary>Its text is that of the opener's mounts, and polling tells of their changes.</summary>
    internal bool TellsMounts { get; init; }

    /// <summary>The address space that it lists, for who asks about one mapping (PROCMAP_QUERY).</summary>
    internal Func<AddressSpace?>? Maps { get; init; }

    private sealed class TextFile(ProcText text, PathEntry path, OpenFlags flags, CallContext? call) : OpenFile(flags)
    {
        private byte[]? _content;

        // The tree of mounts that is watched, and what of it was seen.
        private readonly Mount? _mounts = text.TellsMounts ? call?.Process.FileContext.Root.Mount.Top : null;
        private long _seen = text.TellsMounts ? call?.Process.FileContext.Root.Mount.Top.Changes ?? 0 : 0;

        public override Inode Inode => text;

        public override bool IsPollable => _mounts is not null;

        public override Source Source => _mounts?.Changed ?? base.Source;

        public override PathEntry? Path => path;

        public override bool CanSeek => true;

        /// <summary>A change is told once (mounts_poll in fs/proc_namespace.c).</summary>
        public override Readiness Poll()
        {
            if (_mounts is null || _mounts.Changes == _seen)
                return Readiness.In | Readiness.Out;
            _seen = _mounts.Changes;
            return Readiness.In | Readiness.Out | Readiness.Priority | Readiness.Error;
        }

        public override IoResult Read(Span<byte> destination)
        {
            IoResult result = ReadAt(Position, destination);
            Position += result.Count;
            return result;
        }

        public override IoResult ReadAt(long offset, Span<byte> destination)
        {
            // Reading from the start again shows what is true then.
            if (offset == 0 || _content is null)
                _content = text._make(call);
            if (_content is null)
                return Errno.ESRCH;
            if (offset >= _content.Length)
                return 0;
            int count = Math.Min(destination.Length, _content.Length - (int)offset);
            _content.AsSpan((int)offset, count).CopyTo(destination);
            return count;
        }

        public override IoResult Write(ReadOnlySpan<byte> source)
        {
            if (text._store is null)
                return Errno.EIO;
            Errno error = text._store(source.ToArray());
            return error == Errno.None ? source.Length : error;
        }

        public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source) => Write(source);
    }
}

/// <summary>A symbolic link with a text that depends on the moment, or that leads straight to an object.</summary>
public sealed class ProcLink : ProcNode
{
    private readonly Func<CallContext?, byte[]?> _text;
    private readonly Func<CallContext?, PathEntry?>? _object;

    /// <param name="text">What readlink says; null when there is nothing to link to (ENOENT).</param>
    /// <param name="object">Where following leads; null follows the text.</param>
    internal ProcLink(
        GeneratedFileSystem owner, Func<CallContext?, byte[]?> text, Func<CallContext?, PathEntry?>? @object = null, uint mode = 0x1FF, uint user = 0, uint group = 0)
        : base(owner, FileKind.SymbolicLink, mode, user, group)
    {
        _text = text;
        _object = @object;
    }

    private protected override long Size => _object is null ? 0 : 64;

    /// <summary>It leads straight to an object: nothing can be mounted on it (proc(5)).</summary>
    public bool IsMagic => _object is not null;

    public override Errno ReadLink(CallContext? call, out byte[]? target)
    {
        target = _text(call);
        return target is null ? Errno.ENOENT : Errno.None;
    }

    public override bool FollowMagic(CallContext? call, out PathEntry? target, out Errno error)
    {
        target = _object?.Invoke(call);
        error = _object is not null && target is null ? Errno.ENOENT : Errno.None;
        return _object is not null;
    }
}

/// <summary>A directory with fixed names.</summary>
public class ProcDirectory : ProcNode
{
    private readonly Dictionary<byte[], Inode> _entries = new(ByteNameComparer.Instance);
    private readonly List<(byte[] Name, Inode Node)> _ordered = [];
    private Action<ProcDirectory>? _filler;

    /// <summary>Adds what is in it once somebody looks: most directories are never looked into.</summary>
    internal Action<ProcDirectory>? Filler
    {
        init => _filler = value;
    }

    internal ProcDirectory(GeneratedFileSystem owner, uint user = 0, uint group = 0, uint mode = 0x16D)
        : base(owner, FileKind.Directory, mode, user, group)
    {
    }

    private protected override uint Links
    {
        get
        {
            Fill();
            return 2 + (uint)_ordered.Count(static entry => entry.Node.Kind == FileKind.Directory);
        }
    }

    private void Fill()
    {
        Action<ProcDirectory>? filler = _filler;
        _filler = null;
        filler?.Invoke(this);
    }

    internal ProcDirectory Add(string name, Inode node)
    {
        byte[] key = Encoding.UTF8.GetBytes(name);
        _entries.Add(key, node);
        _ordered.Add((key, node));
        return this;
    }

    /// <summary>An entry that is found by its name alone.</summary>
    internal void AddUnlisted(string name, Inode node) => _entries.Add(Encoding.UTF8.GetBytes(name), node);

    internal ProcDirectory AddText(string name, Func<string> make) => Add(name, new ProcText(Owner, _ => Encoding.UTF8.GetBytes(make())));

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        Fill();
        return _entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out inode) ? Errno.None : Errno.ENOENT;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        Fill();
        for (int i = (int)Math.Min(cookie, int.MaxValue); i < _ordered.Count; i++)
        {
            if (!sink.Add(_ordered[i].Name, _ordered[i].Node.Status.Inode, _ordered[i].Node.Kind, (ulong)i + 1))
                break;
        }
        return Errno.None;
    }
}

/// <summary>A directory of numbers that come and go: processes, threads, descriptors. Fixed names come after them.</summary>
public sealed class ProcNumbers : ProcDirectory
{
    // Cookies below this are the fixed names; above it lies the next number.
    private const ulong NumberCookies = 1UL << 32;

    private readonly Func<CallContext?, IReadOnlyList<int>> _numbers;
    private readonly Func<int, Inode?> _make;
    private readonly Dictionary<int, Inode> _known = [];

    internal ProcNumbers(GeneratedFileSystem owner, Func<CallContext?, IReadOnlyList<int>> numbers, Func<int, Inode?> make, uint user = 0, uint group = 0, uint mode = 0x16D)
        : base(owner, user, group, mode)
    {
        _numbers = numbers;
        _make = make;
    }

    public override bool CachesNames => false;

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        if (!System.Buffers.Text.Utf8Parser.TryParse(name, out int number, out int used) || used != name.Length || number < 0 || (name[0] == (byte)'0' && used > 1))
            return base.Lookup(name, out inode);
        if (!Exists(number))
        {
            _known.Remove(number);
            inode = null;
            return Errno.ENOENT;
        }
        // Another process may have the number by now.
        if (!_known.TryGetValue(number, out inode) || inode.Attachment is Process { IsReaped: true })
        {
            inode = _make(number);
            if (inode is not null)
                _known[number] = inode;
        }
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    private bool Exists(int number)
    {
        foreach (int known in _numbers(null))
        {
            if (known == number)
                return true;
        }
        return false;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        if (cookie < NumberCookies)
        {
            FixedNames names = new(sink);
            base.List(call, cookie, names);
            if (names.IsFull)
                return Errno.None;
        }
        int first = cookie < NumberCookies ? 0 : (int)(cookie - NumberCookies);
        foreach (int number in _numbers(call))
        {
            if (number < first)
                continue;
            byte[] name = Encoding.ASCII.GetBytes(number.ToString(System.Globalization.CultureInfo.InvariantCulture));
            if (Lookup(name, out Inode? node) == Errno.None && !sink.Add(name, node!.Status.Inode, node.Kind, NumberCookies + (ulong)number + 1))
                break;
        }
        return Errno.None;
    }

    private sealed class FixedNames(IDirectorySink sink) : IDirectorySink
    {
        public bool IsFull { get; private set; }

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            IsFull = !sink.Add(name, inode, kind, next);
            return !IsFull;
        }
    }
}
