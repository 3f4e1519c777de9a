namespace Vivarium.Nodes.Http;

/// <summary>A parameter of a route's query or header, for its document.</summary>
internal sealed record RouteParameter(string Name, string Type, string Description, string In = "query");

/// <summary>
/// One operation of the API: how it is reached, who may use it, what does it, and all that its document says. Routes, checks and
/// the OpenAPI document are made from these, so that they cannot disagree.
/// </summary>
internal sealed record Route(string Method, string Pattern, Access Access, string Name, string Summary, Func<ApiCall, Task> Handle)
{
    public IReadOnlyList<RouteParameter> Parameters { get; init; } = [];

    /// <summary>What the JSON body is read as; null for none.</summary>
    public Type? Body { get; init; }

    /// <summary>What a body that is not JSON is, as a media type.</summary>
    public string? RawBody { get; init; }

    /// <summary>What is answered, as JSON; null for none or <see cref="RawAnswer"/>.</summary>
    public Type? Answer { get; init; }

    /// <summary>Media types of an answer that is not JSON.</summary>
    public IReadOnlyList<string> RawAnswer { get; init; } = [];

    public int Status { get; init; } = 200;

    /// <summary>Statuses of errors beyond those that every operation has, and when.</summary>
    public IReadOnlyList<(int Status, string When)> Errors { get; init; } = [];
}
