using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Vivarium.Nodes.Http;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>Tokens, limits, and the document.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private const string Reader = "reader-0123456789", Submitter = "submitter-0123456", Admin = "admin-0123456789", Old = "old-0123456789abc";

    private readonly string _tokens = Path.GetTempFileName();
    private ApiNode _node = null!;

    public async Task InitializeAsync()
    {
        File.SetUnixFileMode(_tokens, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(_tokens, $"# who may what\nread {Reader}\nsubmit sha256:{TokenFile.Hash(Submitter)} # hashed\nadmin {Admin} 2999-01-01\nadmin {Old} 2001-01-01T00:00:00Z\n");
        _node = new ApiNode(("api.token-file", _tokens), ("api.max-count", "10"), ("api.max-body", "4K"), ("api.max-image", "1M"));
        await _node.InitializeAsync();
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        File.Delete(_tokens);
    }

    private const string Job = "{\"job\":{\"command\":[\"/bin/true\"]}}";

    [Theory]
    [InlineData(null, 401)]
    [InlineData("nobody-0123456789", 401)]
    [InlineData(Old, 401)]
    [InlineData(Reader, 403)]
    [InlineData(Submitter, 202)]
    [InlineData(Admin, 202)]
    public async Task Who_may_submit(string? token, int expected) =>
        Assert.Equal(expected, (await Send("POST", "jobs", Job, token)).Status);

    [Fact]
    public async Task Each_access_includes_the_lesser_and_the_problem_says_what_is_needed()
    {
        Assert.Equal(200, (await Send("GET", "jobs", null, Reader)).Status);
        Assert.Equal(200, (await Send("GET", "jobs", null, Submitter)).Status);
        (int status, JsonElement problem) = await Send("POST", "nodes/local/drain", null, Submitter);
        Assert.Equal(403, status);
        Assert.Contains("\"admin\"", problem.GetProperty("detail").GetString());
        (_, problem) = await Send("GET", "jobs", null, Old);
        Assert.Contains("expired at 2001-01-01", problem.GetProperty("detail").GetString());
        Assert.Equal(401, (await Send("GET", _node.Address + "/metrics", null, null)).Status);
        Assert.Equal("alive\n", await _node.Http.GetStringAsync(_node.Address + "/healthz"));
    }

    [Fact]
    public async Task Callers_have_keys_of_their_own()
    {
        (_, JsonElement one) = await Send("POST", "jobs", Job, Submitter, ("Idempotency-Key", "k"));
        (_, JsonElement other) = await Send("POST", "jobs", Job, Admin, ("Idempotency-Key", "k"));
        Assert.NotEqual(one.GetProperty("jobs")[0].GetString(), other.GetProperty("jobs")[0].GetString());
    }

    [Fact]
    public async Task A_changed_file_is_seen_and_a_wrong_one_changes_nothing()
    {
        const string late = "late-0123456789ab";
        Assert.Equal(401, (await Send("GET", "jobs", null, late)).Status);
        File.AppendAllText(_tokens, $"read {late}\n");
        File.SetLastWriteTimeUtc(_tokens, DateTime.UtcNow.AddSeconds(5));
        Assert.Equal(200, (await Send("GET", "jobs", null, late)).Status);
        File.WriteAllText(_tokens, "nonsense\n");
        File.SetLastWriteTimeUtc(_tokens, DateTime.UtcNow.AddSeconds(10));
        Assert.Equal(200, (await Send("GET", "jobs", null, late)).Status);
    }

    [Theory]
    [InlineData("read", "1")]
    [InlineData("write 0123456789abcdef", "1")]
    [InlineData("# note\nread short", "2")]
    [InlineData("read 0123456789abcdef soon", "1")]
    [InlineData("read sha256:12", "1")]
    [InlineData("read 0123456789abcdef\nadmin 0123456789abcdef", "2")]
    public void A_wrong_line_is_named(string text, string line)
    {
        Assert.Null(TokenFile.Parse(text.Split('\n'), "file", out string? error));
        Assert.StartsWith($"file:{line}: ", error);
    }

    [Fact]
    public void A_file_that_others_may_read_is_refused()
    {
        File.SetUnixFileMode(_tokens, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Null(TokenFile.Open(_tokens, static _ => { }, out string? error));
        Assert.Contains("chmod 600", error);
    }

    [Fact]
    public async Task Too_much_is_413()
    {
        (int status, JsonElement problem) = await Send("POST", "jobs", "{\"job\":{\"command\":[\"/bin/true\"]},\"count\":11}", Submitter);
        Assert.Equal(413, status);
        Assert.Contains("10 jobs", problem.GetProperty("detail").GetString());
        (status, problem) = await Send("POST", "jobs", "{\"job\":{\"command\":[\"" + new string('x', 5000) + "\"]}}", Submitter);
        Assert.Equal(413, status);
        Assert.Contains("4096 bytes", problem.GetProperty("detail").GetString());
        using var image = new HttpRequestMessage(HttpMethod.Post, "images") { Content = new ByteArrayContent(RandomNumberGenerator.GetBytes(2 << 20)) };
        image.Headers.Authorization = new("Bearer", Submitter);
        using HttpResponseMessage response = await _node.Http.SendAsync(image);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task Too_often_is_429()
    {
        await using var slow = new Disposable(new ApiNode(("api.rate", "5")));
        await slow.Node.InitializeAsync();
        List<int> statuses = [];
        // A slow machine asks less often: it takes longer to be too often.
        while (!statuses.Contains(429) && statuses.Count < 1000)
            statuses.Add((await slow.Node.Send("GET", "jobs")).Status);
        Assert.Equal([200, 200, 200, 200, 200], statuses[..5]);
        Assert.Contains(429, statuses);
    }

    [Fact]
    public async Task Routes_and_document_agree()
    {
        JsonElement document = (await _node.Send("GET", "openapi.json")).Body;
        HashSet<string> described = [];
        foreach (JsonProperty path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (JsonProperty operation in path.Value.EnumerateObject())
            {
                described.Add($"{operation.Name.ToUpperInvariant()} {path.Name}");
                // What is described is there: without a token it asks for one, or needs none.
                string place = path.Name.Replace("{id}", "x").Replace("{name}", "x").Replace("{reference}", "x");
                int status = (await _node.Send(operation.Name.ToUpperInvariant(), _node.Address + place)).Status;
                bool isOpen = operation.Value.TryGetProperty("security", out JsonElement security) && security.GetArrayLength() == 0;
                Assert.Equal(isOpen ? 200 : 401, status);
            }
        }
        Assert.Equal(
            ApiRoutes.All.Select(route => $"{route.Method} {ApiRoutes.Prefix}{route.Pattern}").Concat(NodeRoutes.Probes.Select(route => $"{route.Method} {route.Pattern}")).Order(),
            described.Order());
        CheckReferences(document, document.GetProperty("components").GetProperty("schemas"));
    }

    /// <summary>What the document refers to is in it.</summary>
    private static void CheckReferences(JsonElement part, JsonElement schemas)
    {
        if (part.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in part.EnumerateArray())
                CheckReferences(item, schemas);
        }
        else if (part.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in part.EnumerateObject())
            {
                if (property.Name == "$ref" && property.Value.GetString()!.StartsWith("#/components/schemas/", StringComparison.Ordinal))
                    Assert.True(schemas.TryGetProperty(property.Value.GetString()!["#/components/schemas/".Length..], out _), property.Value.GetString());
                CheckReferences(property.Value, schemas);
            }
        }
    }

    private Task<(int Status, JsonElement Body)> Send(string method, string path, string? body, string? token, params (string, string)[] more) =>
        _node.Send(method, path, body, token is null ? more : [("Authorization", "Bearer " + token), .. more]);

    private sealed class Disposable(ApiNode node) : IAsyncDisposable
    {
        public ApiNode Node => node;

        public async ValueTask DisposeAsync() => await node.DisposeAsync();
    }
}
