using System.Globalization;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>
/// cgroups(7), version 2: a world is one group, seen from inside, and its limits are the group's. Run-times size their heaps by them.
/// </summary>
public sealed class ControlGroupFileSystem : GeneratedFileSystem
{
    private const uint Magic = 0x63677270;
    private const string Unlimited = "max\n";

    private readonly IProcessSource _processes;
    private readonly SystemInfo _system;

    public ControlGroupFileSystem(IClock clock, ulong device, IProcessSource processes, SystemInfo system)
        : base(clock, device)
    {
        _processes = processes;
        _system = system;
        var root = new ProcDirectory(this, mode: 0x1ED);
        Root = root;
        FirstEntered = () => Fill(root);
    }

    public override string TypeName => "cgroup2";

    public override Inode Root { get; }

    public override FileSystemStatus Status => new() { Magic = Magic, BlockSize = 4096, NameLength = 255, Id = Device };

    private void Fill(ProcDirectory root)
    {
        root.AddText("cgroup.controllers", static () => "cpu memory pids\n")
            .AddText("cgroup.subtree_control", static () => "\n")
            .AddText("cgroup.procs", ProcessesText)
            .AddText("cgroup.type", static () => "domain\n")
            .AddText("cgroup.events", static () => "populated 1\nfrozen 0\n")
            .AddText("cpu.max", static () => "max 100000\n")
            .AddText("cpu.weight", static () => "100\n");
        AddMemory(root);
        root.AddText("pids.current", () => Line((ulong)_processes.ProcessIds.Count))
            .AddText("pids.max", static () => Unlimited);
    }

    private void AddMemory(ProcDirectory root)
    {
        root.AddText("memory.current", () => Line(_system.UsedMemory()))
            .AddText("memory.max", () => Line(_system.TotalMemory))
            .AddText("memory.high", static () => Unlimited)
            .AddText("memory.low", static () => Line(0))
            .AddText("memory.min", static () => Line(0))
            .AddText("memory.swap.current", static () => Line(0))
            .AddText("memory.swap.max", static () => Line(0))
            .AddText("memory.events", static () => "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n")
            .AddText("memory.stat", () => $"anon {_system.UsedMemory()}\nfile 0\nshmem 0\ninactive_anon 0\nactive_anon {_system.UsedMemory()}\ninactive_file 0\nactive_file 0\n");
    }

    private string ProcessesText() => string.Concat(_processes.ProcessIds.Select(static id => string.Create(CultureInfo.InvariantCulture, $"{id}\n")));

    private static string Line(ulong value) => string.Create(CultureInfo.InvariantCulture, $"{value}\n");
}
