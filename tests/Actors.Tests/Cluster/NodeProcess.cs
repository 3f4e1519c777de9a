using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>A real <c>viv node</c> in a process of its own.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string[] _arguments;
    private readonly List<string> _lines = [];
    private Process? _process;
    private HttpClient? _http;

    public NodeProcess(string name, string store, string folder, PeerCertificates? certificates = null, params string[] more)
    {
        Name = name;
        List<string> arguments = ["node", "--node-name", name, "--store", store, "--listen", "127.0.0.1:0", "--node-data", Path.Combine(folder, name), .. more];
        if (certificates is not null)
        {
            (string certificate, string key) = certificates.Issue(name);
            arguments.AddRange(["--peer-listen", $"127.0.0.1:{FreePort()}", "--peer-certificate", certificate, "--peer-key", key, "--peer-authority", certificates.Authority]);
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

    public bool IsRunning => _process is { HasExited: false };

    public async Task Start()
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "viv.dll"), .. _arguments]) { RedirectStandardError = true, RedirectStandardInput = true };
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
        _http = new HttpClient { BaseAddress = new Uri(serves + "/api/v1/"), Timeout = TimeSpan.FromSeconds(20) };
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
    public async Task<string?> TrySubmit(string key, params string[] command)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "jobs") { Content = JsonContent.Create(new { job = new { command } }) };
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

    public async Task<HttpStatusCode> Post(string path)
    {
        using HttpResponseMessage response = await _http!.PostAsync(path, null);
        return response.StatusCode;
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (IsRunning)
            Kill();
        _process?.Dispose();
        await Task.CompletedTask;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
