namespace Vivarium.Nodes.Hosting;

/// <summary>A node's settings; <c>cluster.hocon</c> explains each.</summary>
internal sealed record NodeSettings
{
    public string Name { get; init; } = "local";

    /// <summary>Host threads that run worlds.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Guest instructions a world runs before the next one's turn.</summary>
    public long Quantum { get; init; } = 1_000_000;

    /// <summary>Shards of the cluster.</summary>
    public int Shards { get; init; } = 64;

    /// <summary>For one job: one worker is all it can use.</summary>
    public static NodeSettings SingleJob { get; } = new() { Workers = 1, Shards = 1 };
}
