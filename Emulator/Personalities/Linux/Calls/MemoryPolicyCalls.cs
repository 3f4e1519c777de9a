using System.Numerics;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Where memory is taken from, and where it is (numa(7)).</summary>
public static class MemoryPolicyCalls
{
    private const int ModeFlags = (int)(NodeFlags.Static | NodeFlags.Relative | NodeFlags.Balancing);
    private const uint Strict = 1, Move = 2, MoveAll = 4;

    /// <summary>Nodes that a mask can name (MAX_NUMNODES of a common configuration).</summary>
    private const ulong MostNodes = 64;

    private static int NodeCount(CallContext call) => call.World.Accountant.Nodes;

    private static ulong AllNodes(CallContext call) => ulong.MaxValue >> (64 - NodeCount(call));

    public static CallResult SetMempolicy(CallContext call, int mode, GuestAddress mask, ulong count)
    {
        Errno error = ReadPolicy(call, mode, mask, count, out MemoryPolicy? policy);
        if (error != Errno.None)
            return error;
        call.Thread.PlacePages();
        call.Thread.MemoryPolicy = policy;
        call.Thread.SpreadPages = 0;
        return 0;
    }

    public static CallResult Mbind(CallContext call, GuestAddress start, ulong length, ulong mode, GuestAddress mask, ulong count, uint flags)
    {
        Errno error = ReadPolicy(call, (int)mode, mask, count, out MemoryPolicy? policy, out Errno wrongPolicy);
        if (error != Errno.None)
            return error;
        if ((flags & ~(Strict | Move | MoveAll)) != 0)
            return Errno.EINVAL;
        if ((flags & MoveAll) != 0 && !call.Thread.Credentials.Has(Capability.Nice))
            return Errno.EPERM;
        if (!TryRound(start, ref length))
            return Errno.EINVAL;
        if (length == 0)
            return 0;
        if (wrongPolicy != Errno.None)
            return wrongPolicy;
        // Nothing strays from the default.
        if (policy is null)
            flags &= ~Strict;
        call.Thread.PlacePages();
        List<GuestAddress> movable = [];
        bool strays = flags != 0 && FindStrays(call, start, length, policy?.Nodes ?? 0, flags, movable);
        if (strays && (flags & Strict) != 0 && (flags & (Move | MoveAll)) == 0)
            return Errno.EIO;
        MapStatus status = call.Memory.Mark(start, length, policy);
        if (status != MapStatus.Ok)
            return MemoryCalls.ToErrno(status);
        foreach (GuestAddress page in movable)
            call.Memory.MoveToNode(page, (policy ?? call.Thread.MemoryPolicy)?.Choose((page - start) / GuestAddress.PageSize) ?? MemoryPolicy.LocalNode);
        return strays && (flags & Strict) != 0 ? Errno.EIO : 0;
    }

    /// <summary>True when pages of a range are on other nodes than these and are not among those that may be moved.</summary>
    private static bool FindStrays(CallContext call, GuestAddress start, ulong length, ulong nodes, uint flags, List<GuestAddress> movable)
    {
        bool strays = false;
        call.Memory.ForEachPage(start, length, (page, place) =>
        {
            if ((nodes >> place.Node & 1) != 0)
                return;
            if ((flags & MoveAll) != 0 || ((flags & Move) != 0 && !place.IsShared))
                movable.Add(page);
            else
                strays = true;
        });
        return strays;
    }

    public static CallResult GetMempolicy(CallContext call, GuestAddress mode, GuestAddress mask, ulong count, GuestAddress address, ulong flags)
    {
        const ulong node = 1, ofAddress = 2, allowed = 4;
        if (!mask.IsNull && count < (ulong)NodeCount(call))
            return Errno.EINVAL;
        if ((flags & ~(node | ofAddress | allowed)) != 0 || ((flags & allowed) != 0 && (flags & (node | ofAddress)) != 0))
            return Errno.EINVAL;
        if ((flags & allowed) != 0)
            return Tell(call, mode, 0, mask, count, AllNodes(call));
        object? found = call.Thread.MemoryPolicy;
        if ((flags & ofAddress) != 0 && !call.Memory.TryFindMark(address, out found, out _))
            return Errno.EFAULT;
        if ((flags & ofAddress) == 0 && !address.IsNull)
            return Errno.EINVAL;
        var policy = found as MemoryPolicy;
        int value = policy is null ? 0 : (int)policy.Mode | (int)policy.Flags;
        if ((flags & node) != 0)
        {
            // The node of the page, which is brought in for that; or the one that interleaving takes next.
            if ((flags & ofAddress) != 0 && !call.Memory.TryRead(address, out byte _))
                return Errno.EFAULT;
            if ((flags & ofAddress) == 0 && policy is not { Interleaves: true })
                return Errno.EINVAL;
            if ((flags & ofAddress) != 0)
                call.Thread.PlacePage(address);
            else
                call.Thread.PlacePages();
            value = (flags & ofAddress) != 0 ? call.Memory.PlaceOf(address).Node : policy!.Choose(call.Thread.SpreadPages);
        }
        bool tellsAsked = policy is not null && (policy.Flags & (NodeFlags.Static | NodeFlags.Relative)) != 0;
        ulong told = policy is null or { Mode: NodeMode.Local } ? 0 : tellsAsked ? policy.Asked : policy.Nodes;
        return Tell(call, mode, value, mask, count, told);
    }

