using Vivarium.Emulator.Kernel.Files.Proc;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    private ulong _objects = 1000;

    /// <summary>What uname(2) and /proc tell of the system.</summary>
    public SystemInfo System { get; set; } = new();

    /// <summary>A number for an object without a name; counts up, so it is the same in every run.</summary>
    public ulong NewObjectNumber() => _objects++;
}
