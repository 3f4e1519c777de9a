using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>A job's output: as it was written, or as events.</summary>
internal static class LogRoutes
{
    private const string Events = "text/event-stream";
    private const int PageBytes = 256 * 1024;
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public static IReadOnlyList<Route> All { get; } =
    [
        new("GET", "/jobs/{id}/logs", Access.Read, "readLogs",
            "A job's output, both streams in the order they were written. With Accept: text/event-stream as events (output, attempt, end), each with an "
            + "identifier to go on from; otherwise its bytes.", Read)
        {
            RawAnswer = ["text/plain", Events],
            Parameters =
            [
                new("follow", "boolean", "Goes on until the job is over."),
                new("stream", "string", "stdout or stderr: only that one. Both when left out."),
                new("Last-Event-ID", "string", "The last event that was received; those after it follow.", "header"),
            ],
            Errors = [(404, "There is no such job.")],
        },
    ];

    private static async Task Read(ApiCall call)
    {
        call.AllowQueries("follow", "stream");
        OutputStream? only = call.Query("stream") switch
        {
            null => null,
            "stdout" => OutputStream.Standard,
            "stderr" => OutputStream.Error,
            _ => throw ApiException.BadField("stream", "must be stdout or stderr"),
        };
        bool follows = call.QueryFlag("follow");
        bool asEvents = call.Context.Request.Headers.Accept.ToString().Contains(Events, StringComparison.OrdinalIgnoreCase);
        var place = LogPlace.Parse(call.Context.Request.Headers["Last-Event-ID"]);
        using JobChanges.Watch watch = call.Node.Changes.Listen(call.Job);
        OutputPage page = await Next(call, place).ConfigureAwait(false);
        call.Context.Response.ContentType = asEvents ? Events : "application/octet-stream";
        call.Context.Response.Headers.CacheControl = "no-cache";
        LogWriter writer = asEvents ? new EventLogWriter(call.Context.Response, only) : new PlainLogWriter(call.Context.Response, only);
        while (true)
        {
            if (page.Attempt != place.Attempt && place.Attempt != 0)
                await writer.Restart(page.Attempt, call.Cancelled).ConfigureAwait(false);
            await writer.Write(page, place, call.Cancelled).ConfigureAwait(false);
            place = new LogPlace(page.Attempt, page.Next);
            if (page.Chunks.Count == 0 && (page.State.IsFinal() || !follows))
                break;
            if (page.Chunks.Count == 0)
                await WaitForMore(writer, watch, call.Cancelled).ConfigureAwait(false);
            page = await Next(call, place).ConfigureAwait(false);
        }
        await writer.End(page, call.Cancelled).ConfigureAwait(false);
    }

    private static async ValueTask<OutputPage> Next(ApiCall call, LogPlace place) =>
        await call.Node.Store.ReadOutput(call.Job, place.Attempt, place.Offset, PageBytes).ConfigureAwait(false)
            ?? throw ApiException.NotFound("there is no job " + call.Path("id"));

    /// <summary>What is there is sent before waiting, and a sign of life from time to time: who only reads must notice a broken connection.</summary>
    private static async Task WaitForMore(LogWriter writer, JobChanges.Watch watch, CancellationToken cancelled)
    {
        await writer.Flush(cancelled).ConfigureAwait(false);
        await watch.Wait(KeepAlive, cancelled).ConfigureAwait(false);
        await writer.KeepAlive(cancelled).ConfigureAwait(false);
    }
}

/// <summary>A place in a job's output, as events' identifiers name it: "ATTEMPT-OFFSET".</summary>
internal readonly record struct LogPlace(int Attempt, long Offset)
{
    /// <exception cref="ApiException">It is not such an identifier.</exception>
    public static LogPlace Parse(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return default;
        int dash = text.IndexOf('-');
        return dash > 0
            && int.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out int attempt)
            && long.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long offset)
                ? new LogPlace(attempt, offset)
                : throw ApiException.BadField("Last-Event-ID", "is not one that this sent");
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Attempt}-{Offset}");
}

