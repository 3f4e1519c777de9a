using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Messages;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Client;

/// <summary>A node did not do what it was asked; the message is one line for people.</summary>
internal sealed class ClientException(string message, bool isRetryable = false) : Exception(message)
{
    /// <summary>True when the same may succeed later: the node cannot be reached, or has too much to do.</summary>
    public bool IsRetryable { get; } = isRetryable;
}

/// <summary>A node's HTTP API, from outside.</summary>
internal sealed class ApiClient : IDisposable
{
    private const int Attempts = 8;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly HttpClient _http;
    private readonly Uri _node;

    public ApiClient(Uri node, string? token)
    {
        _node = node;
        _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            BaseAddress = new Uri(node, ApiRoutes.Prefix + "/"),
            Timeout = Patience,
        };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>Submits; repeated while the node cannot be reached, which makes the jobs once because of the key.</summary>
    public Task<SubmitAnswer> Submit(SubmitRequest request, string key, CancellationToken cancelled = default) =>
        Submit("jobs", request, ApiJson.Default.SubmitRequest, ApiJson.Default.SubmitAnswer, key, cancelled);

    /// <summary>Submits a suite; repeated like <see cref="Submit(SubmitRequest, string, CancellationToken)"/>.</summary>
    public Task<SuiteDetail> Submit(SuiteRequest request, string key, CancellationToken cancelled = default) =>
        Submit("suites", request, ApiJson.Default.SuiteRequest, ApiJson.Default.SuiteDetail, key, cancelled);

