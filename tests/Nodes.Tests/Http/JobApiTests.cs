using System.Text;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Http.Contract;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

public sealed class JobApiTests(ApiNode node) : IClassFixture<ApiNode>
{
    [Fact]
    public async Task A_job_runs_with_its_input_files_and_environment_and_tells_its_end()
    {
        string id = await node.Submit("cat; cat /etc/some/new/file; echo $WORD; exit 3",
            ",\"input\":\"in \",\"files\":[{\"path\":\"/etc/some/new/file\",\"content\":{\"base64\":\"ZmlsZSA=\"}}],\"environment\":[\"WORD=here\",\"PATH=/bin\"],\"name\":\"one\",\"labels\":{\"a\":\"b\"}");
        JobDetail job = await node.Client.Wait(id);
        Assert.Equal(JobState.Failed, job.State);
        Assert.Equal(3, job.ExitCode);
        Assert.Equal("in file here\n", await node.Log(id));
        Assert.Equal("one", job.Name);
        Assert.Equal("b", job.Labels!["a"]);
        Assert.Equal(["accepted", "started", "finished"], job.Events.Select(happened => happened.Event));
    }

    [Fact]
    public async Task What_is_not_utf8_survives()
    {
        string id = await node.Submit("true", ",\"environment\":[\"PATH=/bin\",{\"base64\":\"QT3/\"}]");
        Assert.Equal([0x41, 0x3D, 0xFF], (await node.Client.Job(id)).Job.Environment![1].Bytes);
        (int status, JsonElement answer) = await node.Send("POST", "jobs", "{\"job\":{\"command\":[\"/usr/bin/printf\",\"%s\",{\"base64\":\"/v8=\"}]}}");
        Assert.Equal(202, status);
        string printed = answer.GetProperty("jobs")[0].GetString()!;
        await node.Client.Wait(printed);
        Assert.Equal([0xFE, 0xFF], await node.Http.GetByteArrayAsync($"jobs/{printed}/logs"));
        LogEvent first = await node.Client.Logs(printed, follows: true).FirstAsync();
        Assert.Equal("{\"stream\":\"stdout\",\"text\":{\"base64\":\"/v8=\"}}", first.Data);
    }

    [Fact]
    public async Task Many_alike_are_one_submission_and_a_key_makes_them_once()
    {
        const string body = "{\"job\":{\"command\":[\"/bin/true\"],\"labels\":{\"many\":\"yes\"}},\"count\":25}";
        (int status, JsonElement first) = await node.Send("POST", "jobs", body, ("Idempotency-Key", "k1"));
        (_, JsonElement again) = await node.Send("POST", "jobs", body, ("Idempotency-Key", "k1"));
        Assert.Equal(202, status);
        Assert.True(first.GetProperty("isNew").GetBoolean());
        Assert.False(again.GetProperty("isNew").GetBoolean());
        Assert.Equal(first.GetProperty("jobs").ToString(), again.GetProperty("jobs").ToString());
        foreach (JsonElement id in first.GetProperty("jobs").EnumerateArray())
            Assert.Equal(JobState.Succeeded, (await node.Client.Wait(id.GetString()!)).State);
        JobList page = await node.Client.Get("jobs?label=many=yes&limit=10", ApiJson.Default.JobList);
        List<string> seen = [.. page.Jobs.Select(job => job.Id)];
        for (; page.Next is { } next; seen.AddRange(page.Jobs.Select(job => job.Id)))
            page = await node.Client.Get($"jobs?label=many=yes&limit=10&after={next}", ApiJson.Default.JobList);
        Assert.Equal(first.GetProperty("jobs").EnumerateArray().Select(id => id.GetString()).Order(), seen.Order());
    }

