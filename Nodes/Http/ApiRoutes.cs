namespace Vivarium.Nodes.Http;

/// <summary>Every operation of the API.</summary>
internal static class ApiRoutes
{
    public const string Prefix = "/api/v1";

    public static IReadOnlyList<Route> All { get; } = [.. JobRoutes.All, .. LogRoutes.All, .. TraceRoutes.All, .. ViewRoutes.All, .. ImageRoutes.All, .. SuiteRoutes.All, .. NodeRoutes.All];
}
