using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>A request that is not done, and what its sender is told.</summary>
internal sealed class ApiException(int status, string title, string? detail = null, string? wrongField = null) : Exception(detail ?? title)
{
    public int Status => status;

    public Problem Problem => new()
    {
        Title = title,
        Status = status,
        Detail = detail,
        Field = wrongField,
        Retryable = status is 429 or 503 || IsRetryable,
    };

    /// <summary>True when the same request may succeed later though its status does not say so.</summary>
    public bool IsRetryable { get; init; }

    public static ApiException BadField(string field, string detail) => new(400, "A field is wrong", detail, field);

    public static ApiException NotFound(string what) => new(404, "Not found", what);

    public static ApiException Unavailable(string detail) => new(503, "Try again later", detail);
}
