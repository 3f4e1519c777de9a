using System.Text.Json;
using System.Xml.Linq;
using Vivarium.Nodes.Http.Contract;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>Suites as a resource of the API.</summary>
public sealed class SuiteApiTests(ApiNode node) : IClassFixture<ApiNode>
{
    private const string Shells = """
        name: shells
        matrix: { engines: [translator, interpreter], seeds: [1, 2] }
        cases:
          - { name: good, shell: "echo hi", expect: { output: "hi\n" } }
          - { name: bad, shell: "cat /d; echo no >&2; exit 3", files: [{ path: /d, from: data.txt }], expect: { output: "other\n" } }
        """;

    [Fact]
    public async Task A_suite_runs_its_matrix_and_tells_every_cell_and_the_results()
    {
        (int status, JsonElement suite) = await Submit(new { suite = Shells, files = new { data = "x" } });
        Assert.Equal(400, status);
        Assert.Equal("$.files", suite.GetProperty("field").GetString());
        (status, suite) = await Submit(new Dictionary<string, object> { ["suite"] = Shells, ["files"] = new Dictionary<string, string> { ["data.txt"] = "data\n" } });
        Assert.Equal(202, status);
        string id = suite.GetProperty("id").GetString()!;
        suite = await Wait(id);
        Assert.Equal("failed", suite.GetProperty("state").GetString());
        Assert.Equal(("shells", 8, 4, 4), (suite.GetProperty("name").GetString(), suite.GetProperty("runs").GetInt32(), suite.GetProperty("passed").GetInt32(), suite.GetProperty("failed").GetInt32()));
        JsonElement[] cells = [.. suite.GetProperty("matrix").EnumerateArray()];
        Assert.Equal("good [translator, seed 1]", cells[0].GetProperty("name").GetString());
        Assert.Equal(["passed", "failed"], new[] { cells[0], cells[7] }.Select(cell => cell.GetProperty("state").GetString()));
        Assert.Equal(("bad", "interpreter", 2, "exit code 3, expected 0"),
            (cells[7].GetProperty("case").GetString(), cells[7].GetProperty("engine").GetString(), cells[7].GetProperty("seed").GetInt32(), cells[7].GetProperty("problem").GetString()));
        Assert.Equal("failed", (await node.Client.Job(cells[7].GetProperty("job").GetString()!)).State.ToString().ToLowerInvariant());

        JsonElement results = (await node.Send("GET", $"suites/{id}/results")).Body;
        JsonElement failed = results.GetProperty("runs")[4];
        Assert.Equal(["exit code 3, expected 0", "output differs from line 1 on: \"data\\n\", expected \"other\\n\""], failed.GetProperty("problems").EnumerateArray().Select(problem => problem.GetString()));
        Assert.Equal("no\n", failed.GetProperty("error").GetString());
        using var request = new HttpRequestMessage(HttpMethod.Get, $"suites/{id}/results");
        request.Headers.Accept.ParseAdd("application/xml");
        using HttpResponseMessage xml = await node.Http.SendAsync(request);
        XElement junit = XDocument.Parse(await xml.Content.ReadAsStringAsync()).Root!.Element("testsuite")!;
        Assert.Equal(("8", "4"), (junit.Attribute("tests")!.Value, junit.Attribute("failures")!.Value));

        JsonElement listed = (await node.Send("GET", "suites")).Body.GetProperty("suites").EnumerateArray().First(other => other.GetProperty("id").GetString() == id);
        Assert.Equal(("failed", 4), (listed.GetProperty("state").GetString(), listed.GetProperty("passed").GetInt32()));
    }

