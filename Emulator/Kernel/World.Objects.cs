using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    private ulong _objects = 1000;

    private Namespaces? _namespaces;

    /// <summary>What the first process sees. Its network's loopback device is up, as boot scripts leave it.</summary>
    public Namespaces FirstNamespaces => _namespaces ??= MakeNamespaces();

    private Namespaces MakeNamespaces()
    {
        Namespaces first = Namespaces.MakeFirst(this, SetUpFirst);
        // Others may send to the links at once.
        if (_spec.Links.Count > 0)
            _ = first.Network;
        return first;
    }

    private void SetUpFirst(Network network)
    {
        network.SetUp(network.Loopback, isUp: true);
        network.Outside = _spec.Outside;
        foreach (WorldLink link in _spec.Links)
        {
            var device = new SwitchDevice(network, network.FreeName("eth%d"), link.Port);
            network.Add(device);
            network.AddAddress(device, (link.Address ?? link.Port.DefaultAddress) with { Label = device.Name });
            network.SetUp(device, isUp: true);
        }
    }

    /// <summary>Packets on their way into the world's networks.</summary>
    public PacketBacklog Packets { get; } = new();

    private readonly List<ClockPage> _clockPages = [];

    /// <summary>Where programs in a space of clocks read them without a call, with an architecture's code.</summary>
    public ClockPage ClockPageOf(TimeSpace space, ReadOnlyMemory<byte> code)
    {
        if (space.Pages.Find(known => known.Code.Equals(code)) is { } found)
            return found;
        // The first is the world's own; those that guests ask for are theirs to pay.
        var page = space == FirstNamespaces.Time ? new ClockPage(Clock, code) : new ClockPage(Clock, Accountant, code, space);
        _clockPages.Add(page);
        space.Pages.Add(page);
        return page;
    }

    private readonly List<Ipc.IpcSpace> _ipc = [];

    /// <summary>All spaces of System V objects that were made.</summary>
    internal IReadOnlyList<Ipc.IpcSpace> IpcSpaces => _ipc;

    internal void Track(Ipc.IpcSpace space) => _ipc.Add(space);

    internal void Forget(Ipc.IpcSpace space) => _ipc.Remove(space);

    /// <summary>Whether a process ever asked for semaphore operations to be undone.</summary>
    public bool HasUndo(Process process) => _ipc.Exists(space => space.HasUndo(process.Id));

    /// <summary>What administrators set.</summary>
    public KernelSettings Settings => System.Settings;

    /// <summary>What the pipes of each user take.</summary>
    public Pipes.PipePages PipePages => field ??= new Pipes.PipePages(Settings);

    /// <summary>Bytes of POSIX queues each user pays for (RLIMIT_MSGQUEUE).</summary>
    public Dictionary<uint, ulong> QueueBytes { get; } = [];

    /// <summary>What uname(2) and /proc tell of the system.</summary>
    public SystemInfo System { get; set; } = new();

    /// <summary>How many <see cref="Events.FileChangeQueue"/>s there are; limited, as their records take memory.</summary>
    public int ChangeQueues { get; internal set; }

    /// <summary>The same of <see cref="Events.FileAlertGroup"/>s.</summary>
    public int AlertGroups { get; internal set; }

    private readonly Dictionary<Programs.ProgramMap, int> _maps = [];

    /// <summary>A descriptor or a program uses a map.</summary>
    public void JoinMap(Programs.ProgramMap map) => _maps[map] = _maps.GetValueOrDefault(map) + 1;

    /// <summary>One uses it no more; the last one gives its memory back.</summary>
    public void LeaveMap(Programs.ProgramMap map)
    {
        if (--_maps[map] != 0)
            return;
        _maps.Remove(map);
        Accountant.Release(map.Charged);
        (map as IDisposable)?.Dispose();
    }

    /// <summary>Watches in all of them.</summary>
    public int FileWatches { get; internal set; }

    /// <summary>Pages that stand for places in memory.</summary>
    public Futexes.SharedPages SharedPages => field ??= new Futexes.SharedPages();

    private Keys.KeyTable? _keys;

    /// <summary>Keys and keyrings.</summary>
    public Keys.KeyTable Keys => _keys ??= new Keys.KeyTable(this);

    internal bool HasKeys => _keys is not null;

    private KernelLog? _log;

    /// <summary>What the kernel says of itself.</summary>
    public KernelLog Log => _log ??= new KernelLog(this);

    private readonly System.Runtime.CompilerServices.ConditionalWeakTable<object, object> _order = [];

    /// <summary>A number by which an object comes before or after others, given when it is first asked for (kcmp(2)).</summary>
    public ulong OrderOf(object one)
    {
        if (!_order.TryGetValue(one, out object? number))
            _order.Add(one, number = NewObjectNumber());
        return (ulong)number;
    }

    /// <summary>A number for an object without a name; counts up, so it is the same in every run.</summary>
    public ulong NewObjectNumber() => _objects++;
}
