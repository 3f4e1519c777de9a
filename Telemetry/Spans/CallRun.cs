namespace Vivarium.Telemetry.Spans;

/// <summary>Consecutive calls of one process, told as one span.</summary>
public sealed class CallRun
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>World time of the first call's start and the last call's end, nanoseconds since the epoch.</summary>
    public required long Start { get; init; }

    public required long End { get; set; }

    /// <summary>Calls by name.</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    public long Count { get; private set; }

    public long Errors { get; private set; }

    /// <summary>Time spent in the calls themselves, without what ran between them.</summary>
    public long CallTime { get; private set; }

    public long LongestCall { get; private set; }

    /// <summary>The error of a single failed call, e.g. "ENOENT".</summary>
    public string? Error { get; init; }

    /// <summary>True for a call that deserves a span of its own: slow, or the first to fail in its way.</summary>
    public bool IsNoted { get; set; }

    /// <summary>The one call's name, or null for a mixed run.</summary>
    public string? Name => _counts.Count == 1 ? FirstName() : null;

    public static CallRun Of(string name, long start, long end, string? error)
    {
        var run = new CallRun { Start = start, End = end, Error = error, CallTime = end - start, LongestCall = end - start, Count = 1 };
        run.Errors = error is null ? 0 : 1;
        run._counts.Add(name, 1);
        return run;
    }

    /// <summary>The two as one; <paramref name="other"/> comes behind this.</summary>
    public CallRun Join(CallRun other)
    {
        var joined = new CallRun
        {
            Start = Start,
            End = Math.Max(End, other.End),
            Count = Count + other.Count,
            Errors = Errors + other.Errors,
            CallTime = CallTime + other.CallTime,
            LongestCall = Math.Max(LongestCall, other.LongestCall),
        };
        foreach (CallRun run in (ReadOnlySpan<CallRun>)[this, other])
        {
            foreach ((string name, long count) in run._counts)
                joined._counts[name] = joined._counts.GetValueOrDefault(name) + count;
        }
        return joined;
    }

    /// <summary>Adds one more call of the same name, that ended after this run.</summary>
    public void Extend(long start, long end, bool failed)
    {
        End = Math.Max(End, end);
        Count++;
        Errors += failed ? 1 : 0;
        CallTime += end - start;
        LongestCall = Math.Max(LongestCall, end - start);
        _counts[FirstName()] = Count;
    }

    private string FirstName()
    {
        foreach (string name in _counts.Keys)
            return name;
        return "";
    }
}
