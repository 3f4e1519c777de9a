using System.IO.Compression;
using System.Text;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Kernel.Files.HostTrees;
using Vivarium.Emulator.Kernel.Files.Overlay;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Files.Tar;
using Vivarium.Emulator.Kernel.Files.Tmpfs;
using Vivarium.Emulator.Kernel.Pipes;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A host path shown at a place of the guest's tree.</summary>
public sealed record TreeBind(string Source, string Target, bool Writable);

/// <summary>What a world's tree is made of.</summary>
public sealed record WorldTree
{
    private const uint OpenMode = 0x1B6; // 0666
    private const uint DirectoryMode = 0x1ED; // 0755
    private const uint SharedMode = 0x3FF; // 01777
    private const uint TunnelMajor = 10, TunnelMinor = 200;
    private const ulong TemporaryCapacity = 4UL << 30;

    public required IClock Clock { get; init; }

    /// <summary>Charged for everything the guest writes.</summary>
    public required MemoryAccountant Accountant { get; init; }

    public required RandomBytes Random { get; init; }

    public required IProcessSource Processes { get; init; }

    public required SystemInfo System { get; init; }

    /// <summary>Makes an instance of devpts with a device number; null for a tree without terminals.</summary>
    public Func<ulong, PseudoTerminalFileSystem>? NewTerminals { get; init; }

    /// <summary>True when whoever runs now is bound by no quota.</summary>
    public Func<bool> MayExceedQuotas { get; init; } = static () => true;

    /// <summary>A directory of the host, or an archive (.tar, .tar.gz, .tgz). It lies read-only under an in-memory layer.</summary>
    public string RootPath { get; init; } = "/";

    /// <summary>Host paths shown at places of the guest's tree.</summary>
    public IReadOnlyList<TreeBind> Binds { get; init; } = [];

    /// <summary>Builds the tree; null with one sentence for the user when a root or bind cannot be used.</summary>
    public Vfs? Build(out string? problem)
    {
        Inode? lower = OpenRoot(out problem);
        if (lower is null)
            return null;
        MemoryFileSystem root = new(Clock, lower.Status.Device, NewContent, lower) { Accountant = Accountant };
        Vfs vfs = new(root, "overlay");
        vfs.UnnamedFiles = NewTemporary(vfs);
        vfs.FileSystemTypes["tmpfs"] = new FileSystemType("tmpfs", (in FileSystemRequest request, out FileSystem? made) => TemporaryOptions.Make(NewTemporary(vfs), MayExceedQuotas, request, out made), TemporaryOptions.IsKnown) { Change = TemporaryOptions.Change };
        Register(vfs, "ramfs", _ => NewTemporary(vfs));
        Register(vfs, "proc", call => NewProc(vfs, Processes.In(call.Thread.Namespaces.Processes)));
        vfs.FileSystemTypes["overlay"] = new FileSystemType("overlay", (in FileSystemRequest request, out FileSystem? made) => OverlayOptions.Make(vfs, Clock, request, out made), OverlayOptions.IsKnown);
        Ext.ExtType.Register(vfs, new Ext.ExtParts(Clock, Random, Accountant, NewContent, MayExceedQuotas));
        Register(vfs, "sysfs", _ => NewSystem(vfs));
        Register(vfs, "cgroup2", _ => NewGroups(vfs));
        MemoryDevices.Register(vfs.Devices, Random);
        TerminalDevices.Register(vfs.Devices);
        vfs.Loops.Register(vfs.Devices);
        Devices.FaultMonitorDevice.Register(vfs.Devices);
        vfs.Devices.Register(FileKind.CharacterDevice, TunnelMajor, TunnelMinor, Net.Devices.TunnelFile.Open);
        vfs.FifoOpener = Fifo.Open;
        MemoryFileSystem devices = NewDevices(vfs), settings = NewSystem(vfs);
        problem = Cover(vfs, "proc", NewProc(vfs, Processes), "proc", lower)
            ?? Cover(vfs, "sys", settings, "sysfs", lower)
            ?? Cover(vfs, "dev", devices, "udev", lower);
        if (problem is not null)
            return null;
        Mount devicesMount = vfs.RootMount.Children[^1], settingsMount = vfs.RootMount.Children[^2];
        settings.FirstEntered = () =>
        {
            AddSettings(vfs, settings);
            MountGroups(vfs, settingsMount);
        };
        MemoryFileSystem shared = NewTemporary(vfs);
        PseudoTerminalFileSystem? terminals = NewTerminals?.Invoke(vfs.NewDevice());
        if (NewTerminals is { } newTerminals)
            Register(vfs, "devpts", _ => newTerminals(vfs.NewDevice()));
        devices.FirstEntered = () =>
        {
            AddDevices(devices.Root);
            vfs.Loops.AddNodes(devices);
            Devices.FaultMonitorDevice.AddNode(devices);
            devicesMount.Root.Find("shm"u8, out Dentry point);
            vfs.MountAt(new PathEntry(devicesMount, point), shared, "tmpfs");
            if (terminals is null)
                return;
            devicesMount.Root.Find("pts"u8, out point);
            vfs.MountAt(new PathEntry(devicesMount, point), terminals, "devpts");
        };
        // Most programs never look: it would be a seventh of a small one's start.
        if (root.Root is MemoryDirectory top)
            top.Awaited = ("etc"u8.ToArray(), NameHost);
        foreach ((string source, string target, bool writable) in Binds)
        {
            HostFileSystem? bind = HostFileSystem.Open(Clock, source, !writable, out Errno error);
            problem = bind is null ? $"cannot bind {source}: {Describe(error)}" : Attach(vfs, target, bind, source, !writable);
            if (problem is not null)
                return null;
        }
        return vfs;
    }

