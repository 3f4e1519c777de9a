namespace Vivarium.Emulator.Kernel.Files;

/// <summary>How mounts below a mount spread to its copies (mount_namespaces(7), "Shared subtrees").</summary>
public enum Propagation : byte
{
    Private,
    Shared,
    Slave,
    Unbindable,
}

/// <summary>Mounts that are told of each other's mounts, and those that are only told.</summary>
public sealed class PeerGroup(int id)
{
    public int Id { get; } = id;

    /// <summary>In a ring: a copy stands behind its original.</summary>
    internal List<Mount> Members { get; } = [];

    public IReadOnlyList<Mount> Mounts => Members;

    internal List<Mount> Slaves { get; } = [];

    /// <summary>The other members, round the ring from one.</summary>
    internal Mount[] After(Mount member)
    {
        int place = Members.IndexOf(member);
        return [.. Members.Skip(place + 1), .. Members.Take(place)];
    }
}

public sealed partial class Mount
{
    /// <summary>The peers it shares with; null when it is not shared.</summary>
    public PeerGroup? Peers { get; private set; }

    /// <summary>Where its mounts come from, one way; null when it is no slave.</summary>
    public PeerGroup? Master { get; private set; }

    /// <summary>It cannot be copied to another place.</summary>
    public bool IsUnbindable { get; private set; }

    internal void Share(PeerGroup peers, Mount? original = null)
    {
        if (Peers is not null)
            return;
        Peers = peers;
        peers.Members.Insert(original is null ? peers.Members.Count : peers.Members.IndexOf(original) + 1, this);
        IsUnbindable = false;
    }

    internal void Obey(PeerGroup? master)
    {
        Master?.Slaves.Remove(this);
        Master = master;
        master?.Slaves.Add(this);
    }

    /// <summary>Changes how it spreads. Who leaves its peers as a slave follows them, or if there are none, their master.</summary>
    internal void SetPropagation(Propagation wanted)
    {
        if (wanted == Propagation.Shared)
        {
            Share(new PeerGroup(Vfs.NewGroupId()));
            return;
        }
        if (wanted == Propagation.Slave && Peers is null)
            return;
        PeerGroup? left = LeavePeers();
        if (wanted == Propagation.Slave)
        {
            if (left is { Members.Count: > 0 })
                Obey(left);
            return;
        }
        Obey(null);
        IsUnbindable = wanted == Propagation.Unbindable;
    }

    /// <summary>It is gone: nothing spreads to it any more.</summary>
    internal void LeavePropagation()
    {
        LeavePeers();
        Obey(null);
    }

    /// <summary>The last of its peers hands their slaves to the master above.</summary>
    private PeerGroup? LeavePeers()
    {
        PeerGroup? left = Peers;
        if (left is null)
            return null;
        left.Members.Remove(this);
        Peers = null;
        if (left.Members.Count > 0)
            return left;
        foreach (Mount slave in left.Slaves.ToArray())
            slave.Obey(Master);
        Vfs.ReleaseGroupId(left.Id);
        return left;
    }

    /// <summary>The mounts that are told of what happens below this one.</summary>
    internal List<Mount> Receivers()
    {
        List<Mount> found = [];
        Collect(Peers, found);
        return found;
    }

    private void Collect(PeerGroup? peers, List<Mount> found)
    {
        foreach (Mount mount in peers is null ? [] : peers.Members.Concat(peers.Slaves))
        {
            if (mount == this || found.Contains(mount))
                continue;
            found.Add(mount);
            if (mount.Peers != peers)
                Collect(mount.Peers, found);
        }
    }
}
