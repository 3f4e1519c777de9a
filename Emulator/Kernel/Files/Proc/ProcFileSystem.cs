using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Files.Devices;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>proc(5): the world's processes and settings as files.</summary>
public sealed class ProcFileSystem : GeneratedFileSystem
{
    private const uint Magic = 0x9FA0;
    private const ulong Kilobyte = 1024;

    private readonly IProcessSource _processes;
    private readonly SystemInfo _system;
    private readonly RandomBytes _random;
    private string? _bootId;

    public ProcFileSystem(IClock clock, ulong device, IProcessSource processes, SystemInfo system, RandomBytes random)
        : base(clock, device)
    {
        _processes = processes;
        _system = system;
        _random = random;
        ProcNumbers root = new(this, _ => processes.ProcessIds, id => processes.Find(id) is null ? null : ProcessDirectory.Create(this, processes, id));
        Root = root;
        FirstEntered = () => Fill(root);
    }

    private void Fill(ProcNumbers root)
    {
        _bootId = RandomId();
        AddSystem(root);
        root.Add("self", new ProcLink(this, OwnNumber));
        // What the BSDs call it; to others it is no link.
        root.AddUnlisted("curproc", new ProcLink(this, call => call is { Process.Personality.HasCurproc: true } ? OwnNumber(call) : null));
        root.Add("thread-self", new ProcLink(
            this, call => call is not null && _processes.NumberOf(call.Process.Id) is not 0 and var own ? Encoding.ASCII.GetBytes($"{own}/task/{_processes.NumberOf(call.Thread.Id)}") : null));
        root.Add("mounts", new ProcLink(this, static _ => "self/mounts"u8.ToArray()));
        root.Add("net", new ProcLink(this, static _ => "self/net"u8.ToArray()));
        root.Add("sysvipc", new ProcDirectory(this)
            .Add("msg", OfSpaces(IpcText.Channels)).Add("sem", OfSpaces(IpcText.Semaphores)).Add("shm", OfSpaces(IpcText.Segments)));
        root.Add("sys", new ProcDirectory(this) { Filler = new SettingsDirectory(this, _processes, _system, RandomId, _bootId).Fill });
    }

    public override string TypeName => "proc";

    public override Inode Root { get; }

    public override FileSystemStatus Status => new() { Magic = Magic, BlockSize = 4096, NameLength = 255, Id = Device };

    /// <summary>Types of file systems, in the order of /proc/filesystems.</summary>
    public static IReadOnlyList<string> Types { get; } = ["sysfs", "tmpfs", "proc", "cgroup2", "devtmpfs", "devpts", "ext3", "ext2", "ext4", "overlay"];

    private byte[]? OwnNumber(CallContext? call) => call is not null && _processes.NumberOf(call.Process.Id) is not 0 and var own ? Ascii(own) : null;

