using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Terminals;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    /// <summary>The tree of mounts. Set when the world is set up.</summary>
    public Vfs Vfs { get; set; } = null!;

    /// <summary>
    /// Gives a process descriptors 0, 1 and 2 on streams outside the world. Those that are terminals become what
    /// <paramref name="terminal"/> makes, the others pipes.
    /// </summary>
    public void AttachStandardStreams(Process process, IHostInput input, IHostOutput output, IHostOutput error, Func<OpenFile>? terminal = null)
    {
        ulong device = Vfs.NewDevice();
        FileCredentials owner = process.MainThread.FileCredentials;
        OpenFile Open(bool isTerminal, Func<OpenFile> makePipe)
        {
            if (isTerminal && terminal is not null)
                return terminal();
            OpenFile pipe = makePipe();
            pipe.Inode.SetAttributes(new AttributeChange { User = owner.User, Group = owner.Group });
            return pipe;
        }

        process.Files.Add(Open(input.IsTerminal, () => new HostStreamFile(input, Post, Clock, device, 1)), closeOnExec: false, out _);
        process.Files.Add(Open(output.IsTerminal, () => new HostStreamFile(output, Post, Clock, device, 2)), closeOnExec: false, out _);
        process.Files.Add(Open(error.IsTerminal, () => new HostStreamFile(error, Post, Clock, device, 3)), closeOnExec: false, out _);
    }

    /// <summary>Builds the tree that the specification asks for; null, or one sentence for the user on what cannot be used.</summary>
    public string? MountTree()
    {
        SystemInfo system = (_spec.System ?? new SystemInfo()) with
        {
            TotalMemory = Accountant.Limit,
            MemoryNodes = Accountant.Nodes,
            UsedMemory = () => Accountant.Used,
            LastProcessId = () => LastProcessId,
            Settings = new KernelSettings(),
        };
        System = system;
        Vfs? tree = new WorldTree
        {
            Clock = Clock,
            Accountant = Accountant,
            Random = Random.Fill,
            Processes = new WorldProcesses(this),
            System = system,
            NewTerminals = device => new PseudoTerminalFileSystem(this, Clock, device),
            RootPath = _spec.RootPath,
            Binds = _spec.Binds,
            MayExceedQuotas = () => Current?.Credentials is not { } credentials || credentials.Has(Capability.Resource),
        }.Build(out string? problem);
        if (tree is not null)
            Vfs = tree;
        return problem;
    }
}

public sealed partial class Process
{
    /// <summary>The kinds of memory that its core dumps have, as bits of coredump_filter (core(5)).</summary>
    public uint DumpedKinds { get; set; } = 0x33;

    /// <summary>Root, working directory and creation mask; shared by processes made with CLONE_FS.</summary>
    public FileContext FileContext { get; set; } = null!;

    /// <summary>Queues of asynchronous requests, by the address that names them; they go with the address space.</summary>
    public SortedDictionary<ulong, AsyncContext> AsyncContexts => _asyncContexts ??= [];

    private SortedDictionary<ulong, AsyncContext>? _asyncContexts;

    internal void DropAsyncContexts()
    {
        if (_asyncContexts is not { } contexts)
            return;
        foreach (AsyncContext context in contexts.Values)
            context.Drop();
        contexts.Clear();
    }

    /// <summary>Gives the process descriptors of its own when it shares them with another.</summary>
    public void UnshareFiles()
    {
        if (!Files.IsShared)
            return;
        FileTable own = Files.Copy();
        Files.Leave();
        Files = own;
    }
}

public sealed partial class GuestThread
{
    /// <summary>What file access is checked against; follows the thread's credentials.</summary>
    public FileCredentials FileCredentials { get; set; } = FileCredentials.Root;

    /// <summary>The same with the real instead of the effective ids, for access(2).</summary>
    public FileCredentials RealFileCredentials { get; set; } = FileCredentials.Root;
}
