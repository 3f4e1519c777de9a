using System.Text;
using System.Text.Json;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>A node inside the test's process that serves its API on a port of its own.</summary>
public sealed class ApiNode : IAsyncLifetime
{
    private readonly string _data = Directory.CreateTempSubdirectory("viv-test-").FullName;
    private readonly (string Name, string Value)[] _settings;
    private NodeHost? _host;
    private ApiServer? _server;
    private JobChanges? _changes;

    /// <summary>With the default settings and a store in memory.</summary>
    public ApiNode()
        : this([])
    {
    }

    internal ApiNode(params (string Name, string Value)[] settings) => _settings = settings;

    internal HttpClient Http { get; } = new();

    internal ApiClient Client { get; private set; } = null!;

    internal NodeServices Services { get; private set; } = null!;

    internal string Address { get; private set; } = "";

    public async Task InitializeAsync()
    {
        var settings = new NodeSettings();
        foreach ((string name, string value) in ((string, string)[])[("node.data", _data), ("cluster.store", "memory"), ("api.listen", "127.0.0.1:0"), .. _settings])
            Assert.Null(settings.Set(name, value));
        _host = await NodeHost.Start(settings, null);
        _changes = new JobChanges(_host.Store);
        Services = NodeCommand.Services(_host, _changes, static () => { });
        (_server, string? error) = await ApiServer.Start(Services);
        Assert.Null(error);
        Address = _server!.Address;
        Http.BaseAddress = new Uri(Address + ApiRoutes.Prefix + "/");
        Client = new ApiClient(new Uri(Address), null);
    }

    public async Task DisposeAsync()
    {
        Client.Dispose();
        Http.Dispose();
        await _server!.DisposeAsync();
        _changes!.Dispose();
        await _host!.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    internal async Task<(int Status, JsonElement Body)> Send(string method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage response = await Http.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        return ((int)response.StatusCode, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default);
    }

    /// <summary>Submits a shell's command; the job's identifier.</summary>
    internal async Task<string> Submit(string script, string more = "")
    {
        (int status, JsonElement answer) = await Send("POST", "jobs", $"{{\"job\":{{\"command\":[\"/bin/sh\",\"-c\",{JsonSerializer.Serialize(script)}]{more}}}}}");
        Assert.Equal(202, status);
        return answer.GetProperty("jobs")[0].GetString()!;
    }

    internal async Task<string> Log(string id, string query = "follow=true") => await Http.GetStringAsync($"jobs/{id}/logs?{query}");
}
