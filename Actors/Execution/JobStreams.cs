using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Terminals;

namespace Vivarium.Actors.Execution;

/// <summary>What a job's standard streams are connected to outside its world.</summary>
public sealed record JobStreams(IHostInput Input, IHostOutput Output, IHostOutput Error)
{
    /// <summary>The terminal behind those streams that are one; null when none is.</summary>
    public IHostTerminal? Terminal { get; init; }

    /// <summary>Called when the job's first process was stopped; true when its terminal did it.</summary>
    public Action<bool>? Stopped { get; init; }

    /// <summary>Takes the lines of the call listing as they come, UTF-8 with their line ends; null = none wanted.</summary>
    public LineWriter? Listing { get; init; }
}

/// <summary>Takes one or more whole lines of UTF-8.</summary>
public delegate void LineWriter(ReadOnlySpan<byte> lines);
