using System.Buffers.Binary;
using System.Globalization;
using Vivarium.Messages;

namespace Vivarium.Telemetry.Traces;

/// <summary>
/// Where a job's spans belong: their trace, the span of whoever submitted the job, and the job's own (W3C Trace Context). A job
/// without a parent begins a trace of its own, whose identifier is the job's.
/// </summary>
public sealed record TraceContext
{
    private const int HeaderLength = 55;

    /// <summary>The spans of one attempt are fewer than two to this power.</summary>
    private const int AttemptShift = 16;

    private readonly int _firstNumber;

    private TraceContext(string traceId, ulong parent, byte flags, ulong salt, int attempt)
    {
        TraceId = traceId;
        _firstNumber = (Math.Max(1, attempt) - 1) << AttemptShift;
        Parent = parent;
        Flags = flags;
        ulong low = ulong.Parse(traceId.AsSpan(16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        Seed = Mix(low ^ Mix(parent ^ salt));
    }

    /// <summary>32 hexadecimal digits, small letters.</summary>
    public string TraceId { get; }

    /// <summary>The submitter's span; 0 = none.</summary>
    public ulong Parent { get; }

    public byte Flags { get; }

    /// <summary>What the identifiers of this job's spans are made from.</summary>
    private ulong Seed { get; }

    /// <summary>The job's own span, the same for all its attempts.</summary>
    public ulong JobSpan => Numbered(0);

    /// <summary>What this attempt is told under: its own span, or of the first the job's.</summary>
    public ulong RootSpan => _firstNumber == 0 ? JobSpan : SpanId(1);

    /// <summary>What is handed on: <c>traceparent</c>, with the job, or its later attempt, as the parent.</summary>
    public string TraceParent => string.Create(CultureInfo.InvariantCulture, $"00-{TraceId}-{RootSpan:x16}-{Flags:x2}");

    /// <summary>The identifier of the attempt's span of a number.</summary>
    public ulong SpanId(int number) => Numbered(_firstNumber + number);

    private ulong Numbered(int number) => Math.Max(1, Mix(Seed + (ulong)number));

    /// <summary>A span's identifier that whoever knows the job's span can tell.</summary>
    internal static ulong Derive(ulong jobSpan, int number) => Math.Max(1, Mix(jobSpan ^ Mix(~(ulong)number)));

    /// <summary>A job's place. A job with a seed has the same identifiers in every run under one parent.</summary>
    /// <param name="traceParent">The submitter's; null or one that is malformed = none.</param>
    /// <param name="attempt">Which of its runs, from 1.</param>
    public static TraceContext Of(JobId id, ulong? seed, string? traceParent, int attempt = 1)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        ulong own = BinaryPrimitives.ReadUInt64BigEndian(bytes) ^ BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        if (TryParse(traceParent, out string? trace, out ulong parent, out byte flags))
            return new TraceContext(trace!, parent, flags, seed ?? own, attempt);
        return new TraceContext(Convert.ToHexStringLower(bytes), 0, 1, own, attempt);
    }

    /// <summary>Takes a <c>traceparent</c> apart: version, trace, parent, flags; versions to come may have more behind.</summary>
    public static bool TryParse(string? text, out string? trace, out ulong parent, out byte flags)
    {
        (trace, parent, flags) = (null, 0, 0);
        if (text is null || text.Length < HeaderLength || text[2] != '-' || text[35] != '-' || text[52] != '-')
            return false;
        if (!TryHex(text[..2], out ulong version) || version == 0xFF || (version == 0 && text.Length != HeaderLength) || (text.Length > HeaderLength && text[HeaderLength] != '-'))
            return false;
        string id = text[3..35];
        if (!TryHex(id[..16], out ulong high) || !TryHex(id[16..], out ulong low) || (high | low) == 0)
            return false;
        if (!TryHex(text[36..52], out parent) || parent == 0 || !TryHex(text[53..55], out ulong bits))
            return false;
        (trace, flags) = (id, (byte)bits);
        return true;
    }

    /// <summary>Small letters only, as the recommendation has it.</summary>
    private static bool TryHex(string text, out ulong value)
    {
        value = 0;
        return !text.AsSpan().ContainsAnyExcept("0123456789abcdef") && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>SplitMix64's finisher.</summary>
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
