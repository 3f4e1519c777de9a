using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>One request to the API with what its handler needs.</summary>
internal sealed class ApiCall(HttpContext context, NodeServices node, Caller caller)
{
    public HttpContext Context => context;

    public NodeServices Node => node;

    public Caller Caller => caller;

    public CancellationToken Cancelled => context.RequestAborted;

    /// <summary>A part of the path by its name in the route's pattern.</summary>
    public string Path(string name) => (string)context.Request.RouteValues[name]!;

    /// <summary>The job that the path names.</summary>
    public JobId Job => Guid.TryParseExact(Path("id"), "N", out Guid id) || Guid.TryParseExact(Path("id"), "D", out id)
        ? new JobId(id)
        : throw ApiException.NotFound("there is no job " + Path("id"));

    /// <summary>A parameter's last value; null when it is absent.</summary>
    public string? Query(string name) => context.Request.Query.TryGetValue(name, out var values) && values.Count > 0 ? values[^1] : null;

    public IReadOnlyList<string?> QueryAll(string name) => context.Request.Query.TryGetValue(name, out var values) ? values : [];

    /// <summary>A number parameter within bounds.</summary>
    public long QueryNumber(string name, long otherwise, long least, long most)
    {
        if (Query(name) is not { } text)
            return otherwise;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= least && number <= most
            ? number
            : throw ApiException.BadField(name, $"must be a number from {least} to {most}");
    }

    public bool QueryFlag(string name) => Query(name) switch
    {
        null or "false" or "0" => false,
        "" or "true" or "1" => true,
        _ => throw ApiException.BadField(name, "must be true or false"),
    };

    /// <summary>Refuses parameters that no handler looks at: a misspelt filter must not select everything.</summary>
    public void AllowQueries(params ReadOnlySpan<string> names)
    {
        foreach (string name in context.Request.Query.Keys)
        {
            if (!names.Contains(name))
                throw ApiException.BadField(name, "there is no such parameter here");
        }
    }

    /// <summary>Reads the JSON body.</summary>
    /// <exception cref="ApiException">It is malformed, or has a field that is not there; it is named.</exception>
    public async Task<T> Read<T>(JsonTypeInfo<T> type)
    {
        if (!context.Request.HasJsonContentType())
            throw new ApiException(415, "The body must be JSON", "Content-Type must be application/json");
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, Cancelled).ConfigureAwait(false)
                ?? throw ApiException.BadField("$", "must not be null");
        }
        catch (JsonException wrong)
        {
            throw ApiException.BadField(wrong.Path is { Length: > 0 } path ? path : "$", Explain(wrong.Message));
        }
    }

    public Task Answer<T>(T value, JsonTypeInfo<T> type, int status = 200)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(value, type, cancellationToken: Cancelled);
    }

    public Task AnswerNothing()
    {
        context.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    /// <summary>Lifts the limit on this request's body, for content whose size is watched otherwise.</summary>
    public void LiftBodyLimit()
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
    }

    /// <summary>What System.Text.Json says of its types, in words about the fields; without the path and place that it adds.</summary>
    private static string Explain(string message)
    {
        const string missing = "was missing required properties including: ";
        int end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        message = end < 0 ? message : message[..end];
        if (message.Contains("could not be mapped to any .NET member", StringComparison.Ordinal))
            return "there is no such field";
        if (message.Contains("could not be converted to ", StringComparison.Ordinal))
            return "has a value that it cannot have";
        if (message.StartsWith("Duplicate property", StringComparison.Ordinal))
            return "is there twice";
        int names = message.IndexOf(missing, StringComparison.Ordinal);
        return names < 0 ? message : "lacks " + message[(names + missing.Length)..].TrimEnd('.').Replace('\'', '"');
    }
}
