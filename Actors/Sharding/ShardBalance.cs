using Vivarium.Actors.Storage;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// How many shards each node should own: in proportion to its capacity, decided by every node alone and alike from the same view.
/// Pure.
/// </summary>
internal static class ShardBalance
{
    /// <summary>A node's share of the shards, among the nodes that may own any (largest remainder, ties by name).</summary>
    /// <param name="nodes">Names and weights, weights above zero.</param>
    public static int Share(string node, IReadOnlyList<(string Name, int Weight)> nodes, int shards)
    {
        long total = nodes.Sum(static other => (long)other.Weight);
        if (total == 0 || nodes.All(other => other.Name != node))
            return 0;
        int left = shards - nodes.Sum(other => Floor(other.Weight, total, shards));
        int rank = 0;
        foreach ((string name, int weight) in nodes
            .OrderByDescending(other => ((long)other.Weight * shards) % total)
            .ThenBy(static other => other.Name, StringComparer.Ordinal))
        {
            if (name == node)
                return Floor(weight, total, shards) + (rank < left ? 1 : 0);
            rank++;
        }
        return 0;
    }

    private static int Floor(int weight, long total, int shards) => (int)(weight * (long)shards / total);
}
