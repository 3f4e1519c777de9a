using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;
using Spectre.Console.Rendering;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Client;

/// <summary>How the commands show what came from a node.</summary>
internal static class ClientOutput
{
    /// <summary>Columns of text where the output is no terminal: no row is broken.</summary>
    private const int WidthOfFile = 200;

    public static void WriteJson<T>(T value)
    {
        using Stream output = Console.OpenStandardOutput();
        JsonSerializer.Serialize(output, value, (JsonTypeInfo<T>)ApiJson.Indented.GetTypeInfo(typeof(T))!);
        output.WriteByte((byte)'\n');
    }

    public static Table NewTable(params ReadOnlySpan<string> columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(column) { NoWrap = true });
        return table;
    }

    /// <summary>Shows a table or the like; without colours, and as wide as it is, where the output is no terminal.</summary>
    public static void Write(IRenderable shown)
    {
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = WidthOfFile;
            AnsiConsole.Profile.Capabilities.Ansi = false;
            AnsiConsole.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
        }
        AnsiConsole.Write(shown);
    }

    /// <summary>Text of others for a table: no markup, and no bytes that a terminal would obey.</summary>
    public static string Plain(string? text)
    {
        if (text is null)
            return "";
        var plain = new StringBuilder(text.Length);
        foreach (char letter in text)
            plain.Append(char.IsControl(letter) ? '?' : letter);
        return Markup.Escape(plain.ToString());
    }

    public static string State(JobState state)
    {
        string word = char.ToLowerInvariant(state.ToString()[0]) + state.ToString()[1..];
        return state switch
        {
            JobState.Succeeded => $"[green]{word}[/]",
            JobState.Failed or JobState.TimedOut => $"[red]{word}[/]",
            JobState.Running => $"[blue]{word}[/]",
            _ => word,
        };
    }

    /// <summary>What a job was submitted for: "freebsd/arm64", with a * for what its program says; nothing when that says both.</summary>
    public static string Platform(JobAnswer job) => job is { OperatingSystem: null, Architecture: null } ? "" : Plain($"{job.OperatingSystem ?? "*"}/{job.Architecture ?? "*"}");

    /// <summary>A span of time, with the two units that matter.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 0 } => "0s",
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0}ms"),
        { TotalSeconds: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0}s"),
        { TotalMinutes: < 60 } => $"{span.Minutes}m{span.Seconds:00}s",
        { TotalHours: < 24 } => $"{span.Hours}h{span.Minutes:00}m",
        _ => $"{(int)span.TotalDays}d{span.Hours:00}h",
    };

    public static string Age(DateTimeOffset? time) => time is { } then ? Span(DateTimeOffset.UtcNow - then) : "";

    public static string Size(double bytes)
    {
        string[] units = ["B", "K", "M", "G", "T"];
        int unit = 0;
        for (; bytes >= 1024 && unit < units.Length - 1; unit++)
            bytes /= 1024;
        return bytes.ToString(bytes >= 100 || unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + units[unit];
    }

    /// <summary>A bar of progress on standard error while work lasts, where that is a terminal.</summary>
    public static async Task<T> WithProgress<T>(string what, double most, Func<Action<double>, Task<T>> work)
    {
        if (Console.IsErrorRedirected || most <= 0)
            return await work(static _ => { }).ConfigureAwait(false);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        T result = default!;
        await console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                ProgressTask task = context.AddTask(Plain(what), maxValue: most);
                result = await work(done => task.Value = done).ConfigureAwait(false);
            }).ConfigureAwait(false);
        return result;
    }

    /// <summary>The exit code of a command that waited for a job: as if it had run here. Says why when the program did not simply exit.</summary>
    public static int Report(JobDetail job)
    {
        if (job.Result?.Message is { } message)
            Console.Error.WriteLine("viv: " + message);
        return job.ExitCode ?? Commands.Failure.ExitCode;
    }

    /// <summary>Writes a job's output to this process's streams as it comes.</summary>
    public static async Task Follow(ApiClient api, string id, bool follows)
    {
        await using Stream output = Console.OpenStandardOutput(), error = Console.OpenStandardError();
        await foreach (LogEvent happened in api.Logs(id, follows).ConfigureAwait(false))
        {
            if (happened.Kind == "attempt")
            {
                Console.Error.WriteLine("viv: the attempt was lost; the next one begins");
            }
            else if (happened.Kind == "output" && JsonSerializer.Deserialize(happened.Data, ApiJson.Default.OutputAnswer) is { } piece)
            {
                Stream stream = piece.Stream == "stderr" ? error : output;
                await stream.WriteAsync(piece.Text.Bytes).ConfigureAwait(false);
                await stream.FlushAsync().ConfigureAwait(false);
            }
        }
    }
}
