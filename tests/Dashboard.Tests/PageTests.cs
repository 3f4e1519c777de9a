using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Vivarium.Nodes.Tests.Http;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Vivarium.Dashboard.Tests;

/// <summary>Each view in a real browser: what it shows, and that keys suffice.</summary>
[Collection(nameof(Stage))]
public sealed class PageTests(Stage stage)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_cluster_shows_nodes_load_and_shards(bool dark)
    {
        await using Visit visit = await Visit.Begin(stage, "", dark: dark);
        await visit.Shows("64 / 64");
        ILocator row = visit.Find("table[aria-label=Nodes] tbody tr");
        await Expect(row).ToHaveCountAsync(1);
        await Expect(row).ToContainTextAsync("local");
        await Expect(row).ToContainTextAsync("native");
        await Expect(visit.Find(".shards [role=listitem]")).ToHaveCountAsync(64);
        Assert.Equal("shard 5: local, epoch 1", await visit.Find(".shards [role=listitem]").Nth(5).GetAttributeAsync("title"));
        await visit.Picture(dark ? "cluster-dark" : "cluster-light");
    }

    [Fact]
    public async Task Jobs_are_filtered_and_opened_by_keys()
    {
        await using Visit visit = await Visit.Begin(stage, "#/jobs", dark: true);
        ILocator rows = visit.Find("table[aria-label=Jobs] tbody tr");
        await Expect(rows.First).ToBeVisibleAsync();
        await visit.Picture("jobs-dark");
        await visit.Find("[role=group] button", "failed").ClickAsync();
        await Expect(visit.Page).ToHaveURLAsync(new Regex("state=failed"));
        await Expect(rows.Locator(".state:not(.failed)")).ToHaveCountAsync(0);
        await visit.Find("a", "Clear").ClickAsync();
        await Expect(visit.Page).ToHaveURLAsync(new Regex("#/jobs$"));
        // The address is there before the view is; what is typed into the old one goes with it.
        await Expect(visit.Find("a", "Clear")).ToHaveCountAsync(0);
        await visit.Press("/");
        await Expect(visit.Find("#text")).ToBeFocusedAsync();
        await visit.Page.Keyboard.TypeAsync("sort -rn");
        await visit.Press("Enter");
        await Expect(rows).ToHaveCountAsync(1);
        await Expect(rows).ToContainTextAsync("pipeline");
        await rows.First.FocusAsync();
        await visit.Press("Enter");
        await Expect(visit.Find("h1")).ToHaveTextAsync("pipeline");
        await visit.Press("g", "c");
        await Expect(visit.Find("h1")).ToHaveTextAsync("Cluster");
    }

    [Fact]
    public async Task Arrow_keys_move_through_the_list()
    {
        await using Visit visit = await Visit.Begin(stage, "#/jobs?label=build%3D17");
        ILocator rows = visit.Find("table[aria-label=Jobs] tbody tr");
        await Expect(rows).ToHaveCountAsync(2);
        await rows.First.FocusAsync();
        await visit.Press("ArrowDown");
        await Expect(rows.Nth(1)).ToBeFocusedAsync();
        await visit.Press("Home");
        await Expect(rows.First).ToBeFocusedAsync();
        Assert.Equal("-1", await rows.Nth(1).GetAttributeAsync("tabindex"));
    }

    [Fact]
    public async Task Pages_of_many_jobs_are_loaded_one_at_a_time()
    {
        (int status, _) = await stage.Node.Send("POST", "jobs", """{"job":{"command":["/bin/true"],"labels":{"many":"1"}},"count":250}""");
        Assert.Equal(202, status);
        await using Visit visit = await Visit.Begin(stage, "#/jobs?label=many%3D1");
        ILocator rows = visit.Find("table[aria-label=Jobs] tbody tr");
        await Expect(rows).ToHaveCountAsync(100);
        string? first = await rows.First.GetAttributeAsync("data-job");
        await visit.Find("button", "Older").ClickAsync();
        await visit.Shows("page 2");
        await visit.Find("button", "Older").ClickAsync();
        await Expect(rows).ToHaveCountAsync(50);
        await Expect(visit.Find("button", "Older")).ToBeDisabledAsync();
        await visit.Find("button", "Newer").ClickAsync();
        await visit.Shows("page 2");
        await visit.Find("button", "Newer").ClickAsync();
        await Expect(visit.Find($"tr[data-job='{first}']")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Output_comes_as_it_is_written_and_a_running_job_is_signalled_and_cancelled()
    {
        string job = await stage.Submit("""{"command":["/bin/sh","-c","trap 'echo caught' USR1; echo begun; echo wrong >&2; while :; do sleep 0.1; done"],"name":"ticker"}""");
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{job}");
        await Expect(visit.Find(".output .stdout").First).ToHaveTextAsync("begun");
        await Expect(visit.Find(".output div.err")).ToHaveTextAsync("wrong");
        await Expect(visit.Find("[role=treeitem]").First).ToContainTextAsync("/bin/sh -c");
        await Expect(visit.Find("[role=treeitem]").First).ToContainTextAsync("thread");
        await visit.Picture("job-running-light");
        await visit.Find("select[aria-label='Signal to send']").SelectOptionAsync("USR1");
        await visit.Find("button", "Send signal").ClickAsync();
        await visit.Shows("caught", ".output");
        await visit.Find("button", "Cancel job").ClickAsync();
        await visit.Find("dialog button", "Cancel job").ClickAsync();
        await Expect(visit.Find(".head .state")).ToHaveTextAsync("cancelled");
        await Expect(visit.Find("button", "Cancel job")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task What_guests_write_stays_text()
    {
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{stage.Hostile}", 1600, 1000, dark: true);
        await visit.Shows(Stage.Markup(4), ".output");
        await visit.Shows(Stage.Markup(5), ".output");
        await visit.Shows("red \u2407bell", ".output");
        await visit.Shows(Stage.Markup(1), "h1");
        await visit.Shows(Stage.Markup(2), ".facts");
        await visit.Shows("exit code 3");
        await visit.Picture("job-failed-dark");
        foreach (string view in (string[])[$"#/jobs/{stage.Hostile}/timeline", $"#/jobs/{stage.Hostile}/latency", "#/jobs", $"#/compare?left={stage.Hostile}&right={stage.One}", "#/compare?left=" + stage.Hostile])
        {
            await visit.Page.GotoAsync($"{stage.Node.Address}/{view}");
            await Expect(visit.Find("main .loading")).ToHaveCountAsync(0);
            await Expect(visit.Find("main table, main .timeline").First).ToBeVisibleAsync();
            Assert.Equal(0, await visit.Page.Locator("main script, main img, main a[href^='javascript']").CountAsync());
        }
    }

    [Fact]
    public async Task A_timeline_is_walked_and_opened_by_keys()
    {
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{stage.Journal}/timeline", 1600, 1000);
        await visit.Shows("1 process");
        await visit.Shows("1 thread, 95,0");
        ILocator canvas = visit.Find(".lanes canvas");
        await canvas.FocusAsync();
        await visit.Press("ArrowDown", "End", "ArrowLeft");
        ILocator call = visit.Find("#timeline-detail .call");
        for (int i = 0; i < 400 && Count(await call.InnerTextAsync()) < 1000; i++)
            await visit.Press("ArrowLeft");
        Assert.True(Count(await call.InnerTextAsync()) >= 1000, "many like calls are one bar");
        await visit.Picture("timeline-run-light");
        // A closer look opens the run into runs of fewer, and in the end into single calls.
        for (int i = 0; i < 40 && (await call.InnerTextAsync()).Contains('×'); i++)
        {
            await visit.Press("+");
            await Settle(visit);
        }
        await Expect(call).ToHaveTextAsync(new Regex(@"^(write|getppid|newfstatat|fsync)\("));
        await visit.Shows("not at all", "#timeline-detail");
        await visit.Picture("timeline-calls-light");
        await visit.Press("0");
        await visit.Press("Escape");
        await visit.Shows("Select a call", "#timeline-detail");
    }

    private static long Count(string name) => !name.Contains('×') ? 1 : long.Parse(name[(name.IndexOf('×') + 1)..].Replace(",", ""), CultureInfo.InvariantCulture);

    /// <summary>Waits until a timeline shows what is looked at.</summary>
    private static Task Settle(Visit visit) => Expect(visit.Find(".timeline")).ToHaveAttributeAsync("aria-busy", "false");

    [Fact]
    public async Task A_timeline_follows_a_job_that_runs_to_its_end()
    {
        string job = await stage.Submit("""{"command":["/bin/sh","-c","while :; do sleep 0.1; echo x; done"],"name":"ticker"}""");
        await stage.UntilTraced(job);
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{job}/timeline", 1600, 1000, dark: true);
        ILocator much = visit.Find(".timeline .corner"), range = visit.Find(".tools [role=status]");
        await Expect(visit.Find(".labels")).ToContainTextAsync("sleep");
        (string before, string stretch) = (await much.InnerTextAsync(), await range.InnerTextAsync());
        await Expect(much).Not.ToHaveTextAsync(before);
        await Expect(range).Not.ToHaveTextAsync(stretch);
        await visit.Picture("timeline-running-dark");
        // What is selected stays it while more comes.
        await visit.Find(".lanes canvas").FocusAsync();
        await visit.Press("ArrowDown", "Home");
        ILocator call = visit.Find("#timeline-detail .call");
        await Expect(call).ToBeVisibleAsync();
        before = await much.InnerTextAsync();
        await Expect(much).Not.ToHaveTextAsync(before);
        await Expect(call).ToBeVisibleAsync();
        await stage.Node.Send("POST", $"jobs/{job}/cancel");
        await Expect(visit.Find(".head .state")).ToHaveTextAsync("cancelled");
        await Expect(call).ToBeVisibleAsync();
    }

    [Fact]
    public async Task The_attempts_of_a_job_that_was_tried_again_are_looked_at_one_by_one()
    {
        string job = await stage.Submit("""{"command":["/bin/sh","-c","echo x; exit 3"],"name":"unlucky","retries":1}""");
        await stage.WaitForTrace(job);
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{job}");
        ILocator attempts = visit.Find("[aria-label=Attempts] li");
        await Expect(attempts).ToHaveCountAsync(2);
        await attempts.First.Locator("a").ClickAsync();
        await Expect(visit.Page).ToHaveURLAsync(new Regex("timeline\\?attempt=1"));
        await Expect(visit.Find("[aria-current=true]")).ToHaveTextAsync("Attempt 1");
        await Settle(visit);
        await visit.Picture("timeline-attempts-light");
        await visit.Find("a", "Attempt 2").ClickAsync();
        await Expect(visit.Find("[aria-current=true]")).ToHaveTextAsync("Attempt 2");
    }

    [Fact]
    public async Task The_wheel_zooms_and_dragging_moves()
    {
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{stage.Pipeline}/timeline", 1600, 1000, dark: true);
        ILocator canvas = visit.Find(".lanes canvas");
        await Expect(visit.Find(".labels")).ToContainTextAsync("sort");
        await Expect(visit.Find(".labels")).ToContainTextAsync("sleep");
        ILocator range = visit.Find(".tools [role=status]");
        string whole = await range.InnerTextAsync();
        LocatorBoundingBoxResult box = (await canvas.BoundingBoxAsync())!;
        await visit.Page.Mouse.MoveAsync(box.X + (box.Width / 2), box.Y + 40);
        await visit.Page.Mouse.WheelAsync(0, -400);
        await Expect(range).Not.ToHaveTextAsync(whole);
        string zoomed = await range.InnerTextAsync();
        await visit.Page.Mouse.DownAsync();
        await visit.Page.Mouse.MoveAsync(box.X + (box.Width / 2) + 150, box.Y + 40, new MouseMoveOptions { Steps = 5 });
        await visit.Page.Mouse.UpAsync();
        await Expect(range).Not.ToHaveTextAsync(zoomed);
        await Expect(visit.Page).ToHaveURLAsync(new Regex("from=-?[0-9]+&to="));
        // An address with a stretch shows that stretch.
        await Settle(visit);
        string moved = await range.InnerTextAsync();
        await visit.Page.ReloadAsync();
        await Expect(range).ToHaveTextAsync(moved);
    }

    [Fact]
    public async Task A_wait_says_what_it_waited_for_and_leads_to_what_ended_it()
    {
        JsonElement slow = (await stage.Node.Send("GET", $"jobs/{stage.Pipeline}/trace/calls?call=read&slowest=true&limit=1")).Body.GetProperty("calls")[0];
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{stage.Pipeline}/timeline?call={slow.GetProperty("index")}", 1600, 1000, dark: true);
        ILocator detail = visit.Find("#timeline-detail");
        await Expect(detail).ToContainTextAsync("for pipe:");
        await Settle(visit);
        await visit.Picture("timeline-wait-dark");
        await detail.Locator("button").ClickAsync();
        await Expect(detail.Locator(".call")).ToHaveTextAsync(new Regex("^write\\("));
    }

    [Fact]
    public async Task Latencies_open_into_the_slowest_calls()
    {
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{stage.Journal}/latency");
        ILocator row = visit.Find("table.heat tbody tr", "fsync");
        await Expect(row).ToHaveCountAsync(1);
        ILocator cell = row.Locator("td.cell:not(.none)");
        await cell.FocusAsync();
        await visit.Press("Enter");
        await visit.Shows("Slowest fsync from");
        ILocator call = visit.Find("table[aria-label=Calls] tbody tr");
        await Expect(call).ToHaveTextAsync(new Regex(@"fsync\(3</data/journal>\) = 0"));
        await visit.Picture("latency-light");
        await visit.Press("ArrowUp");
        await Expect(visit.Find("table.heat td:focus")).Not.ToHaveAttributeAsync("aria-label", new Regex("^fsync"));
        await call.First.FocusAsync();
        await visit.Press("Enter");
        await Expect(visit.Find("#timeline-detail .call")).ToContainTextAsync("fsync(3</data/journal>) = 0");
        await Settle(visit);
        await visit.Picture("timeline-fsync-light");
    }

    [Fact]
    public async Task Two_runs_stand_side_by_side_with_the_first_difference_marked()
    {
        await using Visit visit = await Visit.Begin(stage, $"#/compare?left={stage.One}&right={stage.Other}");
        await visit.Shows("First difference: call");
        ILocator changed = visit.Find("table.diff tr.first");
        await Expect(changed.Locator("td").Nth(1)).ToHaveTextAsync(new Regex("^write\\(1.* = 3$"));
        await Expect(changed.Locator("td").Nth(4)).ToHaveTextAsync(new Regex("^write\\(1.* = 4$"));
        await visit.Picture("compare-light");
        await visit.Page.GotoAsync($"{stage.Node.Address}/#/compare?left={stage.One}&right={stage.One}");
        await visit.Shows("No call differs");
    }

    [Fact]
    public async Task An_emulated_and_a_native_run_are_compared()
    {
        const string job = """{"command":["/bin/sh","-c","echo one; cat /etc/hostname"],"backend":"BACKEND","tracing":{"listing":true}}""";
        string emulated = await stage.Submit(job.Replace("BACKEND", "emulated")), native = await stage.Submit(job.Replace("BACKEND", "native"));
        await stage.WaitForTrace(emulated);
        Vivarium.Nodes.Http.Contract.JobDetail done = await stage.Node.Client.Wait(native);
        if (done.Result?.End == Messages.JobEnd.NotStarted)
            return; // This machine allows no name spaces.
        await using Visit visit = await Visit.Begin(stage, $"#/compare?left={emulated}&right={native}", 1600, 1000, dark: true);
        await visit.Shows("from its listing");
        await visit.Shows("native");
        await Expect(visit.Find("table.diff tbody tr.same").First).ToBeVisibleAsync();
        await visit.Picture("compare-native-dark");
    }

    [Fact]
    public async Task A_suite_shows_its_matrix()
    {
        const string suite = "name: shells\nmatrix:\n  engines: [translator, interpreter]\n  seeds: [1, 2]\ncases:\n  - { name: greets, shell: 'echo hello', expect: { output: \"hello\\n\" } }\n  - { name: wrong, shell: 'exit 2' }\n";
        (int status, JsonElement answer) = await stage.Node.Send("POST", "suites", JsonSerializer.Serialize(new { suite }));
        Assert.Equal(202, status);
        string id = answer.GetProperty("id").GetString()!;
        await stage.Node.Send("GET", $"suites/{id}/wait?seconds=60");
        await using Visit visit = await Visit.Begin(stage, "#/suites", dark: true);
        await visit.Find("tbody tr", "shells").FocusAsync();
        await visit.Press("Enter");
        await Expect(visit.Find(".matrix thead th")).ToHaveTextAsync(["Case", "translator", "interpreter"]);
        await Expect(visit.Find(".matrix .cells a.passed")).ToHaveCountAsync(4);
        await Expect(visit.Find(".matrix .cells a.failed")).ToHaveCountAsync(4);
        await visit.Shows("exit code 2, expected 0");
        await visit.Picture("suite-dark");
        await visit.Find(".matrix .cells a").First.FocusAsync();
        await visit.Press("ArrowRight", "ArrowDown");
        await Expect(visit.Find(".matrix tbody tr").Nth(1).Locator("a").Nth(1)).ToBeFocusedAsync();
        await visit.Press("Enter");
        await Expect(visit.Find(".head .state")).ToHaveTextAsync("failed");
    }

    [Theory]
    [InlineData("#/jobs/00000000000000000000000000000001", "There is no such job.")]
    [InlineData("#/jobs/nothing", "There is no such job.")]
    [InlineData("#/suites/nothing", "There is no such suite.")]
    [InlineData("#/nothing", "There is no such page.")]
    [InlineData("#/jobs?text=nobody-wrote-this", "No job is like that.")]
    [InlineData("#/compare?left=1&right=2", "must be a job's identifier")]
    public async Task What_is_not_there_is_said(string path, string expected)
    {
        await using Visit visit = await Visit.Begin(stage, path, allowsRefusals: true);
        await visit.Shows(expected);
    }

    [Fact]
    public async Task A_missing_trace_is_explained()
    {
        string job = await stage.Submit("""{"command":["/bin/true"],"tracing":{"level":"off"}}""");
        await stage.Node.Client.Wait(job);
        await using Visit visit = await Visit.Begin(stage, $"#/jobs/{job}/timeline", allowsRefusals: true);
        await visit.Shows("There is no trace to show.");
        await visit.Shows("with tracing off");
        await visit.Picture("missing-trace-light");
    }

    [Fact]
    public async Task The_theme_is_chosen_and_kept_and_keys_are_listed()
    {
        await using Visit visit = await Visit.Begin(stage, "#/cluster");
        await visit.Shows("64 / 64");
        Assert.Equal("rgb(255, 255, 255)", await Background(visit));
        await visit.Find("#theme").SelectOptionAsync("dark");
        Assert.Equal("rgb(20, 23, 27)", await Background(visit));
        await visit.Page.ReloadAsync();
        await visit.Shows("64 / 64");
        Assert.Equal("rgb(20, 23, 27)", await Background(visit));
        await visit.Find("#main").FocusAsync();
        await visit.Press("?");
        await visit.Shows("Keyboard shortcuts", "dialog");
        await visit.Picture("keys-dark");
        await visit.Press("Escape");
        await Expect(visit.Find("dialog")).ToHaveCountAsync(0);
    }

    private static Task<string> Background(Visit visit) => visit.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");

    [Fact]
    public async Task A_cluster_of_several_nodes_shows_who_holds_what_who_drains_and_who_has_left()
    {
        object NodeOf(string name, int running, int shards, bool drains, bool isMember) => new
        {
            name, address = "http://127.0.0.1:1", operatingSystem = "linux", architecture = "x64", cores = 16, memory = 64L << 30,
            engines = (string[])["translator"], platforms = (object[])[new { operatingSystem = "linux", architecture = "x64" }], backends = (string[])["emulated"], labels = new { zone = Stage.Markup(1) },
            capacity = 64, running, shards, isDraining = drains, isMember, seenAt = "2030-01-01T00:00:00Z",
        };
        object[] nodes = [NodeOf("one", 64, 32, false, true), NodeOf("two", 7, 31, true, true), NodeOf("three", 0, 0, false, false)];
        var shards = Enumerable.Range(0, 64).Select(i => new { shard = i, owner = i == 63 ? null : i % 2 == 0 ? "one" : "two", epoch = 3 });
        await using Visit visit = await Visit.Begin(stage, "#/suites", 1600, 1000, dark: true);
        await visit.Page.RouteAsync("**/api/v1/nodes", route => route.FulfillAsync(new RouteFulfillOptions { Json = new { nodes } }));
        await visit.Page.RouteAsync("**/api/v1/shards", route => route.FulfillAsync(new RouteFulfillOptions { Json = new { shards } }));
        // Keys are heard once the page is there.
        await Expect(visit.Find("h1")).ToHaveTextAsync("Suites");
        await visit.Press("g", "c");
        ILocator rows = visit.Find("table[aria-label=Nodes] tbody tr");
        await Expect(rows).ToHaveCountAsync(3);
        await Expect(rows.Nth(1)).ToContainTextAsync("draining");
        await Expect(rows.Nth(2)).ToContainTextAsync("left");
        await Expect(visit.Find(".shards .nobody").First).ToHaveTextAsync("63");
        await visit.Shows("71 / 128");
        await visit.Shows("63 / 64");
        await visit.Picture("cluster-several-dark");
    }
}