    private static CallResult Tell(CallContext call, GuestAddress mode, int value, GuestAddress mask, ulong count, ulong nodes)
    {
        const ulong known = sizeof(ulong);
        if (!mode.IsNull && !call.Memory.TryWrite(mode, value))
            return Errno.EFAULT;
        if (mask.IsNull)
            return 0;
        ulong bytes = (count - 1 + 63) / 64 * sizeof(ulong);
        if (bytes > GuestAddress.PageSize)
            return Errno.EINVAL;
        for (ulong at = known; at < bytes; at += sizeof(ulong))
        {
            if (!call.Memory.TryWrite(mask + at, 0ul))
                return Errno.EFAULT;
        }
        return bytes == 0 || call.Memory.TryWrite(mask, nodes) ? 0 : Errno.EFAULT;
    }

    /// <summary>Moves a process's pages from some nodes to others, each node's to the one at the same place of the second set.</summary>
    public static CallResult MigratePages(CallContext call, int pid, ulong count, GuestAddress from, GuestAddress to)
    {
        Errno error = ReadNodes(call, from, count, out ulong sources);
        ulong targets = 0;
        if (error == Errno.None)
            error = ReadNodes(call, to, count, out targets);
        if (error != Errno.None)
            return error;
        error = FindTarget(call, pid, out Process? process);
        if (error != Errno.None)
            return error;
        bool mayAll = call.Thread.Credentials.Has(Capability.Nice);
        if ((targets & ~AllNodes(call)) != 0 && !mayAll)
            return Errno.EPERM;
        targets &= AllNodes(call);
        if (targets == 0)
            return Errno.EINVAL;
        process!.MainThread.PlacePages();
        List<(GuestAddress Page, int Node)> moves = [];
        process.Memory.ForEachPage(default, ulong.MaxValue, (page, place) =>
        {
            if ((sources >> place.Node & 1) != 0 && (mayAll || !place.IsShared))
                moves.Add((page, Counterpart(place.Node, sources, targets)));
        });
        foreach ((GuestAddress page, int node) in moves)
            process.Memory.MoveToNode(page, node);
        return 0;
    }

    /// <summary>Where pages of a node go (do_migrate_pages and node_remap of the kernel): not away from a node that is in both sets, when those differ in size.</summary>
    private static int Counterpart(int node, ulong sources, ulong targets)
    {
        if (BitOperations.PopCount(sources) != BitOperations.PopCount(targets) && (targets >> node & 1) != 0)
            return node;
        int place = BitOperations.PopCount(sources & ((1ul << node) - 1)) % BitOperations.PopCount(targets);
        for (; place > 0; place--)
            targets &= targets - 1;
        return BitOperations.TrailingZeroCount(targets);
    }

    /// <summary>Tells the node of each page, or moves it there.</summary>
    public static CallResult MovePages(CallContext call, int pid, ulong count, GuestAddress pages, GuestAddress nodes, GuestAddress status, uint flags)
    {
        if ((flags & ~(Move | MoveAll)) != 0)
            return Errno.EINVAL;
        if ((flags & MoveAll) != 0 && !call.Thread.Credentials.Has(Capability.Nice))
            return Errno.EPERM;
        Errno error = FindTarget(call, pid, out Process? target);
        if (error != Errno.None)
            return error;
        for (ulong i = 0; i < count; i++)
        {
            if (!call.Memory.TryRead(pages + (i * 8), out ulong page))
                return Errno.EFAULT;
            int? wanted = null;
            if (!nodes.IsNull)
            {
                if (!call.Memory.TryRead(nodes + (i * 4), out int node))
                    return Errno.EFAULT;
                if ((uint)node >= (uint)NodeCount(call))
                    return Errno.ENODEV;
                wanted = node;
            }
            target!.MainThread.PlacePage(new GuestAddress(page));
            if (!call.Memory.TryWrite(status + (i * 4), MovePage(target.Memory, new GuestAddress(page), wanted, (flags & MoveAll) != 0)))
                return Errno.EFAULT;
        }
        return 0;
    }

    /// <summary>The page's node, or a negative errno where it is not there or not to be moved.</summary>
    private static int MovePage(AddressSpace memory, GuestAddress page, int? wanted, bool movesShared)
    {
        PagePlace place = memory.PlaceOf(page);
        switch (place.Kind)
        {
            case PageKind.NotMapped or PageKind.Zero:
                return -(int)Errno.EFAULT;
            case PageKind.Absent:
                return -(int)Errno.ENOENT;
            case PageKind.Present when wanted is not { } node || node == place.Node:
                return place.Node;
            case PageKind.Present when place.IsShared && !movesShared:
                return -(int)Errno.EACCES;
            default:
                memory.MoveToNode(page, wanted!.Value);
                return wanted.Value;
        }
    }

