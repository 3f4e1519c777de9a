namespace Vivarium.Telemetry.Traces;

/// <summary>Who the spans come from (OpenTelemetry's resource conventions).</summary>
public static class Resource
{
    public static IReadOnlyList<TraceAttribute> Of(JobFacts job)
    {
        List<TraceAttribute> attributes =
        [
            new("service.name", "vivarium"),
            new("os.type", job.System),
            new("host.arch", job.Processor),
            new("telemetry.sdk.language", "dotnet"),
            new("telemetry.sdk.name", "vivarium"),
        ];
        if (job.Node.Length > 0)
            attributes.Add(new("host.name", job.Node));
        return attributes;
    }
}
