using Google.Protobuf;

namespace Vivarium.Messages.Wire;

/// <summary>Results and journal events.</summary>
public static partial class WireFormat
{
    /// <summary>An event's kind as the journal keeps it. Numbers are never used again.</summary>
    public enum EventKind : short
    {
        Accepted = 1,
        Waited = 2,
        Moved = 3,
        Started = 4,
        Interrupted = 5,
        Retried = 6,
        CancelRequested = 7,
        Finished = 8,
    }

    /// <summary>An event without what the job's row has: the specification and the final result.</summary>
    public static (EventKind Kind, byte[] Detail) Write(JobEvent happened)
    {
        (EventKind kind, JobEventDetail? detail) = happened switch
        {
            JobEvent.Accepted => (EventKind.Accepted, (JobEventDetail?)null),
            JobEvent.Waited waited => (EventKind.Waited, waited.Reason is { } reason ? new JobEventDetail { Reason = reason } : null),
            JobEvent.Moved moved => (EventKind.Moved, new JobEventDetail { Shard = moved.Shard }),
            JobEvent.Started started => (EventKind.Started, new JobEventDetail { Node = started.Node }),
            JobEvent.Interrupted interrupted => (EventKind.Interrupted, new JobEventDetail { Reason = interrupted.Reason }),
            JobEvent.Retried retried => (EventKind.Retried, new JobEventDetail { Result = Of(retried.Result) }),
            JobEvent.CancelRequested => (EventKind.CancelRequested, null),
            JobEvent.Finished => (EventKind.Finished, null),
            _ => throw new ArgumentException($"no wire format for {happened.GetType().Name}", nameof(happened)),
        };
        return (kind, detail?.ToByteArray() ?? []);
    }

    /// <param name="spec">The job's, for <see cref="EventKind.Accepted"/>.</param>
    /// <param name="result">The job's, for <see cref="EventKind.Finished"/>.</param>
    public static JobEvent ReadEvent(EventKind kind, ReadOnlySpan<byte> bytes, Messages.JobSpec spec, Messages.JobResult? result)
    {
        JobEventDetail detail = JobEventDetail.Parser.ParseFrom(bytes);
        return kind switch
        {
            EventKind.Accepted => new JobEvent.Accepted(spec),
            EventKind.Waited => new JobEvent.Waited(detail.HasReason ? detail.Reason : null),
            EventKind.Moved => new JobEvent.Moved(detail.Shard),
            EventKind.Started => new JobEvent.Started(detail.Node),
            EventKind.Interrupted => new JobEvent.Interrupted(detail.Reason),
            EventKind.Retried => new JobEvent.Retried(Read(detail.Result)),
            EventKind.CancelRequested => new JobEvent.CancelRequested(),
            EventKind.Finished => new JobEvent.Finished(result ?? throw new InvalidDataException("a finished job without a result")),
            _ => throw new InvalidDataException($"event of kind {kind}"),
        };
    }

    private static JobResult Of(Messages.JobResult result)
    {
        var wire = new JobResult
        {
            End = (int)result.End,
            Code = result.Code,
            Failure = (int)result.Failure,
            Usage = Of(result.Usage),
        };
        if (result.Message is not null)
            wire.Message = result.Message;
        return wire;
    }

    private static JobUsage Of(Messages.JobUsage usage)
    {
        var wire = new JobUsage
        {
            Instructions = usage.Instructions,
            PeakMemory = usage.PeakMemory,
            Processes = usage.Processes,
            ElapsedTicks = usage.Elapsed.Ticks,
            Translator = new TranslatorUsage
            {
                Blocks = usage.Translator.Blocks,
                Bytes = usage.Translator.Bytes,
                Hits = usage.Translator.Hits,
                ChainedJumps = usage.Translator.ChainedJumps,
                Interpreted = usage.Translator.Interpreted,
                Evictions = usage.Translator.Evictions,
            },
        };
        wire.Calls.AddRange(usage.Calls.Select(static call => new CallUsage
        {
            Name = call.Name,
            Count = call.Count,
            Errors = call.Errors,
            TotalTime = call.TotalTime,
            LongestTime = call.LongestTime,
            IsUnimplemented = call.IsUnimplemented,
        }));
        wire.Missing.AddRange(usage.Missing.Select(static missing => new MissingUsage
        {
            OperatingSystem = missing.OperatingSystem,
            Architecture = missing.Architecture,
            Name = missing.Name,
            Count = missing.Count,
        }));
        return wire;
    }

    private static Messages.JobResult Read(JobResult wire) => new()
    {
        End = (JobEnd)wire.End,
        Code = wire.Code,
        Failure = (JobFailure)wire.Failure,
        Message = wire.HasMessage ? wire.Message : null,
        Usage = wire.Usage is null ? new Messages.JobUsage() : Read(wire.Usage),
    };

    private static Messages.JobUsage Read(JobUsage wire) => new()
    {
        Instructions = wire.Instructions,
        PeakMemory = wire.PeakMemory,
        Processes = wire.Processes,
        Elapsed = new TimeSpan(wire.ElapsedTicks),
        Translator = wire.Translator is not { } translator ? new Messages.TranslatorUsage() : new Messages.TranslatorUsage
        {
            Blocks = translator.Blocks,
            Bytes = translator.Bytes,
            Hits = translator.Hits,
            ChainedJumps = translator.ChainedJumps,
            Interpreted = translator.Interpreted,
            Evictions = translator.Evictions,
        },
        Calls =
        [
            .. wire.Calls.Select(static call => new Messages.CallUsage
            {
                Name = call.Name,
                Count = call.Count,
                Errors = call.Errors,
                TotalTime = call.TotalTime,
                LongestTime = call.LongestTime,
                IsUnimplemented = call.IsUnimplemented,
            }),
        ],
        Missing = [.. wire.Missing.Select(static missing => new Messages.MissingUsage(missing.OperatingSystem, missing.Architecture, missing.Name, missing.Count))],
    };
}