    /// <summary>Says from which node a range with a policy of several prefers its memory.</summary>
    public static CallResult SetMempolicyHomeNode(CallContext call, GuestAddress start, ulong length, ulong home, ulong flags)
    {
        if (!start.IsPageAligned || flags != 0 || home >= (ulong)NodeCount(call) || !TryRound(start, ref length))
            return Errno.EINVAL;
        CallResult result = length == 0 ? 0 : Errno.ENOENT;
        call.Thread.PlacePages();
        for (GuestAddress at = start; at < start + length;)
        {
            GuestAddress from = at;
            call.Memory.TryFindMark(at, out object? mark, out at);
            if (mark is not MemoryPolicy policy)
                continue;
            if (policy.Mode is not (NodeMode.Bind or NodeMode.PreferredMany))
                return Errno.EOPNOTSUPP;
            GuestAddress end = at < start + length ? at : start + length;
            call.Memory.Mark(from, end - from, policy with { Home = (int)home });
            result = 0;
        }
        return result;
    }

    private static Errno FindTarget(CallContext call, int pid, out Process? target)
    {
        target = pid == 0 ? call.Process : call.Pids.FindThread(pid)?.Process ?? call.Pids.FindProcess(pid);
        if (target is null)
            return Errno.ESRCH;
        if (!target.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        return target.IsZombie ? Errno.EINVAL : Errno.None;
    }

    private static bool TryRound(GuestAddress start, ref ulong length)
    {
        ulong rounded = (length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        bool isSane = start.IsPageAligned && start.Value + rounded >= start.Value;
        length = rounded;
        return isSane;
    }

    private static Errno ReadPolicy(CallContext call, int mode, GuestAddress mask, ulong count, out MemoryPolicy? policy)
    {
        Errno error = ReadPolicy(call, mode, mask, count, out policy, out Errno wrong);
        return error != Errno.None ? error : wrong;
    }

    /// <summary>Reads mode and nodes; what is wrong with the policy that they make is told apart, as mbind(2) looks at it later.</summary>
    private static Errno ReadPolicy(CallContext call, int mode, GuestAddress mask, ulong count, out MemoryPolicy? policy, out Errno checkOnly)
    {
        policy = null;
        checkOnly = Errno.None;
        var flags = (NodeFlags)(mode & ModeFlags);
        var kind = (NodeMode)(mode & ~ModeFlags);
        if ((uint)(mode & ~ModeFlags) >= (uint)NodeMode.End || (flags & (NodeFlags.Static | NodeFlags.Relative)) == (NodeFlags.Static | NodeFlags.Relative))
            return Errno.EINVAL;
        if ((flags & NodeFlags.Balancing) != 0 && kind is not (NodeMode.Bind or NodeMode.PreferredMany))
            return Errno.EINVAL;
        Errno error = ReadNodes(call, mask, count, out ulong nodes);
        if (error != Errno.None)
            return error;
        bool hasNodeFlags = (flags & (NodeFlags.Static | NodeFlags.Relative)) != 0;
        bool isFit = kind switch
        {
            NodeMode.Default => nodes == 0,
            NodeMode.Preferred => nodes != 0 || !hasNodeFlags,
            NodeMode.Local => nodes == 0 && !hasNodeFlags,
            _ => nodes != 0,
        };
        if (kind == NodeMode.Preferred && nodes == 0)
            kind = NodeMode.Local;
        ulong there = (flags & NodeFlags.Relative) != 0 ? Fold(nodes, NodeCount(call)) : nodes & AllNodes(call);
        bool hasNode = kind is NodeMode.Default or NodeMode.Local || there != 0;
        checkOnly = isFit && hasNode ? Errno.None : Errno.EINVAL;
        policy = kind == NodeMode.Default ? null : new MemoryPolicy(kind, flags, nodes, there);
        return Errno.None;
    }

    /// <summary>Relative nodes fold onto those there are.</summary>
    private static ulong Fold(ulong nodes, int count)
    {
        ulong folded = 0;
        for (int node = 0; node < (int)MostNodes; node++)
            folded |= (nodes >> node & 1) << (node % count);
        return folded;
    }

    /// <summary>Reads a mask of one bit less than <paramref name="count"/> says, as the kernel always did (get_nodes in mm/mempolicy.c).</summary>
    private static Errno ReadNodes(CallContext call, GuestAddress mask, ulong count, out ulong nodes)
    {
        nodes = 0;
        count--;
        if (count == 0 || mask.IsNull)
            return Errno.None;
        if (count > GuestAddress.PageSize * 8)
            return Errno.EINVAL;
        for (ulong at = (count - 1) / 64 * 64; ; at -= 64)
        {
            if (!call.Memory.TryRead(mask + (at / 8), out ulong word))
                return Errno.EFAULT;
            ulong bits = Math.Min(64, count - at);
            word &= bits == 64 ? ulong.MaxValue : (1ul << (int)bits) - 1;
            if (at >= MostNodes && word != 0)
                return Errno.EINVAL;
            if (at == 0)
            {
                nodes = word;
                return Errno.None;
            }
        }
    }
}