    /// <summary>Waits a while for a suite's end.</summary>
    public Task<SuiteDetail> WaitForSuite(string id, TimeSpan longest, CancellationToken cancelled) =>
        Get(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"suites/{Part(id)}/wait?seconds={longest.TotalSeconds:0}"), ApiJson.Default.SuiteDetail, cancelled);

    public Task<Suites.SuiteResult> SuiteResults(string id, CancellationToken cancelled) => Get($"suites/{Part(id)}/results?format=json", ApiJson.Default.SuiteResult, cancelled);

    private async Task<TAnswer> Submit<TRequest, TAnswer>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TAnswer> answerType, string key, CancellationToken cancelled)
    {
        TimeSpan pause = FirstPause;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                using var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(request, requestType) };
                message.Headers.Add(JobRoutes.KeyHeader, key);
                return await Send(message, answerType, cancelled).ConfigureAwait(false);
            }
            catch (ClientException failure) when (failure.IsRetryable && attempt < Attempts)
            {
                await Task.Delay(pause, cancelled).ConfigureAwait(false);
                pause *= 2;
            }
        }
    }

    public Task<T> Get<T>(string path, JsonTypeInfo<T> type, CancellationToken cancelled = default) =>
        Send(new HttpRequestMessage(HttpMethod.Get, path), type, cancelled);

    public Task<JobDetail> Job(string id) => Get($"jobs/{Part(id)}", ApiJson.Default.JobDetail);

    /// <summary>Waits until a job is over, however long that takes.</summary>
    public async Task<JobDetail> Wait(string id, CancellationToken cancelled = default)
    {
        while (true)
        {
            JobDetail job = await Get($"jobs/{Part(id)}/wait?seconds=60", ApiJson.Default.JobDetail, cancelled).ConfigureAwait(false);
            if (job.State.IsFinal())
                return job;
        }
    }

    public Task Cancel(string id) => SendOnly(new HttpRequestMessage(HttpMethod.Post, $"jobs/{Part(id)}/cancel"));

    public Task Signal(string id, SignalRequest request) =>
        SendOnly(new HttpRequestMessage(HttpMethod.Post, $"jobs/{Part(id)}/signal") { Content = JsonContent.Create(request, ApiJson.Default.SignalRequest) });

    public Task<JsonElement> Inspect(string id) => Get($"jobs/{Part(id)}/inspect", ApiJson.Default.JsonElement);

    /// <summary>A job's trace as a file has it: of one of its attempts, 0 = of all.</summary>
    public async Task<byte[]> Trace(string id, int attempt)
    {
        string which = attempt == 0 ? "" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"?attempt={attempt}");
        using HttpResponseMessage response = await Reach(new HttpRequestMessage(HttpMethod.Get, $"jobs/{Part(id)}/trace{which}"), default).ConfigureAwait(false);
        await Check(response).ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false);
    }

    public Task<NodeList> Nodes(CancellationToken cancelled = default) => Get("nodes", ApiJson.Default.NodeList, cancelled);

    public Task<StatsAnswer> Stats(CancellationToken cancelled = default) => Get("stats", ApiJson.Default.StatsAnswer, cancelled);

    public Task Drain(string node) => SendOnly(new HttpRequestMessage(HttpMethod.Post, $"nodes/{Part(node)}/drain"));

    public Task<ImageList> Images() => Get("images", ApiJson.Default.ImageList);

    /// <summary>An image by hash or name; null when there is none.</summary>
    public async Task<ImageAnswer?> FindImage(string reference)
    {
        using HttpResponseMessage response = await Reach(new HttpRequestMessage(HttpMethod.Get, $"images/{Part(reference)}"), default).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        await Check(response).ConfigureAwait(false);
        return await response.Content.ReadFromJsonAsync(ApiJson.Default.ImageAnswer).ConfigureAwait(false);
    }

    /// <summary>
    /// Pushes an image in its one form, a piece at a time from where an earlier push broke off, and again while the node cannot be
    /// reached.
    /// </summary>
    /// <param name="progress">Told how many bytes are there.</param>
    public async Task<ImageAnswer> PushImage(string hash, Stream archive, string? name, Action<double> progress)
    {
        byte[] piece = new byte[Actors.Storage.IImageStore.LargestPiece];
        int failures = 0;
        while (true)
        {
            try
            {
                long offset = (await Get($"images/{hash}/content", ApiJson.Default.ContentAnswer).ConfigureAwait(false)).Bytes;
                for (; offset < archive.Length; failures = 0)
                {
                    progress(offset);
                    archive.Position = offset;
                    int count = await archive.ReadAtLeastAsync(piece, piece.Length, throwOnEndOfStream: false).ConfigureAwait(false);
                    using var content = new ByteArrayContent(piece, 0, count) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } };
                    var request = new HttpRequestMessage(HttpMethod.Put, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"images/{hash}/content?offset={offset}")) { Content = content };
                    offset = (await Send(request, ApiJson.Default.ContentAnswer, default).ConfigureAwait(false)).Bytes;
                }
                return await Send(new HttpRequestMessage(HttpMethod.Post, $"images/{hash}/complete" + (name is null ? "" : "?name=" + Part(name))), ApiJson.Default.ImageAnswer, default).ConfigureAwait(false);
            }
            catch (ClientException failure) when (failure.IsRetryable && ++failures < Attempts)
            {
                await Task.Delay(FirstPause * (1 << failures)).ConfigureAwait(false);
            }
        }
    }

    public Task<ImageAnswer> NameImage(string hash, string name) =>
        Send(new HttpRequestMessage(HttpMethod.Put, $"images/{Part(hash)}/name?name={Part(name)}"), ApiJson.Default.ImageAnswer, default);

    public Task RemoveImage(string reference) => SendOnly(new HttpRequestMessage(HttpMethod.Delete, $"images/{Part(reference)}"));

    /// <summary>All that a job has written to one of its streams.</summary>
    public async Task<byte[]> Output(string id, string stream, CancellationToken cancelled = default)
    {
        using HttpResponseMessage response = await Reach(new HttpRequestMessage(HttpMethod.Get, $"jobs/{Part(id)}/logs?stream={stream}"), cancelled).ConfigureAwait(false);
        await Check(response).ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync(cancelled).ConfigureAwait(false);
    }

    /// <summary>A job's output as events, in order; goes on where it was when the connection breaks.</summary>
    public async IAsyncEnumerable<LogEvent> Logs(string id, bool follows, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancelled = default)
    {
        string? last = null;
        int failures = 0;
        while (true)
        {
            await using IAsyncEnumerator<LogEvent> events = LogEvents(id, follows, last, cancelled).GetAsyncEnumerator(cancelled);
            while (true)
            {
                try
                {
                    if (!await events.MoveNextAsync().ConfigureAwait(false))
                        break;
                }
                catch (ClientException broken) when (broken.IsRetryable && ++failures < Attempts)
                {
                    await Task.Delay(FirstPause * failures, cancelled).ConfigureAwait(false);
                    break;
                }
                failures = 0;
                last = events.Current.Id;
                yield return events.Current;
                if (events.Current.Kind == "end")
                    yield break;
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private async IAsyncEnumerable<LogEvent> LogEvents(string id, bool follows, string? last, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancelled)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"jobs/{Part(id)}/logs?follow={(follows ? "true" : "false")}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (last is not null)
            request.Headers.Add("Last-Event-ID", last);
        using HttpResponseMessage response = await Reach(request, cancelled).ConfigureAwait(false);
        await Check(response).ConfigureAwait(false);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancelled).ConfigureAwait(false));
        string kind = "", place = "";
        while (await ReadLine(reader, cancelled).ConfigureAwait(false) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
                kind = line[7..];
            else if (line.StartsWith("id: ", StringComparison.Ordinal))
                place = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                yield return new LogEvent(kind, place, line[6..]);
        }
        throw new ClientException("the node ended the connection", isRetryable: true);
    }

    private static async Task<string?> ReadLine(StreamReader reader, CancellationToken cancelled)
    {
        try
        {
            return await reader.ReadLineAsync(cancelled).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            throw new ClientException($"the connection to the node broke: {broken.Message}", isRetryable: true);
        }
    }

    private static string Part(string text) => Uri.EscapeDataString(text);

    private async Task<T> Send<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancelled)
    {
        using HttpResponseMessage response = await Reach(request, cancelled).ConfigureAwait(false);
        await Check(response).ConfigureAwait(false);
        try
        {
            return await response.Content.ReadFromJsonAsync(type, cancelled).ConfigureAwait(false) ?? throw new ClientException("the node's answer is empty");
        }
        catch (JsonException strange)
        {
            throw new ClientException($"{_node} does not answer as a node of this version does: {strange.Message}");
        }
    }

    private async Task SendOnly(HttpRequestMessage request)
    {
        using HttpResponseMessage response = await Reach(request, default).ConfigureAwait(false);
        await Check(response).ConfigureAwait(false);
    }

    private async Task<HttpResponseMessage> Reach(HttpRequestMessage request, CancellationToken cancelled)
    {
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancelled).ConfigureAwait(false);
        }
        catch (HttpRequestException failure)
        {
            throw new ClientException($"cannot reach a node at {_node.ToString().TrimEnd('/')}: {(failure.InnerException ?? failure).Message} (--node or VIVARIUM_NODE names another)", isRetryable: true);
        }
        catch (TaskCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new ClientException($"the node at {_node} does not answer", isRetryable: true);
        }
    }

    private static async Task Check(HttpResponseMessage response)
    {
        if (response.IsSuccessStatusCode)
            return;
        Problem? problem = null;
        try
        {
            if (response.Content.Headers.ContentType?.MediaType == "application/problem+json")
                problem = await response.Content.ReadFromJsonAsync(ApiJson.Default.Problem).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            // Then its status has to do.
        }
        string field = problem?.Field is { } named ? named + ": " : "";
        throw new ClientException(
            problem is null ? $"the node answered {(int)response.StatusCode} {response.ReasonPhrase}" : field + (problem.Detail ?? problem.Title),
            problem?.Retryable ?? response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway);
    }
}

/// <summary>An event of a job's output.</summary>
/// <param name="Kind">output, attempt or end.</param>
/// <param name="Id">Where the output goes on after it.</param>
/// <param name="Data">JSON.</param>
internal sealed record LogEvent(string Kind, string Id, string Data);
