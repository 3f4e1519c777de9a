namespace Vivarium.Telemetry.Traces;

/// <summary>What came of a question for a job's trace.</summary>
/// <param name="File">The trace as <see cref="Formats.TraceFile"/> has it; null when there is none.</param>
/// <param name="Missing">Why there is none, as a sentence for people.</param>
public readonly record struct TraceAnswer(byte[]? File, string? Missing);

/// <summary>Where traces of jobs that ended are kept: a node's folder, a cluster's store, another node.</summary>
public interface ITraceSource
{
    /// <param name="job">The job's identifier, 32 hexadecimal digits.</param>
    /// <param name="attempt">Which of its attempts, from 1; 0 = the last, with the earlier ones beside it where there are any.</param>
    /// <param name="stop">Gives up.</param>
    Task<TraceAnswer> Find(string job, int attempt, CancellationToken stop);
}