    [Fact]
    public async Task A_submission_that_broke_off_is_completed_under_its_key()
    {
        int calls = 0;
        NodeServices failing = node.Services with
        {
            Submit = (id, spec) => ++calls > 3 ? Task.FromException(new StoreUnavailableException("the store is away")) : node.Services.Submit(id, spec),
        };
        (ApiServer? server, _) = await ApiServer.Start(failing);
        const string body = "{\"job\":{\"command\":[\"/bin/true\"],\"labels\":{\"broken\":\"off\"}},\"count\":6}";
        (int status, JsonElement problem) = await node.Send("POST", server!.Address + "/api/v1/jobs", body, ("Idempotency-Key", "broken"));
        Assert.Equal((503, true), (status, problem.GetProperty("retryable").GetBoolean()));
        await server.DisposeAsync();
        (status, JsonElement answer) = await node.Send("POST", "jobs", body, ("Idempotency-Key", "broken"));
        Assert.Equal((202, 6), (status, answer.GetProperty("jobs").GetArrayLength()));
        Assert.Equal(6, (await node.Client.Get("jobs?label=broken=off", ApiJson.Default.JobList)).Jobs.Count);
        Assert.False((await node.Send("POST", "jobs", body, ("Idempotency-Key", "broken"))).Body.GetProperty("isNew").GetBoolean());
    }

    [Theory]
    [InlineData("{\"job\":{\"command\":[\"/bin/true\"]},\"count\":24}")]
    [InlineData("{\"job\":{\"command\":[\"/bin/true\"]},\"count\":26}")]
    [InlineData("{\"job\":{\"command\":[\"/bin/false\"]},\"count\":25}")]
    public async Task A_key_of_another_submission_is_refused(string body)
    {
        string key = Guid.NewGuid().ToString();
        await node.Send("POST", "jobs", "{\"job\":{\"command\":[\"/bin/true\"]},\"count\":25}", ("Idempotency-Key", key));
        (int status, JsonElement problem) = await node.Send("POST", "jobs", body, ("Idempotency-Key", key));
        Assert.Equal(409, status);
        Assert.Equal("Idempotency-Key", problem.GetProperty("field").GetString());
    }

