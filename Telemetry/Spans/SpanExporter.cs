using System.Diagnostics;
using System.Globalization;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Vivarium.Messages;

namespace Vivarium.Telemetry.Spans;

/// <summary>
/// Sends job traces over OTLP. Endpoint, headers and protocol come from the standard OTEL_EXPORTER_OTLP_* variables; without
/// OTEL_EXPORTER_OTLP_PROTOCOL it is http/protobuf, as the specification recommends, except to gRPC's own port 4317.
/// Attributes are OpenTelemetry's semantic conventions where there are any, else <c>vivarium.*</c>.
/// </summary>
public sealed class SpanExporter : IDisposable
{
    private const string SourceName = "Vivarium";
    private const int GrpcPort = 4317;

    private readonly ActivitySource _source = new(SourceName);
    private readonly TracerProvider _provider;
    private volatile bool _hasFailed;

    private readonly Action<OtlpExporterOptions, Action>? _transport;

    /// <param name="version">Vivarium's, for the service's resource.</param>
    /// <param name="transport">Gives the exporter a transport that calls the action when something could not be sent; the library's own drops it silently.</param>
    public SpanExporter(string version, Action<OtlpExporterOptions, Action>? transport = null)
    {
        _transport = transport;
        _provider = Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => resource.AddService("vivarium", serviceVersion: version))
            .SetSampler(new AlwaysOnSampler())
            .AddSource(SourceName)
            .AddOtlpExporter(Configure)
            .Build();
    }

    /// <summary>Sends a job's trace. Returns its trace identifier.</summary>
    public string Export(JobId id, JobSpec spec, JobResult result, JobTrace trace)
    {
        using Activity job = Start($"job {Text(spec.Program)}", default, trace.Start);
        job.SetTag("vivarium.job.id", id.ToString());
        job.SetTag("vivarium.job.end", result.End.ToString());
        job.SetTag("vivarium.engine", spec.Engine.ToString());
        job.SetTag("vivarium.instructions", (long)result.Usage.Instructions);
        job.SetTag("vivarium.memory.peak", (long)result.Usage.PeakMemory);
        if (spec.Seed is { } seed)
            job.SetTag("vivarium.seed", seed.ToString(CultureInfo.InvariantCulture));
        if (trace.OmittedProcesses > 0)
        {
            job.SetTag("vivarium.processes.omitted", trace.OmittedProcesses);
            job.SetTag("vivarium.calls.omitted", trace.OmittedCalls);
        }
        Dictionary<int, ActivityContext> parents = [];
        foreach (ProcessTrace process in trace.Processes)
        {
            ActivityContext parent = parents.GetValueOrDefault(process.Parent, job.Context);
            parents[process.Id] = Export(process, parent);
        }
        if (result.End != JobEnd.Exited || result.Code != 0)
            job.SetStatus(ActivityStatusCode.Error, result.Message);
        job.SetEndTime(Time(trace.End).UtcDateTime);
        return job.TraceId.ToHexString();
    }

    /// <summary>Waits until everything is sent; false when it could not be within <paramref name="milliseconds"/>.</summary>
    public bool Flush(int milliseconds) => _provider.ForceFlush(milliseconds) && !_hasFailed;

    public void Dispose()
    {
        _provider.Dispose();
        _source.Dispose();
    }

    private void Configure(OtlpExporterOptions options)
    {
        _transport?.Invoke(options, () => _hasFailed = true);
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL") is { Length: > 0 })
            return;
        string? endpoint = Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT");
        bool isGrpc = Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? uri) && uri.Port == GrpcPort;
        options.Protocol = isGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
    }

    private ActivityContext Export(ProcessTrace process, ActivityContext parent)
    {
        string name = process.Executable.Length == 0 ? $"process {process.Id}" : Path.GetFileName(process.Executable);
        using Activity span = Start(name, parent, process.Start);
        span.SetTag("process.pid", process.Id);
        span.SetTag("process.parent_pid", process.Parent);
        span.SetTag("process.executable.path", process.Executable);
        span.SetTag("process.executable.name", Path.GetFileName(process.Executable));
        span.SetTag("process.command_args", process.Arguments.ToArray());
        if (process.ExitCode is { } code)
            span.SetTag("process.exit.code", code);
        if (process.Signal is { } signal)
            span.SetTag("vivarium.process.signal", signal);
        if (process.Signal is not null || process.ExitCode is not null and not 0)
            span.SetStatus(ActivityStatusCode.Error);
        foreach (CallRun run in process.Runs)
            Export(run, span.Context);
        span.SetEndTime(Time(process.End).UtcDateTime);
        return span.Context;
    }

    private void Export(CallRun run, ActivityContext parent)
    {
        string name = run switch
        {
            { Count: 1 } => run.Name!,
            { Name: { } only } => $"{only} ×{run.Count}",
            _ => $"{run.Count} calls",
        };
        using Activity span = Start(name, parent, run.Start);
        span.SetTag("vivarium.call.count", run.Count);
        span.SetTag("vivarium.call.time_ns", run.CallTime);
        span.SetTag("vivarium.call.longest_ns", run.LongestCall);
        if (run.Errors > 0)
            span.SetTag("vivarium.call.errors", run.Errors);
        foreach ((string call, long count) in run.Counts)
            span.SetTag($"vivarium.calls.{call}", count);
        if (run.Error is { } error)
        {
            span.SetTag("error.type", error);
            span.SetStatus(ActivityStatusCode.Error, error);
        }
        span.SetEndTime(Time(run.End).UtcDateTime);
    }

    private Activity Start(string name, ActivityContext parent, long start)
    {
        Activity.Current = null;
        return _source.StartActivity(name, ActivityKind.Internal, parent, startTime: Time(start))
            ?? throw new InvalidOperationException("the tracer provider does not listen");
    }

    private static DateTimeOffset Time(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    private static string Text(byte[] bytes) => System.Text.Encoding.UTF8.GetString(bytes);
}
