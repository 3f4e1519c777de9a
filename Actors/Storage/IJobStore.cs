using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>
/// The cluster's authority (design decision 8): who owns a shard, what happened to each job, its output, traces and the images. Thread-safe.
/// Each operation is one transaction: durable when it completes, or it throws <see cref="StoreUnavailableException"/> and may be repeated.
/// </summary>
public interface IJobStore : IShardLeases, IJobJournal, IJobDirectory, IImageStore, ISuiteStore, ITraceStore, IStoreRetention, IAsyncDisposable
{
    /// <summary>A shard got jobs to run; raised on any thread, after they are durable, by whichever node accepted them.</summary>
    event Action<int>? Queued;

    /// <summary>A job's state or output changed; raised like <see cref="Queued"/>. Some changes may be told as one. The default identifier
    /// stands for any job: changes may have been missed while the store was away.</summary>
    event Action<JobId>? Changed;
}

/// <summary>The store cannot be reached or does not answer. Nothing is known of the operation's effect; every one may be repeated.</summary>
public sealed class StoreUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The store cannot be used at all: a newer program's, another cluster's, or already in use.</summary>
public sealed class StoreRefusedException(string message) : Exception(message);
