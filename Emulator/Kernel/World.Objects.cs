using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    private ulong _objects = 1000;

    private Namespaces? _namespaces;

    /// <summary>What the first process sees. Its network's loopback device is up, as boot scripts leave it.</summary>
    public Namespaces FirstNamespaces => _namespaces ??= MakeNamespaces();

    private Namespaces MakeNamespaces()
    {
        Namespaces first = Namespaces.MakeFirst(this);
        Network network = first.Network;
        network.SetUp(network.Loopback, isUp: true);
        network.Outside = _spec.Outside;
        foreach (WorldLink link in _spec.Links)
        {
            var device = new SwitchDevice(network, network.FreeName("eth%d"), link.Port);
            network.Add(device);
            network.AddAddress(device, (link.Address ?? link.Port.DefaultAddress) with { Label = device.Name });
            network.SetUp(device, isUp: true);
        }
        return first;
    }

    /// <summary>Packets on their way into the world's networks.</summary>
    public PacketBacklog Packets { get; } = new();

    /// <summary>Where programs read clocks without a call; null until one was started.</summary>
    public ClockPage? ClockPage { get; set; }

    private Ipc.IpcObjects? _ipc;

    /// <summary>System V objects and POSIX message queues.</summary>
    public Ipc.IpcObjects Ipc => _ipc ??= new Ipc.IpcObjects();

    internal bool HasIpc => _ipc is not null;

    /// <summary>What uname(2) and /proc tell of the system.</summary>
    public SystemInfo System { get; set; } = new();

    /// <summary>How many <see cref="Events.FileChangeQueue"/>s there are; limited, as their records take memory.</summary>
    public int ChangeQueues { get; internal set; }

    /// <summary>Watches in all of them.</summary>
    public int FileWatches { get; internal set; }

    /// <summary>A number for an object without a name; counts up, so it is the same in every run.</summary>
    public ulong NewObjectNumber() => _objects++;
}
