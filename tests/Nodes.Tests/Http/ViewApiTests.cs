using System.Net;
using System.Text.Json;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>What pages ask of the API, and the pages' files.</summary>
public sealed class ViewApiTests(ApiNode node) : IClassFixture<ApiNode>
{
    private const string Script = "i=0; while [ $i -lt 300 ]; do echo line; i=$((i+1)); done; cat /nowhere";

    private async Task<string> Run(string script, string more = "")
    {
        string id = await node.Submit(script, more);
        await node.Client.Wait(id);
        // The trace is written behind the job's end.
        for (long end = Environment.TickCount64 + 120_000; Environment.TickCount64 < end && (await node.Send("GET", $"jobs/{id}/trace/summary")).Status == 404;)
            await Task.Delay(50);
        return id;
    }

    private async Task<JsonElement> Get(string path)
    {
        (int status, JsonElement answer) = await node.Send("GET", path);
        Assert.True(status == 200, $"{path}: {status} {answer}");
        return answer;
    }

    [Fact]
    public async Task A_timeline_holds_every_call_once_at_every_level_of_detail()
    {
        string id = await Run(Script);
        JsonElement summary = await Get($"jobs/{id}/trace/summary");
        long calls = summary.GetProperty("calls").EnumerateArray().Sum(call => call.GetProperty("count").GetInt64());
        long time = summary.GetProperty("calls").EnumerateArray().Sum(call => call.GetProperty("time").GetInt64());
        long bars = 0;
        foreach (int width in (int[])[1, 100, 10_000])
        {
            JsonElement timeline = await Get($"jobs/{id}/trace/timeline?from=-1000000000000&to=1000000000000&width={width}");
            JsonElement[] all = [.. timeline.GetProperty("rows").EnumerateArray().SelectMany(row => row.GetProperty("bars").EnumerateArray())];
            Assert.Equal(calls, all.Sum(bar => bar[2].GetInt64()));
            Assert.Equal(time, all.Sum(bar => bar[3].GetInt64()));
            Assert.True(all.Length >= bars, "a closer look shows no less");
            bars = all.Length;
        }
        JsonElement close = await Get($"jobs/{id}/trace/timeline?width=10000");
        Assert.Equal(2, close.GetProperty("rows").GetArrayLength());
        Assert.All(close.GetProperty("rows").EnumerateArray(), row => Assert.True(row.GetProperty("bars").GetArrayLength() > 5));
    }

    [Fact]
    public async Task Bars_of_a_row_follow_each_other_and_open_into_their_calls()
    {
        string id = await Run(Script);
        JsonElement row = (await Get($"jobs/{id}/trace/timeline?width=50")).GetProperty("rows")[0];
        JsonElement[] bars = [.. row.GetProperty("bars").EnumerateArray()];
        for (int i = 1; i < bars.Length; i++)
            Assert.True(bars[i][0].GetInt64() >= bars[i - 1][1].GetInt64());
        JsonElement folded = bars.MaxBy(bar => bar[2].GetInt64());
        string path = $"jobs/{id}/trace/calls?first={folded[9]}&last={folded[10]}&process={row.GetProperty("process")}&limit=1000";
        JsonElement[] single = [.. (await Get(path)).GetProperty("calls").EnumerateArray()];
        Assert.Equal(folded[2].GetInt64(), single.Length);
        Assert.Equal(folded[3].GetInt64(), single.Sum(call => call.GetProperty("duration").GetInt64()));
        // Page by page they are the same.
        List<long> paged = [];
        for (JsonElement page = await Get(path.Replace("1000", "7")); ; page = await Get(path.Replace("1000", "7") + $"&after={page.GetProperty("next")}"))
        {
            paged.AddRange(page.GetProperty("calls").EnumerateArray().Select(call => call.GetProperty("index").GetInt64()));
            if (!page.TryGetProperty("next", out _))
                break;
        }
        Assert.Equal(single.Select(call => call.GetProperty("index").GetInt64()), paged);
    }