    [Fact]
    public async Task A_key_makes_a_suite_once_and_refuses_another()
    {
        object body = new { suite = "cases: [{ name: a, program: \"true\" }]" };
        (_, JsonElement first) = await Submit(body, "once");
        (int status, JsonElement again) = await Submit(body, "once");
        Assert.Equal((202, first.GetProperty("id").GetString(), true, false),
            (status, again.GetProperty("id").GetString(), first.GetProperty("isNew").GetBoolean(), again.GetProperty("isNew").GetBoolean()));
        (status, JsonElement problem) = await Submit(new { suite = "cases: [{ name: b, program: \"true\" }]" }, "once");
        Assert.Equal((409, "Idempotency-Key"), (status, problem.GetProperty("field").GetString()));
        Assert.Equal("passed", (await Wait(first.GetProperty("id").GetString()!)).GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_cancelled_suite_goes_on_where_it_was()
    {
        string id = (await Submit(new { suite = "cases: [{ name: done, program: \"true\" }, { name: waits, shell: \"[ -e /tmp/none ] || read x; sleep 1000\", input: \"\\n\" }]" })).Body.GetProperty("id").GetString()!;
        JsonElement suite;
        do
            suite = (await node.Send("GET", $"suites/{id}/wait?seconds=1")).Body;
        while (suite.GetProperty("passed").GetInt32() == 0);
        Assert.Equal("running", suite.GetProperty("state").GetString());
        Assert.Equal(204, (await node.Send("POST", $"suites/{id}/cancel")).Status);
        suite = await Wait(id);
        Assert.Equal(("cancelled", 1, 1), (suite.GetProperty("state").GetString(), suite.GetProperty("passed").GetInt32(), suite.GetProperty("cancelled").GetInt32()));
        string done = suite.GetProperty("matrix")[0].GetProperty("job").GetString()!, cancelled = suite.GetProperty("matrix")[1].GetProperty("job").GetString()!;
        Assert.Equal("it was cancelled", (await node.Send("GET", $"suites/{id}/results")).Body.GetProperty("runs")[1].GetProperty("problems")[0].GetString());

        (int status, suite) = await node.Send("POST", $"suites/{id}/resume");
        Assert.Equal((202, "running"), (status, suite.GetProperty("state").GetString()));
        Assert.Equal(done, suite.GetProperty("matrix")[0].GetProperty("job").GetString());
        Assert.NotEqual(cancelled, suite.GetProperty("matrix")[1].GetProperty("job").GetString());
        Assert.Equal(204, (await node.Send("POST", $"suites/{id}/cancel")).Status);
        Assert.Equal("cancelled", (await Wait(id)).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("{\"suite\":\"\"}", 400, "$.suite")]
    [InlineData("{\"suite\":\"cases: [{ name: a, programme: x }]\"}", 400, "$.suite")]
    [InlineData("{\"suite\":\"matrix:\\ncases: [~]\"}", 400, "$.suite")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x, arguments: [~] }]\"}", 400, "$.suite")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x, files: [{ path: /a, from: /etc/passwd }] }]\"}", 400, "$.files")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x, image: ./here }]\"}", 400, "$.images")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x }]\",\"flaky\":1000000000}", 413, "$.suite")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x }]\",\"flaky\":-1}", 400, "$.flaky")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x }]\",\"only\":\"b\"}", 400, "$.only")]
    [InlineData("{\"suite\":\"cases: [{ name: a, program: x }]\",\"what\":1}", 400, "$.what")]
    public async Task A_wrong_suite_is_refused_with_its_field(string body, int expected, string field)
    {
        (int status, JsonElement problem) = await node.Send("POST", "suites", body);
        Assert.Equal((expected, field), (status, problem.GetProperty("field").GetString()));
    }

    [Fact]
    public async Task A_suite_that_nests_without_end_is_refused()
    {
        (int status, _) = await Submit(new { suite = "cases: " + new string('[', 200_000) });
        Assert.Equal(400, status);
    }

    [Theory]
    [InlineData("GET", "suites/nothing")]
    [InlineData("GET", "suites/00000000000000000000000000000001")]
    [InlineData("POST", "suites/00000000000000000000000000000001/resume")]
    public async Task An_unknown_suite_is_404(string method, string path) => Assert.Equal(404, (await node.Send(method, path)).Status);

    private Task<(int Status, JsonElement Body)> Submit(object body, string? key = null) =>
        node.Send("POST", "suites", JsonSerializer.Serialize(body), key is null ? [] : [("Idempotency-Key", key)]);

    private async Task<JsonElement> Wait(string id)
    {
        JsonElement suite;
        do
            suite = (await node.Send("GET", $"suites/{id}/wait?seconds=60")).Body;
        while (suite.GetProperty("state").GetString() == "running");
        return suite;
    }
}
