using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Where memory is taken from (numa(7)): a world has one node, 0, so policies are kept and told, and all of them are obeyed.</summary>
public static class MemoryPolicyCalls
{
    private const int StaticNodes = 1 << 15, RelativeNodes = 1 << 14, Balancing = 1 << 13, ModeFlags = StaticNodes | RelativeNodes | Balancing;
    private const uint Strict = 1, Move = 2, MoveAll = 4;

    /// <summary>Nodes that a mask can name (MAX_NUMNODES of a common configuration).</summary>
    private const ulong MostNodes = 64;

    private enum Mode
    {
        Default,
        Preferred,
        Bind,
        Interleave,
        Local,
        PreferredMany,
        WeightedInterleave,
        End,
    }

    /// <summary>A policy that is not the default; <paramref name="Asked"/> are the nodes as they were given.</summary>
    private sealed record Policy(Mode Mode, int Flags, ulong Asked);

    public static CallResult SetMempolicy(CallContext call, int mode, GuestAddress mask, ulong count)
    {
        Errno error = ReadPolicy(call, mode, mask, count, out Policy? policy);
        if (error == Errno.None)
            call.Thread.MemoryPolicy = policy;
        return error;
    }

    public static CallResult Mbind(CallContext call, GuestAddress start, ulong length, ulong mode, GuestAddress mask, ulong count, uint flags)
    {
        Errno error = ReadPolicy(call, (int)mode, mask, count, out Policy? policy, out Errno wrongPolicy);
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
        return MemoryCalls.ToErrno(call.Memory.Mark(start, length, policy));
    }

    public static CallResult GetMempolicy(CallContext call, GuestAddress mode, GuestAddress mask, ulong count, GuestAddress address, ulong flags)
    {
        const ulong node = 1, ofAddress = 2, allowed = 4, allNodes = 1;
        const int nodes = 1;
        if (!mask.IsNull && count < nodes)
            return Errno.EINVAL;
        if ((flags & ~(node | ofAddress | allowed)) != 0 || ((flags & allowed) != 0 && (flags & (node | ofAddress)) != 0))
            return Errno.EINVAL;
        if ((flags & allowed) != 0)
            return Tell(call, mode, 0, mask, count, allNodes);
        object? found = call.Thread.MemoryPolicy;
        if ((flags & ofAddress) != 0 && !call.Memory.TryFindMark(address, out found, out _))
            return Errno.EFAULT;
        if ((flags & ofAddress) == 0 && !address.IsNull)
            return Errno.EINVAL;
        var policy = found as Policy;
        int value = policy is null ? 0 : (int)policy.Mode | policy.Flags;
        if ((flags & node) != 0)
        {
            // The node of the page, which is brought in for that; or the one that interleaving takes next.
            if ((flags & ofAddress) != 0 && !call.Memory.TryRead(address, out byte _))
                return Errno.EFAULT;
            if ((flags & ofAddress) == 0 && policy?.Mode is not (Mode.Interleave or Mode.WeightedInterleave))
                return Errno.EINVAL;
            value = 0;
        }
        ulong told = policy is null or { Mode: Mode.Local } ? 0 : policy.Flags != 0 ? policy.Asked : allNodes;
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

    /// <summary>Moves a process's pages between nodes: with one node they are where they belong.</summary>
    public static CallResult MigratePages(CallContext call, int pid, ulong count, GuestAddress from, GuestAddress to)
    {
        Errno error = ReadNodes(call, from, count, out _);
        ulong target = 0;
        if (error == Errno.None)
            error = ReadNodes(call, to, count, out target);
        if (error != Errno.None)
            return error;
        error = FindTarget(call, pid, out _);
        if (error != Errno.None)
            return error;
        if ((target & ~1ul) != 0 && !call.Thread.Credentials.Has(Capability.Nice))
            return Errno.EPERM;
        return (target & 1) == 0 ? Errno.EINVAL : 0;
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
            if (!nodes.IsNull)
            {
                if (!call.Memory.TryRead(nodes + (i * 4), out int node))
                    return Errno.EFAULT;
                if (node != 0)
                    return Errno.ENODEV;
            }
            if (!call.Memory.TryWrite(status + (i * 4), NodeOf(target!.Memory, page)))
                return Errno.EFAULT;
        }
        return 0;
    }

    /// <summary>0, or a negative errno for a page that is not there.</summary>
    private static int NodeOf(AddressSpace memory, ulong page)
    {
        Span<byte> resident = stackalloc byte[1];
        if (!memory.TryTellResident(new GuestAddress(page).PageDown, resident))
            return -(int)Errno.EFAULT;
        return (resident[0] & 1) != 0 ? 0 : -(int)Errno.ENOENT;
    }

    /// <summary>Says from which node a range with a policy of several prefers its memory.</summary>
    public static CallResult SetMempolicyHomeNode(CallContext call, GuestAddress start, ulong length, ulong home, ulong flags)
    {
        if (!start.IsPageAligned || flags != 0 || home != 0 || !TryRound(start, ref length))
            return Errno.EINVAL;
        CallResult result = length == 0 ? 0 : Errno.ENOENT;
        for (GuestAddress at = start; at < start + length;)
        {
            call.Memory.TryFindMark(at, out object? mark, out at);
            if (mark is not Policy policy)
                continue;
            if (policy.Mode is not (Mode.Bind or Mode.PreferredMany))
                return Errno.EOPNOTSUPP;
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

    private static Errno ReadPolicy(CallContext call, int mode, GuestAddress mask, ulong count, out Policy? policy)
    {
        Errno error = ReadPolicy(call, mode, mask, count, out policy, out Errno wrong);
        return error != Errno.None ? error : wrong;
    }

    /// <summary>Reads mode and nodes; what is wrong with the policy that they make is told apart, as mbind(2) looks at it later.</summary>
    private static Errno ReadPolicy(CallContext call, int mode, GuestAddress mask, ulong count, out Policy? policy, out Errno checkOnly)
    {
        policy = null;
        checkOnly = Errno.None;
        int flags = mode & ModeFlags;
        var kind = (Mode)(mode & ~ModeFlags);
        if ((uint)kind >= (uint)Mode.End || (flags & (StaticNodes | RelativeNodes)) == (StaticNodes | RelativeNodes))
            return Errno.EINVAL;
        if ((flags & Balancing) != 0 && kind is not (Mode.Bind or Mode.PreferredMany))
            return Errno.EINVAL;
        Errno error = ReadNodes(call, mask, count, out ulong nodes);
        if (error != Errno.None)
            return error;
        bool hasNodeFlags = (flags & (StaticNodes | RelativeNodes)) != 0;
        bool isFit = kind switch
        {
            Mode.Default => nodes == 0,
            Mode.Preferred => nodes != 0 || !hasNodeFlags,
            Mode.Local => nodes == 0 && !hasNodeFlags,
            _ => nodes != 0,
        };
        if (kind == Mode.Preferred && nodes == 0)
            kind = Mode.Local;
        // Relative nodes fold onto those there are; others must name one of them.
        bool hasNode = kind is Mode.Default or Mode.Local || (nodes & 1) != 0 || (flags & RelativeNodes) != 0;
        checkOnly = isFit && hasNode ? Errno.None : Errno.EINVAL;
        policy = kind == Mode.Default ? null : new Policy(kind, flags, nodes);
        return Errno.None;
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
