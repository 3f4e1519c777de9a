
namespace Vivarium.Actors.Tests.Cluster;

/// <summary>Where a node's process runs: by which command it is started, what its environment adds, and where it listens.</summary>
internal sealed record NodePlace
{
    /// <summary>This machine's loopback address.</summary>
    public static NodePlace Here => new();

    /// <summary>The command that starts it there, and becomes it, so that its process is the node's.</summary>
    public IReadOnlyList<string> Prefix { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The address of its API; another than the loopback one needs tokens.</summary>
    public string Api { get; init; } = "127.0.0.1:0";

    public string Peers { get; init; } = $"127.0.0.1:{Ports.Next()}";
}
