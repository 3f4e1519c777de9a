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
        long total = 0;
        int own = -1;
        for (int i = 0; i < nodes.Count; i++)
        {
            total += nodes[i].Weight;
            if (nodes[i].Name == node)
                own = nodes[i].Weight;
        }
        if (total == 0 || own < 0)
            return 0;
        // Those before this node take what is left before it does.
        int left = shards, rank = 0;
        for (int i = 0; i < nodes.Count; i++)
        {
            (string name, int weight) = nodes[i];
            left -= Floor(weight, total, shards);
            long more = Remainder(weight, total, shards) - Remainder(own, total, shards);
            if (more > 0 || (more == 0 && string.CompareOrdinal(name, node) < 0))
                rank++;
        }
        return Floor(own, total, shards) + (rank < left ? 1 : 0);
    }

    private static long Remainder(int weight, long total, int shards) => (long)weight * shards % total;

    private static int Floor(int weight, long total, int shards) => (int)(weight * (long)shards / total);
}
