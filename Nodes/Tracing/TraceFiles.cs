using Vivarium.Messages;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Tracing;

/// <summary>Trace files: which form a name asks for, and how they are written.</summary>
internal static class TraceFiles
{
    private const string Perfetto = "perfetto.json", Otlp = "otlp.json", Own = ".trace";

    /// <summary>What keeps a run from leaving its trace in a file; null = nothing that can be seen beforehand.</summary>
    public static string? Check(string file, TraceLevel level)
    {
        if (level == TraceLevel.Off)
            return "--trace-file needs a trace: not with --trace off";
        try
        {
            using FileStream _ = new(file, FileMode.OpenOrCreate, FileAccess.Write);
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"--trace-file: cannot write {file}: {failure.Message}";
        }
    }

    /// <summary>Writes a trace in the form that the end of the file's name asks for. Returns what went wrong, or null.</summary>
    public static string? Write(string file, TraceDocument trace)
    {
        try
        {
            using FileStream output = new(file, FileMode.Create);
            Write(output, file, trace);
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"the trace was not written to {file}: {failure.Message}";
        }
    }

    /// <summary>Several jobs in one file, which Jaeger's form alone can hold. Returns what went wrong, or null.</summary>
    public static string? Write(string file, IReadOnlyList<TraceDocument> traces)
    {
        if (traces.Count == 1)
            return Write(file, traces[0]);
        if (new[] { Perfetto, Otlp, Own }.Any(end => file.EndsWith(end, StringComparison.Ordinal)))
            return $"several jobs can be written as Jaeger's JSON only, not to {file}";
        try
        {
            using FileStream output = new(file, FileMode.Create);
            JaegerJson.Write(output, [.. traces.Select(static trace => trace.Joined())], []);
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"the trace was not written to {file}: {failure.Message}";
        }
    }

    public static void Write(Stream output, string name, TraceDocument trace)
    {
        if (name.EndsWith(Perfetto, StringComparison.Ordinal))
            PerfettoJson.Write(output, trace.Joined());
        else if (name.EndsWith(Otlp, StringComparison.Ordinal))
            OtlpJson.Write(output, trace.Joined());
        else if (name.EndsWith(Own, StringComparison.Ordinal))
            output.Write(TraceFile.Write(trace));
        else
            JaegerJson.Write(output, [trace.Joined()], TraceFile.Write(trace));
    }
}