    /// <summary>
    /// The world's own name leads to itself, as container run-times see to: a line behind those that the tree has in /etc/hosts
    /// (hosts(5); 127.0.1.1 as Debian does it). A tree without /etc stays without.
    /// </summary>
    private void NameHost(Inode directory)
    {
        const int mostText = 1 << 16;
        const uint mode = 0x1A4;
        if (directory.Kind != FileKind.Directory)
            return;
        string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
        Errno error = directory.Lookup("hosts"u8, out Inode? hosts);
        if (error == Errno.ENOENT)
            error = directory.Make("hosts"u8, new NodeSpec(FileKind.Regular, mode, 0, 0), out hosts);
        else if (error == Errno.None && hosts!.Kind == FileKind.Regular && hosts.Status.Size < mostText)
            error = ReadText(hosts, out text);
        if (error != Errno.None || hosts!.Kind != FileKind.Regular || text.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries).Contains(System.HostName))
            return;
        hosts.WriteAt(0, Encoding.Latin1.GetBytes($"{text}{(text.Length == 0 || text[^1] == '\n' ? "" : "\n")}127.0.1.1\t{System.HostName}\n"));
    }

    private static Errno ReadText(Inode file, out string text)
    {
        text = "";
        Errno error = file.AcquireContent(forWriting: false);
        if (error != Errno.None)
            return error;
        byte[] bytes = new byte[file.Status.Size];
        IoResult read = file.ReadAt(0, bytes);
        file.ReleaseContent();
        text = Encoding.Latin1.GetString(bytes.AsSpan(0, (int)Math.Max(0, read.Count)));
        return read.Error;
    }

    private MemoryObject NewContent() => new AnonymousObject(Accountant);

    private MemoryFileSystem NewTemporary(Vfs vfs) => new(Clock, vfs.NewDevice(), NewContent) { Accountant = Accountant, Capacity = Math.Min(TemporaryCapacity, Accountant.Limit) };

    private ProcFileSystem NewProc(Vfs vfs, IProcessSource processes) => new(Clock, vfs.NewDevice(), processes, System, Random);

    /// <summary>A type whose options change nothing here.</summary>
    private static void Register(Vfs vfs, string type, Func<CallContext, FileSystem> make) => vfs.FileSystemTypes[type] = new FileSystemType(
        type,
        (in FileSystemRequest request, out FileSystem? made) =>
        {
            made = make(request.Call);
            return Errno.None;
        },
        static (_, _) => true);

    private Inode? OpenRoot(out string? problem)
    {
        HostFileSystem? host = HostFileSystem.Open(Clock, RootPath, readOnly: true, out Errno error);
        problem = host is null ? $"cannot open root {RootPath}: {Describe(error)}" : null;
        if (host is null || host.Root.Kind == FileKind.Directory)
            return host?.Root;
        if (host.Root.Kind != FileKind.Regular)
        {
            problem = $"root {RootPath} is neither a directory nor an archive";
            return null;
        }
        return OpenArchive(host.Root, out problem);
    }

    private Inode? OpenArchive(Inode file, out string? problem)
    {
        const uint AnyDevice = 0x1F;
        if (file.MapContent(forWriting: false, out MemoryObject? content) != Errno.None)
        {
            problem = $"cannot read archive {RootPath}";
            return null;
        }
        MemoryObject? archive = Decompress(content!, out problem);
        if (archive is null)
            return null;
        TarFileSystem? tar = TarFileSystem.Open(Clock, DeviceNumber.Make(0, AnyDevice), archive, NewContent, out string? damage);
        problem = damage is null ? null : $"cannot use archive {RootPath}: {damage}";
        return tar?.Root;
    }

    /// <summary>A gzip file is held decompressed, outside the guest's limit: it is not the guest's doing.</summary>
    private MemoryObject? Decompress(MemoryObject content, out string? problem)
    {
        problem = null;
        Span<byte> magic = stackalloc byte[2];
        if (content.Read(0, magic) != 2 || magic is not [0x1F, 0x8B])
            return content;
        AnonymousObject plain = new(new MemoryAccountant(ulong.MaxValue), "archive");
        byte[] buffer = new byte[1 << 16];
        try
        {
            using GZipStream stream = new(new ContentStream(content), CompressionMode.Decompress);
            for (int count; (count = stream.Read(buffer)) > 0;)
                plain.Write(plain.Length, buffer.AsSpan(0, count));
            return plain;
        }
        catch (InvalidDataException)
        {
            problem = $"cannot use archive {RootPath}: its compression is damaged";
            plain.Release();
            return null;
        }
    }

    /// <summary>Mounts on a directory of the root. What a host's directory is like is asked when somebody looks below the mount.</summary>
    private static string? Cover(Vfs vfs, string name, FileSystem fileSystem, string source, Inode lower)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        if (vfs.RootMount.FileSystem.Root is not MemoryDirectory top || (lower as HostDirectory)?.FindHidden(bytes) is not { } hidden)
            return Attach(vfs, $"/{name}", fileSystem, source, readOnly: false);
        top.Show(bytes, hidden);
        vfs.RootMount.Root.Find(bytes, out Dentry point);
        vfs.MountAt(new PathEntry(vfs.RootMount, point), fileSystem, source);
        return null;
    }

    /// <summary>Mounts at a place that is made when the root lacks it.</summary>
    private static string? Attach(Vfs vfs, string place, FileSystem fileSystem, string source, bool readOnly)
    {
        FileCaller caller = new(new FileContext(vfs.Root, vfs.Root) { CreationMask = 0 }, FileCredentials.Root);
        byte[] path = Encoding.UTF8.GetBytes(place);
        if (path.Length == 0 || path[0] != (byte)'/')
            return $"cannot mount at {place}: the path is not absolute";
        for (int end = 1; end <= path.Length; end++)
        {
            bool isLast = end == path.Length;
            if (!isLast && path[end] != (byte)'/')
                continue;
            FileKind kind = isLast ? fileSystem.RootKind : FileKind.Directory;
            Errno made = vfs.Make(caller, vfs.Root, path.AsSpan(0, end), kind, kind == FileKind.Directory ? DirectoryMode : OpenMode, 0, null, out _);
            if (made is not (Errno.None or Errno.EEXIST))
                return $"cannot mount at {place}: {Describe(made)}";
        }
        Errno error = vfs.Resolve(caller, vfs.Root, path, WalkFlags.Follow, out PathEntry? point);
        if (error != Errno.None)
            return $"cannot mount at {place}: {Describe(error)}";
        if ((point!.Inode.Kind == FileKind.Directory) != (fileSystem.RootKind == FileKind.Directory))
            return $"cannot mount at {place}: one is a directory, the other is not";
        vfs.MountAt(point, fileSystem, source, flags: readOnly ? MountFlags.ReadOnly : MountFlags.None);
        return null;
    }

    private MemoryFileSystem NewDevices(Vfs vfs) => new(Clock, vfs.NewDevice(), NewContent, rootMode: DirectoryMode) { Accountant = Accountant };

    private static void AddDevices(Inode root)
    {
        foreach ((string name, uint major, uint minor) in ((string, uint, uint)[])
            [("null", 1, MemoryDevices.Null), ("zero", 1, MemoryDevices.Zero), ("full", 1, MemoryDevices.Full), ("random", 1, MemoryDevices.Random),
             ("urandom", 1, MemoryDevices.UnlimitedRandom), ("tty", 5, 0), ("ptmx", 5, 2)])
        {
            Add(root, name, new NodeSpec(FileKind.CharacterDevice, OpenMode, 0, 0, DeviceNumber.Make(major, minor)));
        }
        foreach ((string name, string target) in ((string, string)[])
            [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")])
        {
            Add(root, name, new NodeSpec(FileKind.SymbolicLink, 0x1FF, 0, 0, Target: Encoding.UTF8.GetBytes(target)));
        }
        Add(root, "shm", new NodeSpec(FileKind.Directory, SharedMode, 0, 0));
        Add(root, "pts", new NodeSpec(FileKind.Directory, DirectoryMode, 0, 0));
        Add(root, "net", new NodeSpec(FileKind.Directory, DirectoryMode, 0, 0));
        if (root.Lookup("net"u8, out Inode? net) == Errno.None)
            Add(net!, "tun", new NodeSpec(FileKind.CharacterDevice, OpenMode, 0, 0, DeviceNumber.Make(TunnelMajor, TunnelMinor)));
    }

    private static void Add(Inode directory, string name, in NodeSpec spec) => directory.Make(Encoding.UTF8.GetBytes(name), spec, out _);

    /// <summary>The few places of sysfs that C libraries and run-times read to count processors.</summary>
    private MemoryFileSystem NewSystem(Vfs vfs)
    {
        MemoryFileSystem system = new(Clock, vfs.NewDevice(), NewContent, rootMode: DirectoryMode) { Accountant = Accountant };
        system.FirstEntered = () => AddSettings(vfs, system);
        return system;
    }

    private ControlGroupFileSystem NewGroups(Vfs vfs) => new(Clock, vfs.NewDevice(), Processes, System);

    private void MountGroups(Vfs vfs, Mount settings)
    {
        settings.Root.Find("fs"u8, out Dentry files);
        files.Find("cgroup"u8, out Dentry point);
        vfs.MountAt(new PathEntry(settings, point), NewGroups(vfs), "cgroup2");
    }

    private void AddSettings(Vfs vfs, MemoryFileSystem system)
    {
        Inode root = system.Root;
        BlockTree blocks = new(Clock, system.Device, vfs.Loops);
        Graft(root, "block", blocks.Links);
        Graft(root, "devices/virtual/block", blocks.Devices);
        Graft(root, "class/block", blocks.ClassLinks);
        Graft(root, "dev/block", blocks.NumberedLinks);
        string last = System.Processors > 1 ? $"0-{System.Processors - 1}\n" : "0\n";
        AddText(root, "kernel/security/lsm", "capability,landlock");
        AddText(root, "devices/system/cpu/online", last);
        AddText(root, "devices/system/cpu/possible", last);
        AddText(root, "devices/system/cpu/present", last);
        AddDirectories(root, "fs", "cgroup");
        AddNodes(root, last);
        AddText(root, "kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
        AddText(root, "kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
        for (int i = 0; i < System.Processors; i++)
            AddText(root, $"devices/system/cpu/cpu{i}/topology/core_id", $"{i}\n");
    }

    /// <summary>
    /// The nodes of memory (numa(7)), alike in size; all processors are at the first. What is used is told as it was when somebody first
    /// looked here.
    /// </summary>
    private void AddNodes(Inode root, string processors)
    {
        const string folder = "devices/system/node/";
        int nodes = Accountant.Nodes;
        string all = MemoryPolicy.ListOf(ulong.MaxValue >> (64 - nodes)) + "\n";
        foreach (string set in (string[])["online", "possible", "has_memory", "has_normal_memory"])
            AddText(root, folder + set, all);
        AddText(root, folder + "has_cpu", "0\n");
        ulong total = Accountant.Limit / 1024 / (ulong)nodes, used = Accountant.Used / 1024 / (ulong)nodes;
        for (int node = 0; node < nodes; node++)
        {
            string place = $"{folder}node{node}/";
            bool isFirst = node == MemoryPolicy.LocalNode;
            AddText(root, place + "cpulist", isFirst ? processors : "\n");
            AddText(root, place + "cpumap", isFirst ? $"{ulong.MaxValue >> (64 - System.Processors):x}\n" : "0\n");
            AddText(root, place + "distance", string.Join(' ', Enumerable.Range(0, nodes).Select(other => other == node ? "10" : "20")) + "\n");
            AddText(
                root, place + "meminfo",
                $"Node {node} MemTotal:       {total,8} kB\nNode {node} MemFree:        {total - used,8} kB\nNode {node} MemUsed:        {used,8} kB\nNode {node} FilePages:      {0,8} kB\n");
            AddText(root, place + "numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0\n");
        }
    }

    private static void Graft(Inode directory, string path, Inode node)
    {
        string[] names = path.Split('/');
        foreach (string name in names[..^1])
        {
            if (directory.Lookup(Encoding.UTF8.GetBytes(name), out Inode? next) != Errno.None)
                directory.Make(Encoding.UTF8.GetBytes(name), new NodeSpec(FileKind.Directory, DirectoryMode, 0, 0), out next);
            directory = next!;
        }
        ((MemoryDirectory)directory).Graft(Encoding.UTF8.GetBytes(names[^1]), node);
    }

    private static void AddDirectories(Inode directory, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            directory.Make(Encoding.UTF8.GetBytes(name), new NodeSpec(FileKind.Directory, DirectoryMode, 0, 0), out Inode? next);
            directory = next!;
        }
    }

    private static void AddText(Inode directory, string path, string text)
    {
        string[] names = path.Split('/');
        for (int i = 0; i < names.Length; i++)
        {
            byte[] name = Encoding.UTF8.GetBytes(names[i]);
            bool isLast = i == names.Length - 1;
            if (directory.Lookup(name, out Inode? next) != Errno.None)
                directory.Make(name, isLast ? new NodeSpec(FileKind.Regular, 0x124, 0, 0) : new NodeSpec(FileKind.Directory, DirectoryMode, 0, 0), out next);
            if (isLast)
                next!.WriteAt(0, Encoding.UTF8.GetBytes(text));
            directory = next!;
        }
    }

    private static string Describe(Errno error) => error switch
    {
        Errno.ENOENT => "no such file or directory",
        Errno.EACCES or Errno.EPERM => "permission denied",
        Errno.ENOTDIR => "not a directory",
        _ => error.ToString(),
    };

    /// <summary>A file's content as a stream, for decompression.</summary>
    private sealed class ContentStream(MemoryObject content) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => content.Length;

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int count = content.Read(_position, buffer);
            _position += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