/// <summary>How a job's output is written into a response.</summary>
internal abstract class LogWriter(HttpResponse response, OutputStream? only)
{
    protected HttpResponse Response => response;

    public async Task Write(OutputPage page, LogPlace from, CancellationToken cancelled)
    {
        foreach (OutputChunk chunk in page.Chunks)
        {
            // A place may be inside of a chunk.
            long skip = page.Attempt == from.Attempt ? Math.Max(0, from.Offset - chunk.Offset) : 0;
            if (skip < chunk.Bytes.Length && (only is null || only == chunk.Stream))
                await Write(chunk.Stream, chunk.Bytes[(int)skip..], new LogPlace(page.Attempt, chunk.End), cancelled).ConfigureAwait(false);
        }
    }

    /// <summary>The attempt so far is lost; its output begins again.</summary>
    public abstract Task Restart(int attempt, CancellationToken cancelled);

    public abstract Task End(OutputPage last, CancellationToken cancelled);

    public Task Flush(CancellationToken cancelled) => response.Body.FlushAsync(cancelled);

    public virtual Task KeepAlive(CancellationToken cancelled) => Task.CompletedTask;

    protected abstract Task Write(OutputStream stream, ReadOnlyMemory<byte> bytes, LogPlace after, CancellationToken cancelled);
}

/// <summary>The bytes themselves.</summary>
internal sealed class PlainLogWriter(HttpResponse response, OutputStream? only) : LogWriter(response, only)
{
    public override Task Restart(int attempt, CancellationToken cancelled) =>
        Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"\n--- attempt {attempt} ---\n"), cancelled).AsTask();

    public override Task End(OutputPage last, CancellationToken cancelled) => Flush(cancelled);

    protected override Task Write(OutputStream stream, ReadOnlyMemory<byte> bytes, LogPlace after, CancellationToken cancelled) =>
        Response.Body.WriteAsync(bytes, cancelled).AsTask();
}

/// <summary>Server-sent events (HTML Living Standard, 9.2), each one line of JSON.</summary>
internal sealed class EventLogWriter(HttpResponse response, OutputStream? only) : LogWriter(response, only)
{
    private long _signOfLife = Environment.TickCount64;

    public override Task Restart(int attempt, CancellationToken cancelled) =>
        Send("attempt", new LogPlace(attempt, 0), string.Create(CultureInfo.InvariantCulture, $"{{\"attempt\":{attempt}}}"), cancelled);

    public override async Task End(OutputPage last, CancellationToken cancelled)
    {
        string state = JsonSerializer.Serialize(last.State, ApiJson.Default.JobState);
        await Send("end", new LogPlace(last.Attempt, last.Next), $"{{\"state\":{state}}}", cancelled).ConfigureAwait(false);
        await Flush(cancelled).ConfigureAwait(false);
    }

    public override async Task KeepAlive(CancellationToken cancelled)
    {
        const int interval = 15_000;
        if (Environment.TickCount64 - _signOfLife < interval)
            return;
        await Response.Body.WriteAsync(": \n\n"u8.ToArray(), cancelled).ConfigureAwait(false);
        await Flush(cancelled).ConfigureAwait(false);
        _signOfLife = Environment.TickCount64;
    }

    protected override Task Write(OutputStream stream, ReadOnlyMemory<byte> bytes, LogPlace after, CancellationToken cancelled)
    {
        var answer = new OutputAnswer { Stream = stream == OutputStream.Standard ? "stdout" : "stderr", Text = new ByteText(bytes.ToArray()) };
        return Send("output", after, JsonSerializer.Serialize(answer, ApiJson.Default.OutputAnswer), cancelled);
    }

    private Task Send(string name, LogPlace place, string data, CancellationToken cancelled)
    {
        _signOfLife = Environment.TickCount64;
        return Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"event: {name}\nid: {place}\ndata: {data}\n\n"), cancelled).AsTask();
    }
}
