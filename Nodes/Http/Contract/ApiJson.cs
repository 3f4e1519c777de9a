using System.Text.Json;
using System.Text.Json.Serialization;
using Vivarium.Messages;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>How what the API says is written: names in camel case, no unknown members, nothing that is null.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    Converters =
    [
        typeof(WordConverter<JobState>), typeof(WordConverter<JobEnd>), typeof(WordConverter<JobFailure>), typeof(WordConverter<EngineKind>), typeof(WordConverter<TraceLevel>),
        typeof(WordConverter<ClockKind>), typeof(WordConverter<NetworkReach>), typeof(WordConverter<SuiteStatus>), typeof(WordConverter<SuiteRunState>),
    ])]
[JsonSerializable(typeof(SubmitRequest))]
[JsonSerializable(typeof(SignalRequest))]
[JsonSerializable(typeof(SubmitAnswer))]
[JsonSerializable(typeof(JobDetail))]
[JsonSerializable(typeof(JobList))]
[JsonSerializable(typeof(OutputAnswer))]
[JsonSerializable(typeof(NodeList))]
[JsonSerializable(typeof(StatsAnswer))]
[JsonSerializable(typeof(ImageList))]
[JsonSerializable(typeof(ImageAnswer))]
[JsonSerializable(typeof(ContentAnswer))]
[JsonSerializable(typeof(JobState))]
[JsonSerializable(typeof(SuiteRequest))]
[JsonSerializable(typeof(SuiteDetail))]
[JsonSerializable(typeof(SuiteList))]
[JsonSerializable(typeof(Suites.SuiteResult))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(CallerAnswer))]
[JsonSerializable(typeof(ShardList))]
[JsonSerializable(typeof(TraceSummary))]
[JsonSerializable(typeof(Comparison))]
[JsonSerializable(typeof(Vivarium.Telemetry.Views.Timeline))]
[JsonSerializable(typeof(Vivarium.Telemetry.Views.LatencyMap))]
[JsonSerializable(typeof(Vivarium.Telemetry.Views.CallPage))]
[JsonSerializable(typeof(Vivarium.Telemetry.Views.CallView))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonNode))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>The same for people and files that people read.</summary>
    public static ApiJson Indented => field ??= new(new JsonSerializerOptions(Default.Options) { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

/// <summary>An enumeration's values as words in camel case; numbers are not taken.</summary>
internal sealed class WordConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;
