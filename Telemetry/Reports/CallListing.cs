using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Strace;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Reports;

/// <summary>Which calls a listing shows. What is null does not matter.</summary>
public sealed record CallFilter
{
    /// <summary>Names.</summary>
    public IReadOnlySet<string>? Calls { get; init; }

    /// <summary>Bytes that occur in the file's name.</summary>
    public byte[]? Path { get; init; }

    public int? Process { get; init; }

    public bool OnlyErrors { get; init; }

    /// <summary>Nanoseconds that a call must have taken.</summary>
    public long? AtLeast { get; init; }

    /// <summary>The span whose calls are shown.</summary>
    public TraceSpan? Span { get; init; }
}

/// <summary>Records as lines like those of <c>strace -f -r -T -y</c>, in the order in which the calls ended.</summary>
public sealed class CallListing(TraceDocument trace, CallFilter filter, Stream output)
{
    private const int Chunk = 1 << 16;

    private readonly RecordText _formatter = new();
    private readonly StringBuilder _text = new(Chunk + 4096);
    private readonly Dictionary<int, (string Name, bool IsWanted)> _names = [];
    private readonly HashSet<int> _shown = [.. trace.Processes.Select(static process => process.Id)];
    private byte[] _bytes = new byte[Chunk];

    /// <summary>Writes what the filter lets through; returns how many calls that were.</summary>
    public long Write()
    {
        long written = 0;
        foreach (CallSegment segment in trace.Segments)
        {
            if (IsOutside(segment))
                continue;
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                if (!IsWanted(reader.Current, reader.Index))
                    continue;
                Append(reader.Current);
                written++;
            }
        }
        Flush();
        return written;
    }

    private bool IsOutside(CallSegment segment) => filter.Span is { FirstIndex: >= 0 } span
        && (span.LastIndex < segment.FirstIndex || span.FirstIndex >= segment.FirstIndex + segment.Count);

    private bool IsWanted(in CallRecord record, long index)
    {
        if (filter.Span is { } span && !IsIn(span, record, index))
            return false;
        if ((filter.Process is { } process && record.Process != process && record.Thread != process) || (filter.OnlyErrors && !record.HasFailed) || record.Duration < (filter.AtLeast ?? 0))
            return false;
        if (filter.Path is { } path && (record.Subject is null || record.Subject.AsSpan().IndexOf(path) < 0))
            return false;
        return filter.Calls is null || NameOf(record.Number).IsWanted;
    }

    private bool IsIn(TraceSpan span, in CallRecord record, long index)
    {
        if (span.FirstIndex >= 0 && (index < span.FirstIndex || index > span.LastIndex))
            return false;
        // The processes without spans of their own are told as one.
        return span.Process == 0 || (span.Process < 0 ? !_shown.Contains(record.Process) : record.Process == span.Process);
    }

    private (string Name, bool IsWanted) NameOf(int number)
    {
        if (_names.TryGetValue(number, out (string, bool) known))
            return known;
        string name = CallRecorder.NameOf(number);
        return _names[number] = (name, filter.Calls?.Contains(name) ?? true);
    }

    private void Append(in CallRecord record)
    {
        _text.Append(CultureInfo.InvariantCulture, $"[{record.Thread}] +");
        AppendSeconds(Math.Max(0, record.Start + trace.Job.ToRealtime - trace.Job.Ran));
        _text.Append(' ');
        _formatter.AppendCall(_text, record, NameOf(record.Number).Name);
        _text.Append(" <");
        AppendSeconds(record.Duration);
        if (record.Blocked > 0)
        {
            _text.Append(" waited ");
            AppendSeconds(record.Blocked);
            if (record.WokenBy != 0)
                _text.Append(CultureInfo.InvariantCulture, $" for {record.WokenByProcess}");
        }
        _text.Append(">\n");
        if (_text.Length >= Chunk)
            Flush();
    }

    private void AppendSeconds(long nanoseconds)
    {
        Span<char> digits = stackalloc char[32];
        (long seconds, long rest) = Math.DivRem(nanoseconds, 1_000_000_000);
        seconds.TryFormat(digits, out int length, default, CultureInfo.InvariantCulture);
        digits[length++] = '.';
        for (int i = length + 8; i >= length; i--, rest /= 10)
            digits[i] = (char)('0' + (rest % 10));
        _text.Append(digits[..(length + 9)]);
    }

    private void Flush()
    {
        foreach (ReadOnlyMemory<char> chunk in _text.GetChunks())
        {
            int most = Encoding.UTF8.GetMaxByteCount(chunk.Length);
            if (_bytes.Length < most)
                _bytes = new byte[most];
            output.Write(_bytes, 0, Encoding.UTF8.GetBytes(chunk.Span, _bytes));
        }
        _text.Clear();
    }
}