    private static byte[] Ascii(int value) => Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));

    private void AddSystem(ProcDirectory root)
    {
        root.Add("cpuinfo", new ProcText(this, static call => call is null ? [] : Encoding.ASCII.GetBytes(call.World.Personality.ProcessorText(call.Thread))))
            .Add("meminfo", new ProcText(this, call => Encoding.ASCII.GetBytes(MemoryText((call?.World.Vfs.Swaps.Bytes ?? 0) / Kilobyte))))
            .AddText("uptime", UptimeText)
            .AddText("loadavg", LoadText)
            .AddText("stat", StatText)
            .AddText("version", () => $"{_system.SystemName} version {_system.Release} (vivarium@vivarium) {_system.Version}\n")
            .AddText("filesystems", static () => string.Concat(Types.Select(static type => $"{(type.StartsWith("ext", StringComparison.Ordinal) ? "" : "nodev")}\t{type}\n")))
            .AddText("cmdline", static () => "quiet\n")
            .AddText("devices", static () => "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n136 pts\n\nBlock devices:\n  7 loop\n")
            .Add("tty", new ProcDirectory(this).AddText("drivers", static () =>
                "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
                + "/dev/ptmx            /dev/ptmx       5       2 system\n"
                + "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
                + "pty_master           /dev/ptm      128 0-1048575 pty:master\n"))
            .Add("swaps", new ProcText(this, static call => call is null ? [] : call.World.Vfs.Swaps.Text(call.Process.FileContext)))
            .AddText("modules", static () => "")
            .Add("config.gz", new ProcText(this, static _ => KernelConfiguration.Compressed))
            .Add("keys", new ProcText(this, static call => call is null ? [] : Keys.KeyText.Keys(call)))
            .Add("key-users", new ProcText(this, static call => call is null ? [] : Keys.KeyText.Users(call)))
            .Add("partitions", new ProcText(this, static call => call is null ? [] : Encoding.ASCII.GetBytes(BlockTree.Partitions(call.World.Vfs.Loops))))
            .Add("diskstats", new ProcText(this, static call => call is null ? [] : Encoding.ASCII.GetBytes(BlockTree.Statistics(call.World.Vfs.Loops))))
            .AddText("vmstat", () => $"nr_free_pages {(_system.TotalMemory - _system.UsedMemory()) / 4096}\npgfault 0\npgmajfault 0\n");
    }

    private ProcText OfSpaces(Func<Namespaces, string> text) =>
        new(this, _ => _processes.Current is { } spaces ? Encoding.ASCII.GetBytes(text(spaces)) : []);

    private string MemoryText(ulong swap)
    {
        ulong total = _system.TotalMemory / Kilobyte;
        ulong free = total - Math.Min(total, _system.UsedMemory() / Kilobyte);
        StringBuilder text = new();
        void Line(string name, ulong kilobytes) => text.Append(CultureInfo.InvariantCulture, $"{name + ":",-16}{kilobytes,8} kB\n");
        Line("MemTotal", total);
        Line("MemFree", free);
        Line("MemAvailable", free);
        foreach (string name in (string[])["Buffers", "Cached", "SwapCached", "Active", "Inactive"])
            Line(name, 0);
        Line("SwapTotal", swap);
        Line("SwapFree", swap);
        Line("Dirty", 0);
        Line("Writeback", 0);
        Line("AnonPages", total - free);
        foreach (string name in (string[])["Mapped", "Shmem", "Slab", "SReclaimable", "SUnreclaim", "KernelStack", "PageTables"])
            Line(name, 0);
        Line("CommitLimit", total);
        Line("Committed_AS", total - free);
        Line("VmallocTotal", 34359738367);
        Line("VmallocUsed", 0);
        return text.Append("HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n").ToString();
    }

    private string UptimeText()
    {
        decimal seconds = (Clock.Monotonic + BootOffset) / 1_000_000_000m;
        return string.Create(CultureInfo.InvariantCulture, $"{seconds:F2} {0m:F2}\n");
    }

    /// <summary>The reader's: whoever reads sees its own clocks.</summary>
    private long BootOffset => _processes.Current?.Time.BootOffset ?? 0;

    private string LoadText() => string.Create(
        CultureInfo.InvariantCulture, $"0.00 0.00 0.00 {_system.RunningThreads()}/{_processes.ProcessIds.Count} {_system.LastProcessId()}\n");

    private string StatText()
    {
        StringBuilder text = new();
        long ticks = Clock.Monotonic / 10_000_000;
        text.Append(CultureInfo.InvariantCulture, $"cpu  {ticks * _system.Processors} 0 0 0 0 0 0 0 0 0\n");
        for (int i = 0; i < _system.Processors; i++)
            text.Append(CultureInfo.InvariantCulture, $"cpu{i} {ticks} 0 0 0 0 0 0 0 0 0\n");
        long bootTime = (Clock.Realtime - Clock.Monotonic - BootOffset) / 1_000_000_000;
        return text.Append(CultureInfo.InvariantCulture,
            $"intr 0\nctxt 0\nbtime {bootTime}\nprocesses {_system.LastProcessId()}\nprocs_running {_system.RunningThreads()}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n").ToString();
    }

    /// <summary>A random UUID, version 4 (RFC 9562).</summary>
    private string RandomId()
    {
        Span<byte> bytes = stackalloc byte[16];
        _random(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D", CultureInfo.InvariantCulture);
    }
}
