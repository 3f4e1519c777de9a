using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>A part of an attempt's trace.</summary>
/// <param name="Number">Its place: 0 is what changes and is written again and again, the others are written once.</param>
public readonly record struct TracePart(int Number, ReadOnlyMemory<byte> Bytes);

/// <summary>
/// Traces of attempts that still run, or that ended with their node: what is left when a node's own disk cannot be asked. What the parts say
/// is not the store's business.
/// </summary>
public interface ITraceStore
{
    /// <summary>Writes parts of an attempt's trace; a part that is there is replaced. A job that is not there gets none.</summary>
    /// <param name="firstKept">The parts from 1 up to this one make room.</param>
    ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept);

    /// <summary>The parts of an attempt's trace in their order; none when there is none.</summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt);

    /// <summary>Removes an attempt's trace. Those of a job go with the job.</summary>
    ValueTask RemoveTrace(JobId job, int attempt);
}
