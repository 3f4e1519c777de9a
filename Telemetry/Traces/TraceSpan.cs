namespace Vivarium.Telemetry.Traces;

/// <summary>A span's attribute: a string, number, truth value or list of strings.</summary>
public readonly record struct TraceAttribute(string Key, object Value);

/// <summary>Another span that had to do with this one.</summary>
/// <param name="Reason">The attribute <c>vivarium.link</c> of the link.</param>
/// <param name="TraceId">The trace it is in; null = the same.</param>
public readonly record struct TraceLink(ulong Span, string Reason, string? TraceId = null);

/// <summary>What a span tells of.</summary>
public enum SpanKind
{
    Job,
    Phase,
    Process,
    Run,
    Call,

    /// <summary>One of several runs of the job.</summary>
    Attempt,
}

/// <summary>A span, as every exporter takes it.</summary>
public sealed class TraceSpan
{
    public required ulong Id { get; init; }

    /// <summary>0 = the trace has nothing above it.</summary>
    public required ulong Parent { get; init; }

    public required string Name { get; init; }

    public required SpanKind Kind { get; init; }

    /// <summary>Nanoseconds since 1970 UTC.</summary>
    public required long Start { get; init; }

    public required long End { get; init; }

    public List<TraceAttribute> Attributes { get; init; } = [];

    public List<TraceLink> Links { get; init; } = [];

    /// <summary>Why it failed; null = it did not.</summary>
    public string? Error { get; set; }

    /// <summary>The process whose calls it tells; 0 = none, -1 = those without spans of their own. In joined traces <see cref="AttemptSpans.Split"/> tells the attempt too.</summary>
    public int Process { get; init; }

    /// <summary>Places of its first and last call among all the job's records; -1 = it tells of none.</summary>
    public long FirstIndex { get; init; } = -1;

    public long LastIndex { get; init; } = -1;

    public void Set(string key, object value) => Attributes.Add(new TraceAttribute(key, value));
}
