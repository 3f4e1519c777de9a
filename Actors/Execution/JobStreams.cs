using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Execution;

/// <summary>What a job's standard streams are connected to outside its world.</summary>
public sealed record JobStreams(IHostInput Input, IHostOutput Output, IHostOutput Error)
{
    /// <summary>Columns and rows of the terminal behind the streams, if there is one.</summary>
    public (int Columns, int Rows)? TerminalSize { get; init; }

    /// <summary>Takes the lines of the call listing as they come, UTF-8 with their line ends; null = none wanted.</summary>
    public LineWriter? Listing { get; init; }
}

/// <summary>Takes one or more whole lines of UTF-8.</summary>
public delegate void LineWriter(ReadOnlySpan<byte> lines);
