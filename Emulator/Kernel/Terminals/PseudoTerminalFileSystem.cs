using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>devpts: the pseudo-terminals of one instance by number, and the ptmx that makes them.</summary>
public sealed class PseudoTerminalFileSystem : FileSystem
{
    private const uint Magic = 0x1CD1;

    /// <summary>kernel.pty.max.</summary>
    private const int MostTerminals = 4096;

    /// <summary>The group "tty" of most systems, whose members may write to users' terminals (devpts mounted with gid=5,mode=620).</summary>
    private const uint TerminalGroup = 5;
    private const uint TerminalMode = 0x190;
    private const ulong FirstTerminalInode = 3;

    private readonly World _world;
    private readonly SortedDictionary<int, Node> _nodes = [];
    private readonly SortedSet<int> _numbers = [];

    public PseudoTerminalFileSystem(World world, IClock clock, ulong device)
        : base(clock)
    {
        _world = world;
        Device = device;
        Root = new Folder(this);
        Multiplexer = new Node(this, null, NewStatus(2, FileKind.CharacterDevice, 0x1B6) with
        {
            RawDevice = DeviceNumber.Make(TerminalDevices.AuxiliaryMajor, TerminalDevices.Multiplexer),
        });
    }

    public override string TypeName => "devpts";

    public override Inode Root { get; }

    public ulong Device { get; }

    public override FileSystemStatus Status => new() { Magic = Magic, BlockSize = 4096, NameLength = 255, Id = Device };

    private Node Multiplexer { get; }

    /// <summary>Makes a terminal with its name, owned by a user; null when there are too many (ENOSPC).</summary>
    internal Terminal? Create(uint user, in TerminalSettings settings)
    {
        int number = 0;
        foreach (int used in _numbers)
        {
            if (used != number)
                break;
            number++;
        }
        if (number >= MostTerminals)
            return null;
        var terminal = new Terminal(_world, number, settings);
        terminal.Released += () => _numbers.Remove(number);
        _numbers.Add(number);
        _nodes.Add(number, new Node(this, terminal, NewStatus(FirstTerminalInode + (ulong)number, FileKind.CharacterDevice, TerminalMode) with
        {
            User = user, Group = TerminalGroup, RawDevice = terminal.Device,
        }));
        return terminal;
    }

    /// <summary>Takes a terminal's name away.</summary>
    internal void RemoveName(int number)
    {
        if (RootName.Find(NameOf(number), out Dentry name) == Errno.None)
            name.Remove();
        _nodes.Remove(number);
    }

    /// <summary>A terminal's name and node; null when it is gone.</summary>
    internal PathEntry? Find(Mount mount, int number) =>
        RootName.Find(NameOf(number), out Dentry name) == Errno.None ? new PathEntry(mount, name) : null;

    private static byte[] NameOf(int number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    private FileStatus NewStatus(ulong inode, FileKind kind, uint mode)
    {
        long now = Clock.Realtime;
        return new FileStatus
        {
            Device = Device, Inode = inode, Kind = kind, Mode = mode, Links = kind == FileKind.Directory ? 2u : 1, BlockSize = 1024,
            AccessTime = now, ModifyTime = now, ChangeTime = now,
        };
    }

    /// <summary>What the two kinds of node share: attributes that can be changed.</summary>
    private abstract class Entry(PseudoTerminalFileSystem owner, FileStatus status) : Inode
    {
        private FileStatus _status = status;

        public override FileKind Kind => _status.Kind;

        public override FileStatus Status => _status;

        public override FileSystem FileSystem => owner;

        public override Errno SetAttributes(in AttributeChange change)
        {
            _status.Mode = change.Mode ?? _status.Mode;
            _status.User = change.User ?? _status.User;
            _status.Group = change.Group ?? _status.Group;
            _status.AccessTime = change.AccessTime ?? _status.AccessTime;
            _status.ModifyTime = change.ModifyTime ?? _status.ModifyTime;
            _status.ChangeTime = owner.Clock.Realtime;
            return Errno.None;
        }
    }

    /// <summary>A terminal, or without one the multiplexer.</summary>
    private sealed class Node(PseudoTerminalFileSystem owner, Terminal? terminal, FileStatus status) : Entry(owner, status)
    {
        public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
        {
            if (terminal is not null)
                return TerminalDevices.Open(terminal, this, path, flags, call, out file);
            return base.Open(path, flags, call, out file);
        }
    }

    private sealed class Folder(PseudoTerminalFileSystem owner) : Entry(owner, owner.NewStatus(1, FileKind.Directory, 0x1ED))
    {
        private readonly PseudoTerminalFileSystem _owner = owner;

        public override bool CachesNames => false;

        public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
        {
            inode = null;
            if (name.SequenceEqual("ptmx"u8))
                inode = _owner.Multiplexer;
            else if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && name.SequenceEqual(NameOf(number)))
                inode = _owner._nodes.GetValueOrDefault(number);
            return inode is null ? Errno.ENOENT : Errno.None;
        }

        public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
        {
            if (cookie == 0 && !sink.Add("ptmx"u8, _owner.Multiplexer.Status.Inode, FileKind.CharacterDevice, 1))
                return Errno.None;
            foreach ((int number, Node node) in _owner._nodes)
            {
                if ((ulong)number + 1 < cookie)
                    continue;
                if (!sink.Add(NameOf(number), node.Status.Inode, node.Kind, (ulong)number + 2))
                    break;
            }
            return Errno.None;
        }
    }
}
