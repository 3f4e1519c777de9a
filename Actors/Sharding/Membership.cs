using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Sharding;

/// <summary>How long leases last, nanoseconds; the same on every node.</summary>
public sealed record LeaseSettings(long Duration)
{
    public static LeaseSettings Default { get; } = new(5_000_000_000);

    /// <summary>For a node that has its store to itself: there is nobody to lose a lease to.</summary>
    public static LeaseSettings Unlimited { get; } = new(long.MaxValue / 2);

    /// <summary>Between renewals.</summary>
    public long Renewal => Duration / 5;

    /// <summary>Between looks at the others.</summary>
    public long Observation => Duration / 20;

    /// <summary>
    /// After this long without a renewal a node ends its worlds. The rest is for them to end in, and for clocks that do not run
    /// equally fast.
    /// </summary>
    public long Patience => Duration / 5 * 4;
}

/// <summary>
/// Who of the others is alive, as this node sees it: by its own monotonic clock since it first saw a node's latest beat. So nothing
/// depends on two clocks agreeing, nor on one not being set.
/// </summary>
internal sealed class Membership(string self, LeaseSettings lease, IClock clock)
{
    private readonly Dictionary<string, (long Incarnation, long Beat, long Since)> _seen = [];

    public ClusterView View { get; private set; } = new([], []);

    /// <summary>Takes a new view in.</summary>
    public void See(ClusterView view)
    {
        View = view;
        foreach (NodeRecord node in view.Nodes)
        {
            string name = node.Description.Name;
            if (!_seen.TryGetValue(name, out var before) || before.Incarnation != node.Incarnation || before.Beat != node.Beat)
                _seen[name] = (node.Incarnation, node.Beat, clock.Monotonic);
        }
    }

    /// <summary>True for this node, and for others whose lease cannot have ended.</summary>
    public bool IsAlive(NodeRecord node) =>
        node.Description.Name == self
        || (!node.HasLeft && clock.Monotonic - _seen[node.Description.Name].Since <= lease.Duration);

    public List<NodeRecord> Alive
    {
        get
        {
            var alive = new List<NodeRecord>(View.Nodes.Count);
            foreach (NodeRecord node in View.Nodes)
            {
                if (IsAlive(node))
                    alive.Add(node);
            }
            return alive;
        }
    }

    /// <summary>True when nobody who is alive owns the shard.</summary>
    public bool IsFree(ShardLease shard)
    {
        if (shard.Owner.Length == 0)
            return true;
        foreach (NodeRecord node in View.Nodes)
        {
            if (node.Description.Name == shard.Owner && IsAlive(node))
                return false;
        }
        return true;
    }
}
