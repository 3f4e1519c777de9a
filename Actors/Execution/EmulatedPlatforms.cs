using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Personalities;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>What the emulator runs programs of: every system and processor that there is an emulation of.</summary>
public static class EmulatedPlatforms
{
    /// <summary>In order.</summary>
    public static IReadOnlyList<Platform> All { get; } = [.. GuestSystems.Pairs().Select(static pair => new Platform(pair.System.Name, Processors.Name(pair.Processor))).Order()];

    /// <summary>What a node advertises that has the emulator (<see cref="NodeDescription.Backends"/>).</summary>
    public static IReadOnlyList<string> Advertised { get; } = [JobSpec.EmulatedBackend, .. All.Select(NodeDescription.Emulated)];
}
