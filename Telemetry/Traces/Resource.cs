namespace Vivarium.Telemetry.Traces;

/// <summary>Who the spans come from (OpenTelemetry's resource conventions).</summary>
public static class Resource
{
    /// <param name="attempt">One of the earlier attempts of a joined trace, which another node may have run; 0 = the last.</param>
    public static IReadOnlyList<TraceAttribute> Of(TraceDocument trace, int attempt) =>
        Of(attempt == 0 ? trace.Job : trace.Job with { Node = trace.Attempts.FirstOrDefault(facts => facts.Number == attempt)?.Node ?? "" });

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
