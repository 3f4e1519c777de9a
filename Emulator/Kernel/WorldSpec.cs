using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Proc;

namespace Vivarium.Emulator.Kernel;

/// <summary>What a world is made of. Everything of the host comes in here.</summary>
public sealed record WorldSpec
{
    /// <summary>The host's clock.</summary>
    public required IClock HostClock { get; init; }

    /// <summary>True: time stands still while all sleep and jumps to the next deadline.</summary>
    public bool IsVirtualTime { get; init; }

    /// <summary>Fixes scheduling and random numbers.</summary>
    public ulong Seed { get; init; }

    /// <summary>True when the schedule is to differ from seed to seed.</summary>
    public bool ShufflesThreads { get; init; }

    /// <summary>Bytes of memory and in-memory files.</summary>
    public ulong MemoryLimit { get; init; } = 4UL << 30;

    /// <summary>Nodes that the memory lies in (numa(7)), at most 64.</summary>
    public int MemoryNodes { get; init; } = 1;

    public required IEngine Engine { get; init; }

    /// <summary>The system that programs without a mark are of.</summary>
    public required IPersonality Personality { get; init; }

    /// <summary>Other systems by name; null for those that there are none of.</summary>
    public Func<string, IPersonality?> Systems { get; init; } = static _ => null;

    /// <summary>Called from any thread when an idle world has something to do.</summary>
    public Action? Woken { get; init; }

    /// <summary>Watches calls, signals and ends, when set.</summary>
    public ICallObserver? Observer { get; init; }

    /// <summary>Takes a record of every call, when set.</summary>
    public Records.CallRing? Calls { get; init; }

    /// <summary>What other worlds' records call this one; null = nothing, and what it sends has no origin.</summary>
    public byte[]? Identity { get; init; }

    /// <summary>What goes wrong on purpose.</summary>
    public PlannedFault[] Faults { get; init; } = [];

    /// <summary>The guest's "/": a directory or archive of the host.</summary>
    public string RootPath { get; init; } = "/";

    public IReadOnlyList<TreeBind> Binds { get; init; } = [];

    /// <summary>Switches between worlds that this one is plugged into; eth0, eth1 and so on.</summary>
    public IReadOnlyList<Net.Devices.WorldLink> Links { get; init; } = [];

    /// <summary>Where connections go that no device leads to; null = nowhere.</summary>
    public Net.IOutsideNetwork? Outside { get; init; }

    public SystemInfo? System { get; init; }
}
