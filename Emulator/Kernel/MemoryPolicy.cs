using System.Globalization;
using System.Numerics;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>How the node of a new page is chosen (set_mempolicy(2)), in Linux's values.</summary>
public enum NodeMode : byte
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

/// <summary>How a policy's nodes are meant, in Linux's values.</summary>
[Flags]
public enum NodeFlags
{
    None = 0,
    Balancing = 1 << 13,
    Relative = 1 << 14,
    Static = 1 << 15,
}

/// <summary>A policy that is not the default.</summary>
/// <param name="Asked">The nodes as they were given.</param>
/// <param name="Nodes">Those of them that there are.</param>
/// <param name="Home">The node that is tried first; null = the processor's.</param>
public sealed record MemoryPolicy(NodeMode Mode, NodeFlags Flags, ulong Asked, ulong Nodes, int? Home = null)
{
    /// <summary>The processors' node.</summary>
    public const int LocalNode = 0;

    public bool Interleaves => Mode is NodeMode.Interleave or NodeMode.WeightedInterleave;

    /// <summary>The node of a page; <paramref name="index"/> tells it from others where they are spread.</summary>
    public int Choose(ulong index) => Mode switch
    {
        NodeMode.Preferred => BitOperations.TrailingZeroCount(Nodes),
        NodeMode.Interleave or NodeMode.WeightedInterleave => Nth((int)(index % (ulong)BitOperations.PopCount(Nodes))),
        NodeMode.Bind or NodeMode.PreferredMany when Home is { } home && (Nodes >> home & 1) != 0 => home,
        NodeMode.Bind or NodeMode.PreferredMany => (Nodes >> LocalNode & 1) != 0 ? LocalNode : BitOperations.TrailingZeroCount(Nodes),
        _ => LocalNode,
    };

    private int Nth(int index)
    {
        ulong rest = Nodes;
        for (; index > 0; index--)
            rest &= rest - 1;
        return BitOperations.TrailingZeroCount(rest);
    }

    /// <summary>As numa_maps has it, as in "bind:0-1".</summary>
    public static string Describe(MemoryPolicy? policy)
    {
        if (policy is null)
            return "default";
        string name = policy.Mode switch
        {
            NodeMode.Preferred => "prefer",
            NodeMode.Bind => "bind",
            NodeMode.Interleave => "interleave",
            NodeMode.Local => "local",
            NodeMode.PreferredMany => "prefer (many)",
            _ => "weighted interleave",
        };
        string flags = (policy.Flags & NodeFlags.Static) != 0 ? "=static" : (policy.Flags & NodeFlags.Relative) != 0 ? "=relative" : "";
        return policy.Mode == NodeMode.Local ? name : $"{name}{flags}:{ListOf(policy.Nodes)}";
    }

    /// <summary>The members of a mask, as in "0-2,5".</summary>
    public static string ListOf(ulong mask)
    {
        List<string> parts = [];
        for (int at = 0; at < 64; at++)
        {
            if ((mask >> at & 1) == 0)
                continue;
            int last = at;
            while (last < 63 && (mask >> (last + 1) & 1) != 0)
                last++;
            parts.Add(last == at ? at.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{at}-{last}"));
            at = last;
        }
        return string.Join(',', parts);
    }
}

/// <summary>Policies of threads.</summary>
public sealed partial class GuestThread
{
    /// <summary>Pages that it spread over nodes.</summary>
    public ulong SpreadPages { get; set; }

    /// <summary>Has the pages that are there placed by the policies that hold now: before one changes, or somebody asks.</summary>
    public void PlacePages()
    {
        if (Process.World.Accountant.Nodes == 1)
            return;
        Process.Memory.PlacePages(default, ulong.MaxValue, ChooseNode);
    }

    /// <summary>The same for one page, of which somebody asks.</summary>
    public void PlacePage(GuestAddress address)
    {
        if (Process.World.Accountant.Nodes > 1)
            Process.Memory.PlacePages(address.PageDown, GuestAddress.PageSize, ChooseNode);
    }

    /// <summary>Ranges have policies of their own; the rest is the thread's.</summary>
    private int ChooseNode(object? mark, ulong index)
    {
        if (mark is MemoryPolicy ofRange)
            return ofRange.Choose(index);
        if (MemoryPolicy is not { } own)
            return Kernel.MemoryPolicy.LocalNode;
        return own.Interleaves ? own.Choose(SpreadPages++) : own.Choose(index);
    }
}