    [Fact]
    public async Task The_latency_map_counts_every_call_and_its_cells_open()
    {
        string id = await Run(Script);
        JsonElement map = await Get($"jobs/{id}/trace/latency");
        int first = map.GetProperty("first").GetInt32();
        foreach (JsonElement row in map.GetProperty("rows").EnumerateArray())
        {
            long[] counts = [.. row.GetProperty("counts").EnumerateArray().Select(count => count.GetInt64())];
            Assert.Equal(row.GetProperty("count").GetInt64(), counts.Sum());
            int column = Array.FindIndex(counts, count => count > 0);
            string cell = $"jobs/{id}/trace/calls?call={row.GetProperty("call")}&atLeast={1L << (first + column)}&below={2L << (first + column)}&slowest=true&limit=1000";
            JsonElement[] calls = [.. (await Get(cell)).GetProperty("calls").EnumerateArray()];
            Assert.Equal(counts[column], calls.Length);
            Assert.Equal(calls.Select(call => call.GetProperty("duration").GetInt64()).OrderDescending(), calls.Select(call => call.GetProperty("duration").GetInt64()));
        }
    }

    [Fact]
    public async Task A_call_that_waited_says_for_what_and_until_which()
    {
        // Slowest by the world's own time, whatever else the machine does.
        string id = await Run("(sleep 0.2; echo woken) | cat", ",\"seed\":1,\"clock\":\"virtual\"");
        JsonElement[] slow = [.. (await Get($"jobs/{id}/trace/calls?call=read&slowest=true&limit=1")).GetProperty("calls").EnumerateArray()];
        JsonElement call = await Get($"jobs/{id}/trace/calls/{slow[0].GetProperty("index")}");
        Assert.True(call.GetProperty("blocked").GetInt64() > 100_000_000);
        Assert.StartsWith("pipe:", call.GetProperty("waitedFor").GetString());
        Assert.Equal("write", call.GetProperty("wokenBy").GetProperty("name").GetString());
        Assert.NotEqual(call.GetProperty("process").GetInt32(), call.GetProperty("wokenBy").GetProperty("process").GetInt32());
    }

    [Fact]
    public async Task Two_runs_differ_where_they_differ()
    {
        const string seed = ",\"seed\":1,\"clock\":\"virtual\"";
        string one = await Run("echo same; echo ab", seed), same = await Run("echo same; echo ab", seed), other = await Run("echo same; echo abc", seed);
        JsonElement equal = await Get($"compare?left={one}&right={same}");
        Assert.False(equal.GetProperty("threads")[0].TryGetProperty("differs", out _));
        Assert.All(equal.GetProperty("rows").EnumerateArray(), row => Assert.Equal("same", row.GetProperty("kind").GetString()));
        JsonElement different = await Get($"compare?left={one}&right={other}");
        JsonElement thread = different.GetProperty("threads")[different.GetProperty("thread").GetInt32()];
        int place = thread.GetProperty("differs").GetInt32();
        JsonElement row = different.GetProperty("rows").EnumerateArray().First(row => row.GetProperty("kind").GetString() != "same");
        Assert.Equal("changed", row.GetProperty("kind").GetString());
        Assert.Equal(place, row.GetProperty("left").GetProperty("place").GetInt32());
        Assert.StartsWith("write(1", row.GetProperty("left").GetProperty("text").GetString());
        Assert.EndsWith("= 3", row.GetProperty("left").GetProperty("text").GetString());
        Assert.EndsWith("= 4", row.GetProperty("right").GetProperty("text").GetString());
    }

    [Fact]
    public async Task A_run_without_a_trace_is_compared_by_its_listing()
    {
        string traced = await Run("echo a"), listed = await node.Submit("echo a", ",\"tracing\":{\"listing\":true,\"level\":\"off\"}");
        await node.Client.Wait(listed);
        JsonElement seen = await Get($"compare?left={traced}&right={listed}");
        Assert.Equal("trace", seen.GetProperty("left").GetProperty("source").GetString());
        Assert.Equal("listing", seen.GetProperty("right").GetProperty("source").GetString());
        Assert.False(seen.GetProperty("threads")[0].TryGetProperty("differs", out JsonElement differs), $"differs at {differs}: {seen.GetProperty("rows")}");
    }

