using System.Text.Json;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Tests.Http;
using Xunit;

namespace Vivarium.Nodes.Tests;

public sealed class RetentionTests
{
    [Fact]
    public async Task Of_too_many_ended_jobs_the_oldest_go_and_a_suites_verdicts_stay()
    {
        var node = new ApiNode(("cluster.keep-jobs", "2"), ("cluster.keep-for", "0"));
        await node.InitializeAsync();
        await using var retention = new Retention(node.Services, static () => true);
        string suite = (await node.Send("POST", "suites", "{\"suite\":\"cases: [{ name: a, program: \\\"true\\\" }, { name: b, program: \\\"false\\\" }]\"}")).Body.GetProperty("id").GetString()!;
        // Its jobs are over, and nobody has asked for it.
        foreach (JsonElement run in (await node.Send("GET", $"suites/{suite}")).Body.GetProperty("matrix").EnumerateArray())
            await node.Client.Wait(run.GetProperty("job").GetString()!);
        List<string> jobs = [];
        for (int i = 0; i < 3; i++)
        {
            jobs.Add(await node.Submit("echo kept"));
            await node.Client.Wait(jobs[^1]);
        }
        string running = await node.Submit("sleep 1000");
        Assert.Equal(3, await retention.Sweep());
        Assert.Equal(0, await retention.Sweep());
        JobList left = await node.Client.Get("jobs", ApiJson.Default.JobList);
        Assert.Equal([running, jobs[2], jobs[1]], left.Jobs.Select(job => job.Id));
        Assert.Equal("kept\n", await node.Log(jobs[1]));
        Assert.Equal(404, (await node.Send("GET", $"jobs/{jobs[0]}/logs")).Status);
        JsonElement judged = (await node.Send("GET", $"suites/{suite}")).Body;
        Assert.Equal(("failed", 1, 1), (judged.GetProperty("state").GetString(), judged.GetProperty("passed").GetInt32(), judged.GetProperty("failed").GetInt32()));
        Assert.Equal("exit code 1, expected 0", (await node.Send("GET", $"suites/{suite}/results")).Body.GetProperty("runs")[1].GetProperty("problems")[0].GetString());
        await node.Client.Cancel(running);
        await node.DisposeAsync();
    }

    [Fact]
    public async Task What_ended_long_ago_goes_with_its_suite()
    {
        var node = new ApiNode(("cluster.keep-jobs", "0"), ("cluster.keep-for", "1ms"));
        await node.InitializeAsync();
        await using var retention = new Retention(node.Services, static () => true);
        string suite = (await node.Send("POST", "suites", "{\"suite\":\"cases: [{ name: a, program: \\\"true\\\" }]\"}")).Body.GetProperty("id").GetString()!;
        while ((await node.Send("GET", $"suites/{suite}/wait?seconds=60")).Body.GetProperty("state").GetString() == "running")
        {
        }
        int removed;
        // A millisecond after its end it is old.
        while ((removed = await retention.Sweep()) == 0)
            await Task.Delay(1);
        Assert.Equal(1, removed);
        await retention.Sweep();
        Assert.Equal(404, (await node.Send("GET", $"suites/{suite}")).Status);
        await node.DisposeAsync();
    }
}