    [Theory]
    [InlineData("{", "$")]
    [InlineData("null", "$")]
    [InlineData("[]", "$")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"cmd\":1}}", "$.job.cmd")]
    [InlineData("{\"job\":{\"command\":[\"x\"]},\"jobs\":1}", "$.jobs")]
    [InlineData("{\"job\":{\"command\":[]}}", "$.job.command")]
    [InlineData("{\"job\":{\"command\":[\"a\\u0000\"]}}", "$.job.command")]
    [InlineData("{\"job\":{}}", "$.job")]
    [InlineData("{\"job\":{\"command\":[\"x\"]},\"count\":0}", "$.count")]
    [InlineData("{\"job\":{\"command\":[\"x\"]},\"count\":\"x\"}", "$.count")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"engine\":\"steam\"}}", "$.job.engine")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"labels\":{\"a\":1}}}", "$.job.labels.a")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"labels\":{\"\":\"b\"}}}", "$.job.labels")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"timeoutSeconds\":0}}", "$.job.timeoutSeconds")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"memory\":-1}}", "$.job.memory")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"retries\":100000}}", "$.job.retries")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"workingDirectory\":\"here\"}}", "$.job.workingDirectory")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"files\":[{\"path\":\"/a/../b\",\"content\":\"\"}]}}", "$.job.files")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"image\":\"nothing\"}}", "$.job.image")]
    [InlineData("{\"job\":{\"command\":[\"x\"],\"backend\":\"magic\"}}", "$.job.backend")]
    [InlineData("{\"job\":{\"command\":[\"x\"]},\"job\":{\"command\":[\"y\"]}}", "$.job")]
    public async Task A_wrong_field_is_named(string body, string field)
    {
        (int status, JsonElement problem) = await node.Send("POST", "jobs", body);
        Assert.Equal(400, status);
        Assert.Equal(field, problem.GetProperty("field").GetString());
        Assert.DoesNotContain("Vivarium.", problem.GetProperty("detail").GetString());
    }

    [Theory]
    [InlineData("\"binds\":[{\"source\":\"/tmp\",\"target\":\"/t\",\"writable\":true}]", "$.job.binds")]
    [InlineData("\"network\":{\"reach\":\"host\"}", "$.job.network.reach")]
    public async Task What_the_node_does_not_allow_is_refused(string more, string field)
    {
        (int status, JsonElement problem) = await node.Send("POST", "jobs", $"{{\"job\":{{\"command\":[\"x\"],{more}}}}}");
        Assert.Equal(403, status);
        Assert.Equal(field, problem.GetProperty("field").GetString());
    }

    [Theory]
    [InlineData("GET", "jobs?stat=running", 400)]
    [InlineData("GET", "jobs?state=dreaming", 400)]
    [InlineData("GET", "jobs?state=3", 400)]
    [InlineData("GET", "jobs?limit=0", 400)]
    [InlineData("GET", "jobs?limit=100000", 400)]
    [InlineData("GET", "jobs?label=x", 400)]
    [InlineData("GET", "jobs/nothing", 404)]
    [InlineData("GET", "jobs/00000000000000000000000000000001", 404)]
    [InlineData("GET", "jobs/00000000000000000000000000000001/logs", 404)]
    [InlineData("POST", "jobs/00000000000000000000000000000001/cancel", 404)]
    [InlineData("DELETE", "jobs", 405)]
    [InlineData("GET", "nothing", 404)]
    [InlineData("POST", "nodes/nobody/drain", 404)]
    public async Task Other_wrong_requests_are_problems_too(string method, string path, int expected)
    {
        (int status, JsonElement problem) = await node.Send(method, path);
        Assert.Equal(expected, status);
        Assert.Equal(expected, problem.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_body_must_say_that_it_is_json()
    {
        using HttpResponseMessage response = await node.Http.PostAsync("jobs", new StringContent("{}", Encoding.UTF8, "text/plain"));
        Assert.Equal(415, (int)response.StatusCode);
    }

    [Fact]
    public async Task Programs_of_the_machine_are_served_and_pages_in_its_browsers_are_not()
    {
        Assert.Equal(200, (await node.Send("GET", "jobs")).Status);
        Assert.Equal(403, (await node.Send("GET", "jobs", null, ("Origin", "https://example.org"))).Status);
        Assert.Equal(403, (await node.Send("GET", "jobs", null, ("Host", "example.org"))).Status);
    }

    [Fact]
    public async Task Output_is_live_in_order_and_goes_on_where_a_reader_was()
    {
        string id = await node.Submit("echo a; echo b >&2; read x; echo c; sleep 1000 & wait", ",\"input\":\"\\n\"");
        List<LogEvent> events = [];
        await foreach (LogEvent happened in node.Client.Logs(id, follows: true))
        {
            events.Add(happened);
            if (events.Count == 3)
                break;
        }
        Assert.Equal(["stdout", "stderr", "stdout"], events.Select(happened => JsonDocument.Parse(happened.Data).RootElement.GetProperty("stream").GetString()));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"jobs/{id}/logs");
        request.Headers.Add("Last-Event-ID", events[0].Id);
        using HttpResponseMessage rest = await node.Http.SendAsync(request);
        Assert.Equal("b\nc\n", await rest.Content.ReadAsStringAsync());
        Assert.Equal("a\nc\n", await node.Log(id, "stream=stdout"));
        await node.Client.Cancel(id);
        Assert.Equal(JobState.Cancelled, (await node.Client.Wait(id)).State);
        await node.Client.Cancel(id);
    }

    [Fact]
    public async Task Waiting_ends_with_the_job_or_the_time()
    {
        string id = await node.Submit("read x; sleep 1000");
        JobDetail job = await node.Client.Get($"jobs/{id}/wait?seconds=0", ApiJson.Default.JobDetail);
        Assert.False(job.State.IsFinal());
        Task<JobDetail> waiting = node.Client.Wait(id);
        await node.Client.Cancel(id);
        Assert.Equal(JobState.Cancelled, (await waiting).State);
    }

    [Fact]
    public async Task Signals_reach_the_first_process_or_the_one_named_and_inspection_tells_them()
    {
        string id = await node.Submit("trap 'echo told; exit 7' USR1; sleep 1000 & echo ready; wait $!; echo child $?; while :; do sleep 0.05; done");
        await foreach (LogEvent _ in node.Client.Logs(id, follows: true))
            break;
        // The child is another program, and sleeps, some time after the shell has made it.
        JsonElement[] processes;
        do
            processes = [.. (await node.Client.Inspect(id)).GetProperty("processes").EnumerateArray()];
        while (!processes.Any(static process => process.GetProperty("threads")[0].TryGetProperty("call", out JsonElement call)
            && call.GetString()?.StartsWith("clock_nanosleep(", StringComparison.Ordinal) == true));
        JsonElement sleep = processes.Single(process => process.GetProperty("name").GetString() == "sleep");
        JsonElement shell = processes.Single(process => process.GetProperty("pid").GetInt32() == sleep.GetProperty("parentPid").GetInt32());
        Assert.Equal(shell.GetProperty("id").GetString(), sleep.GetProperty("parent").GetString());
        Assert.StartsWith("clock_nanosleep(", sleep.GetProperty("threads")[0].GetProperty("call").GetString());
        Assert.InRange(sleep.GetProperty("threads")[0].GetProperty("deadlineSeconds").GetDouble(), 1, 1000);
        Assert.Contains(sleep.GetProperty("maps").EnumerateArray(), area => area.TryGetProperty("name", out JsonElement name) && name.GetString()!.EndsWith("sleep", StringComparison.Ordinal));
        Assert.Equal([0, 1, 2], sleep.GetProperty("descriptors").EnumerateArray().Select(file => file.GetProperty("number").GetInt32()).Take(3));

        await node.Client.Signal(id, new SignalRequest { Signal = "KILL", Process = sleep.GetProperty("id").GetGuid() });
        await foreach (LogEvent happened in node.Client.Logs(id, follows: true))
        {
            if (happened.Data.Contains("child 137", StringComparison.Ordinal))
                break;
        }
        await node.Client.Signal(id, new SignalRequest { Signal = "SIGUSR1" });
        Assert.Equal(7, (await node.Client.Wait(id)).ExitCode);
        (int status, _) = await node.Send("POST", $"jobs/{id}/signal", "{\"signal\":\"TERM\"}");
        Assert.Equal(409, status);
        Assert.Equal(409, (await node.Send("GET", $"jobs/{id}/inspect")).Status);
    }

    [Fact]
    public async Task A_signal_that_is_none_is_refused()
    {
        string id = await node.Submit("sleep 1000");
        Assert.Equal(400, (await node.Send("POST", $"jobs/{id}/signal", "{\"signal\":\"SIGNOTHING\"}")).Status);
        await node.Client.Cancel(id);
    }

    [Fact]
    public async Task Output_past_the_limit_is_cut_and_says_so()
    {
        string id = await node.Submit("i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done", ",\"output\":1000");
        string log = await node.Log(id);
        Assert.StartsWith(string.Concat(Enumerable.Repeat("0123456789\n", 90)), log);
        Assert.EndsWith("viv: output is cut off after 1000 bytes\n", log);
    }

    [Fact]
    public async Task Nodes_stats_and_metrics_tell_of_the_node()
    {
        NodeAnswer self = Assert.Single((await node.Client.Nodes()).Nodes);
        Assert.Equal("local", self.Name);
        Assert.True(self.IsMember);
        Assert.True((await node.Client.Stats()).ResidentMemory > 0);
        string metrics = await node.Http.GetStringAsync(node.Address + "/metrics");
        Assert.Matches("(?m)^vivarium_queue_length [0-9]+$", metrics);
        Assert.Equal("ready\n", await node.Http.GetStringAsync(node.Address + "/readyz"));
    }
}
