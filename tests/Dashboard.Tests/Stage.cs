using System.Diagnostics;
using System.Text.Json;
using Microsoft.Playwright;
using Vivarium.Nodes.Tests.Http;
using Xunit;

namespace Vivarium.Dashboard.Tests;

/// <summary>A node with jobs that have something to show, and a browser to look at them. Made once for all tests.</summary>
public sealed class Stage : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("viv-page-").FullName;
    private IPlaywright? _playwright;

    public ApiNode Node { get; } = new(("jobs.host-files", "write"), ("node.native", "true"));

    public IBrowser Browser { get; private set; } = null!;

    /// <summary>Ninety-five thousand calls, one of them an fsync.</summary>
    public string Journal { get; private set; } = "";

    /// <summary>A pipeline of several processes.</summary>
    public string Pipeline { get; private set; } = "";

    /// <summary>Fails, and writes what pages must not take for their own.</summary>
    public string Hostile { get; private set; } = "";

    /// <summary>The same program twice, and once with another word.</summary>
    public string One { get; private set; } = "";

    public string Other { get; private set; } = "";

    public static string Repository { get; } = FindRoot();

    public async Task InitializeAsync()
    {
        await Node.InitializeAsync();
        Assertions.SetDefaultExpectTimeout(90_000);
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = FindBrowser() });
        Directory.CreateDirectory(Screenshots);
        string journal = Compile("journal");
        Journal = await Submit("""{"command":["PROGRAM","/data"],"name":"journal","binds":[{"source":"FOLDER","target":"/data","writable":true}],"labels":{"build":"17"}}"""
            .Replace("PROGRAM", journal).Replace("FOLDER", Directory.CreateDirectory(Path.Combine(_folder, "data")).FullName));
        Pipeline = await Submit("""{"command":["/bin/sh","-c","(sleep 0.2; seq 1 3000) | sort -rn | head -3; ls / | wc -l"],"name":"pipeline","labels":{"build":"17"}}""");
        Hostile = await Submit(JsonSerializer.Serialize(new
        {
            command = (string[])["/bin/sh", "-c", HostileScript],
            name = Markup(1),
            labels = new Dictionary<string, string> { ["evil"] = Markup(2), ["javascript:alert(3)"] = "x" },
        }));
        const string same = """{"command":["/bin/sh","-c","echo same; echo WORD; echo end"],"seed":1,"clock":"virtual"}""";
        One = await Submit(same.Replace("WORD", "ab"));
        Other = await Submit(same.Replace("WORD", "abc"));
        foreach (string job in (string[])[Journal, Pipeline, Hostile, One, Other])
            await WaitForTrace(job);
    }

    public async Task DisposeAsync()
    {
        await Browser.DisposeAsync();
        _playwright?.Dispose();
        await Node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>What would run a script wherever it were taken for markup.</summary>
    public static string Markup(int number) => $"<script>alert({number})</script><img src=x onerror=alert({number})>";

    private static string HostileScript =>
        $"echo '{Markup(4)}'; printf '\\033[31mred\\033[0m \\007bell\\n'; echo '{Markup(5)}' >&2; echo x >'/tmp/{Markup(6).Replace('/', '!')}'; cat '/{Markup(7).Replace('/', '!')}' 'javascript:alert(8)'; exit 3";

    public static string Screenshots => Path.Combine(Repository, "out", "tests", "screenshots");

    public async Task<string> Submit(string job)
    {
        (int status, JsonElement answer) = await Node.Send("POST", "jobs", $"{{\"job\":{job}}}");
        Assert.True(status == 202, answer.ToString());
        return answer.GetProperty("jobs")[0].GetString()!;
    }

    public async Task WaitForTrace(string job)
    {
        await Node.Client.Wait(job);
        for (long end = Environment.TickCount64 + 120_000; Environment.TickCount64 < end && (await Node.Send("GET", $"jobs/{job}/trace/summary")).Status == 404;)
            await Task.Delay(50);
    }

    /// <summary>Waits until a job that runs has something to show.</summary>
    public async Task UntilTraced(string job)
    {
        while ((await Node.Send("GET", $"jobs/{job}/trace/summary")).Status == 404)
            await Task.Delay(50);
    }

    private string Compile(string name)
    {
        string program = Path.Combine(_folder, name);
        using Process compiler = Process.Start("gcc", ["-O2", "-o", program, Path.Combine(Repository, "tests/Dashboard.Tests/Guests", name + ".c")]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        return program;
    }

    private static string FindBrowser() =>
        ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists)
        ?? throw new FileNotFoundException("these tests need Chromium: Debian's package chromium");

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Vivarium.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("the tests run outside the repository");
    }
}

[CollectionDefinition(nameof(Stage))]
public sealed class StageCollection : ICollectionFixture<Stage>;
