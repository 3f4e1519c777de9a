using System.Globalization;
using System.Runtime.CompilerServices;

namespace Vivarium.Nodes.Tracing;

/// <summary>Where spans go and how, from OpenTelemetry's own environment variables ("OpenTelemetry Protocol Exporter").</summary>
internal sealed record OtlpSettings
{
    private const int GrpcPort = 4317;
    private const string TraceService = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    private const string MetricsService = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

    /// <summary>Where trace requests go.</summary>
    public required Uri Traces { get; init; }

    /// <summary>Where metrics go; null when only traces have an endpoint.</summary>
    public Uri? Metrics { get; init; }

    public bool IsGrpc { get; init; }

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>Of one request.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A file of certificates to trust, in PEM, instead of the machine's.</summary>
    public string? Authorities { get; init; }

    /// <summary>Files of this client's certificate and key, in PEM.</summary>
    public string? Certificate { get; init; }

    public string? Key { get; init; }

    /// <summary>The settings of the environment; null when it names no collector or forbids to export. <paramref name="error"/> says what is wrong with it.</summary>
    public static OtlpSettings? FromEnvironment(out string? error) => From(Environment.GetEnvironmentVariable, out error);

    /// <summary>How often metrics are sent (OTEL_METRIC_EXPORT_INTERVAL, milliseconds).</summary>
    public static TimeSpan MetricInterval() =>
        int.TryParse(Environment.GetEnvironmentVariable("OTEL_METRIC_EXPORT_INTERVAL"), NumberStyles.None, CultureInfo.InvariantCulture, out int milliseconds) && milliseconds > 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : TimeSpan.FromMinutes(1);

    /// <summary>The same from variables by name.</summary>
    public static OtlpSettings? From(Func<string, string?> variable, out string? error)
    {
        error = null;
        string? own = Find(variable, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), common = Find(variable, "OTEL_EXPORTER_OTLP_ENDPOINT");
        if ((own ?? common) is not { } endpoint || Find(variable, "OTEL_SDK_DISABLED") == "true" || Find(variable, "OTEL_TRACES_EXPORTER") == "none")
            return null;
        return Read(variable, endpoint, own is not null, common is not null, out error);
    }

    /// <summary>By itself, since addresses are an assembly that a run without a collector does not load.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OtlpSettings? Read(Func<string, string?> variable, string endpoint, bool isOwn, bool hasCommon, out string? error)
    {
        error = null;
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            error = $"OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https address: {endpoint}";
            return null;
        }
        string protocol = Either(variable, "PROTOCOL") ?? (uri.Port == GrpcPort ? "grpc" : "http/protobuf");
        if (protocol is not ("grpc" or "http/protobuf"))
        {
            error = $"OTEL_EXPORTER_OTLP_PROTOCOL is neither grpc nor http/protobuf: {protocol}";
            return null;
        }
        bool isGrpc = protocol == "grpc";
        return new OtlpSettings
        {
            Traces = isGrpc ? new Uri(uri, TraceService) : isOwn ? uri : Below(uri, "v1/traces"),
            Metrics = !hasCommon ? null : isGrpc ? new Uri(uri, MetricsService) : Below(uri, "v1/metrics"),
            IsGrpc = isGrpc,
            Headers = [.. ReadHeaders(Either(variable, "HEADERS"))],
            Timeout = ReadTimeout(Either(variable, "TIMEOUT")),
            Authorities = Either(variable, "CERTIFICATE"),
            Certificate = Either(variable, "CLIENT_CERTIFICATE"),
            Key = Either(variable, "CLIENT_KEY"),
        };

        static Uri Below(Uri uri, string path) => new(uri.AbsoluteUri.TrimEnd('/') + "/" + path);
    }

    private static string? Either(Func<string, string?> variable, string name) =>
        Find(variable, "OTEL_EXPORTER_OTLP_TRACES_" + name) ?? Find(variable, "OTEL_EXPORTER_OTLP_" + name);

    private static string? Find(Func<string, string?> variable, string name) => variable(name) is { Length: > 0 } value ? value : null;

    /// <summary>As W3C Baggage: <c>name=value</c>, percent-encoded, separated by commas. What is none is left out.</summary>
    private static IEnumerable<(string, string)> ReadHeaders(string? text)
    {
        foreach (string pair in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=');
            if (equals > 0)
                yield return (pair[..equals].Trim(), Uri.UnescapeDataString(pair[(equals + 1)..].Trim()));
        }
    }

    private static TimeSpan ReadTimeout(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int milliseconds) && milliseconds > 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : TimeSpan.FromSeconds(10);
}
