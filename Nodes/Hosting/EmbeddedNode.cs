using System.Security.Cryptography;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http;

namespace Vivarium.Nodes.Hosting;

/// <summary>A node with all it serves inside this process, for a command that was given none: gone with it, and nobody else's.</summary>
internal sealed class EmbeddedNode : IAsyncDisposable
{
    private readonly string _folder;
    private readonly NodeHost _host;
    private readonly JobChanges _changes;
    private readonly ApiServer _server;

    private EmbeddedNode(string folder, NodeHost host, JobChanges changes, ApiServer server, string token)
    {
        (_folder, _host, _changes, _server) = (folder, host, changes, server);
        Client = new ApiClient(new Uri(server.Address), token);
    }

    public ApiClient Client { get; }

    /// <param name="allowsNative">Programs may also run on this machine itself: who started this may run them anyway.</param>
    /// <param name="store">As cluster.store; "sqlite" is in the node's own folder.</param>
    /// <param name="parent">Where that folder is; null = where temporary files are.</param>
    /// <exception cref="ClientException">It cannot be started.</exception>
    public static async Task<EmbeddedNode> Start(bool allowsNative = false, string store = "memory", string? parent = null)
    {
        if (NodeSettings.Load(AppContext.BaseDirectory, out string? error) is not { } settings)
            throw new ClientException(error!);
        string folder = parent is null ? Directory.CreateTempSubdirectory("viv-node-").FullName : Path.Combine(parent, $"viv-node-{Environment.ProcessId}");
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // Others on this machine must not use it: who started it may do more than they.
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)), tokens = Path.Combine(folder, "tokens");
        await File.WriteAllTextAsync(tokens, $"admin {token}\n").ConfigureAwait(false);
        File.SetUnixFileMode(tokens, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        foreach ((string name, string value) in ((string, string)[])
            [("node.data", folder), ("cluster.store", store), ("api.listen", "127.0.0.1:0"), ("api.token-file", tokens), ("api.rate", "1000000"),
             ("api.certificate", ""), ("api.key", ""), ("peer.listen", ""), ("jobs.host-files", "write"), ("jobs.network", "host"), ("node.native", allowsNative ? "true" : "false")])
        {
            settings.Set(name, value);
        }
        NodeHost host = await NodeHost.Start(settings, null).ConfigureAwait(false);
        var changes = new JobChanges(host.Store);
        (ApiServer? server, error) = await ApiServer.Start(NodeCommand.Services(host, changes, static () => { })).ConfigureAwait(false);
        return server is not null ? new EmbeddedNode(folder, host, changes, server, token) : throw new ClientException(error!);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.DisposeAsync().ConfigureAwait(false);
        _changes.Dispose();
        await _host.DisposeAsync().ConfigureAwait(false);
        Directory.Delete(_folder, recursive: true);
    }
}