    [Theory]
    [InlineData("jobs/00000000000000000000000000000001/trace/timeline", 404)]
    [InlineData("jobs/ID/trace/timeline?from=5&to=5", 400)]
    [InlineData("jobs/ID/trace/timeline?from=x", 400)]
    [InlineData("jobs/ID/trace/timeline?from=-9223372036854775808", 400)]
    [InlineData("jobs/ID/trace/timeline?width=0", 400)]
    [InlineData("jobs/ID/trace/calls?limit=100000", 400)]
    [InlineData("jobs/ID/trace/calls/999999999", 404)]
    [InlineData("jobs/ID/trace/calls/x", 404)]
    [InlineData("compare?left=ID", 400)]
    [InlineData("compare?left=ID&right=00000000000000000000000000000001", 404)]
    public async Task What_cannot_be_shown_is_a_problem(string path, int expected)
    {
        string id = path.Contains("ID", StringComparison.Ordinal) ? await Run("true") : "";
        Assert.Equal(expected, (await node.Send("GET", path.Replace("ID", id))).Status);
    }

    [Fact]
    public async Task Words_find_jobs()
    {
        string id = await node.Submit("echo needle-in-here; true"), other = await node.Submit("echo hay");
        await node.Client.Wait(id);
        await node.Client.Wait(other);
        Assert.Equal([id], Ids(await Get("jobs?text=needle-in-here")));
        Assert.Equal([id], Ids(await Get("jobs?text=true%20needle-in")));
        Assert.Empty(Ids(await Get("jobs?text=needle-in-here%20hay")));
        Assert.Contains(other, Ids(await Get("jobs?text=%20")));
    }

    private static IEnumerable<string> Ids(JsonElement list) => list.GetProperty("jobs").EnumerateArray().Select(job => job.GetProperty("id").GetString()!);

    [Fact]
    public async Task Shards_have_owners_and_the_caller_is_told_what_it_may()
    {
        JsonElement shards = (await Get("shards")).GetProperty("shards");
        Assert.All(shards.EnumerateArray(), shard => Assert.Equal("local", shard.GetProperty("owner").GetString()));
        Assert.Equal("admin", (await Get("caller")).GetProperty("access").GetString());
    }

    [Fact]
    public async Task The_pages_are_served_with_a_policy_that_lets_nothing_else_in()
    {
        using HttpResponseMessage page = await node.Http.GetAsync(node.Address + "/");
        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        string policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy);
        Assert.DoesNotContain("unsafe", policy);
        using var again = new HttpRequestMessage(HttpMethod.Get, node.Address + "/");
        again.Headers.IfNoneMatch.Add(page.Headers.ETag!);
        using HttpResponseMessage same = await node.Http.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        Assert.Equal("text/javascript", (await node.Http.GetAsync(node.Address + "/dashboard/app.js")).Content.Headers.ContentType!.MediaType);
        Assert.Equal(HttpStatusCode.NotFound, (await node.Http.GetAsync(node.Address + "/dashboard/../viv.dll")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await node.Http.GetAsync(node.Address + "/dashboard/nothing.js")).StatusCode);
    }

    [Fact]
    public async Task The_nodes_own_pages_may_order_and_others_may_not()
    {
        string id = await node.Submit("sleep 60");
        (string, string) own = ("Origin", node.Address);
        Assert.Equal(403, (await node.Send("POST", $"jobs/{id}/cancel", null, ("Origin", "http://127.0.0.1:1"))).Status);
        Assert.Equal(403, (await node.Send("GET", "jobs", null, ("Sec-Fetch-Site", "cross-site"))).Status);
        Assert.Equal(403, (await node.Send("GET", "jobs", null, ("Sec-Fetch-Site", "same-site"))).Status);
        Assert.Equal(200, (await node.Send("GET", "jobs", null, ("Sec-Fetch-Site", "same-origin"))).Status);
        Assert.Equal(204, (await node.Send("POST", $"jobs/{id}/cancel", null, own, ("Sec-Fetch-Site", "same-origin"))).Status);
        Assert.Equal(JobState.Cancelled, (await node.Client.Wait(id)).State);
    }
}
