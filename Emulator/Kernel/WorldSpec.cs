using Vivarium.Emulator.Cpu;
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

    public required IEngine Engine { get; init; }

    public required IPersonality Personality { get; init; }

    /// <summary>Called from any thread when an idle world has something to do.</summary>
    public Action? Woken { get; init; }

    /// <summary>Is told every finished call, when set.</summary>
    public CallObserver? Observer { get; init; }

    /// <summary>The guest's "/": a directory or archive of the host.</summary>
    public string RootPath { get; init; } = "/";

    public IReadOnlyList<(string Source, string Target, bool Writable)> Binds { get; init; } = [];

    public SystemInfo? System { get; init; }
}

/// <summary>One finished system call, as tracers see it. Times are world time in nanoseconds.</summary>
public readonly record struct CallRecord(GuestThread Thread, int Number, long Start, long End, CallResult Result);

/// <summary>Takes a finished call on the world's worker, while its memory still is as the call left it.</summary>
public delegate void CallObserver(in CallRecord record);
