using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    private ulong _objects = 1000;

    private Network? _network;

    public Network Network => _network ??= new Network(this);

    /// <summary>What uname(2) and /proc tell of the system.</summary>
    public SystemInfo System { get; set; } = new();

    /// <summary>How many <see cref="Events.FileChangeQueue"/>s there are; limited, as their records take memory.</summary>
    public int ChangeQueues { get; internal set; }

    /// <summary>Watches in all of them.</summary>
    public int FileWatches { get; internal set; }

    /// <summary>A number for an object without a name; counts up, so it is the same in every run.</summary>
    public ulong NewObjectNumber() => _objects++;
}
