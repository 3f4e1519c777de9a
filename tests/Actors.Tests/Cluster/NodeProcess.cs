using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>A real <c>viv node</c> in a process of its own.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private const string Token = "test-0123456789abcdef";

    private readonly NodePlace _place;
    private readonly string[] _arguments;
    private readonly List<string> _lines = [];
    private Process? _process;
    private HttpClient? _http;

    public NodeProcess(string name, string store, string folder, PeerCertificates? certificates = null, params string[] more)
        : this(name, store, folder, certificates, NodePlace.Here, more)
    {
    }

    public NodeProcess(string name, string store, string folder, PeerCertificates? certificates, NodePlace place, params string[] more)
    {
        Name = name;
        _place = place;
        List<string> arguments = ["node", "--node-name", name, "--store", store, "--listen", place.Api, "--node-data", Path.Combine(folder, name), .. more];
        if (!place.Api.StartsWith("127.", StringComparison.Ordinal))
            arguments.AddRange(["--api-token-file", WriteTokens(folder)]);
        if (certificates is not null)
        {
            (string certificate, string key) = certificates.Issue(name, IPEndPoint.Parse(place.Peers).Address);
            arguments.AddRange(["--peer-listen", place.Peers, "--peer-certificate", certificate, "--peer-key", key, "--peer-authority", certificates.Authority]);
        }
        _arguments = [.. arguments];
    }

    public string Name { get; }

    /// <summary>What it wrote to its error stream, for failures.</summary>
    public string Log
    {
        get
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }
    }

    /// <summary>Where its API is, once it serves.</summary>
    public Uri Address => new(_http!.BaseAddress!, "/");

    public bool IsRunning => _process is { HasExited: false };

    public async Task Start()
    {
        string[] command = [.. _place.Prefix, "dotnet", Path.Combine(AppContext.BaseDirectory, "viv.dll"), .. _arguments];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in _place.Environment)
            start.Environment[name] = value;
        var serving = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        Process process = _process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_lines)
                _lines.Add(line.Data ?? "(end)");
            if (line.Data is null)
                serving.TrySetException(new InvalidOperationException($"{Name} ended: {Log}"));
            else if (line.Data.Split(" serves ") is [_, var address])
                serving.TrySetResult(address);
        };
        process.BeginErrorReadLine();
        string serves = await serving.Task.WaitAsync(Patience);
        _http = new HttpClient { BaseAddress = new Uri(serves + "/api/v1/"), Timeout = TimeSpan.FromSeconds(60) };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", Token);
    }

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        _process?.Kill();
        _process?.WaitForExit();
    }

    public void Signal(string signal) => Process.Start("kill", ["-" + signal, $"{_process!.Id}"]).WaitForExit();

    public Task WaitForExit() => _process!.WaitForExitAsync().WaitAsync(Patience);

    /// <summary>Submits a job; null when the node says to try again, or says nothing.</summary>
    public Task<string?> TrySubmit(string key, params string[] command) => TrySubmitJob(key, new { command });

    /// <summary>The same with all that a job may have.</summary>
    public async Task<string?> TrySubmitJob(string key, object job)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "jobs") { Content = JsonContent.Create(new { job }) };
            request.Headers.Add("Idempotency-Key", key);
            using HttpResponseMessage response = await _http!.SendAsync(request);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                return null;
            if (!response.IsSuccessStatusCode)
                throw new InvalidOperationException($"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
            JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
            return answer.GetProperty("jobs")[0].GetString();
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException or IOException or NullReferenceException)
        {
            return null;
        }
    }

    /// <summary>Submits a job that is to be refused: with which status, and what the problem says.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Problem)> Refusal(string key, params string[] command)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "jobs") { Content = JsonContent.Create(new { job = new { command } }) };
        request.Headers.Add("Idempotency-Key", key);
        using HttpResponseMessage response = await _http!.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async Task<HttpStatusCode> Post(string path)
    {
        using HttpResponseMessage response = await _http!.PostAsync(path, null);
        return response.StatusCode;
    }

    /// <summary>An answer's status and body; status 0 when there is none.</summary>
    public async Task<(HttpStatusCode Status, byte[] Body)> Get(string path)
    {
        try
        {
            using HttpResponseMessage response = await _http!.GetAsync(path);
            return (response.StatusCode, await response.Content.ReadAsByteArrayAsync());
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException or IOException)
        {
            return (0, []);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (IsRunning)
            Kill();
        _process?.Dispose();
        await Task.CompletedTask;
    }

    private static string WriteTokens(string folder)
    {
        string file = Path.Combine(folder, "tokens");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, $"admin {Token}\n");
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        return file;
    }
}
