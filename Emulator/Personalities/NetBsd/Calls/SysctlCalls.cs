using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Routing;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>sysctl(3): the system's facts by number, and what names the numbers have.</summary>
public static class SysctlCalls
{
    private const int LongestName = 12;
    private const int Kern = 1, Net = 4, Hw = 6;

    /// <summary>PF_ROUTE.</summary>
    private const int RouteFamily = 34;

    /// <summary>Numbers from here on are given out at boot (CREATE_BASE).</summary>
    private const int Dynamic = 1024;

    /// <summary>CTL_QUERY behind the numbers of a node: what is below it.</summary>
    private const int Query = -2;

    private static readonly SysctlTree Tree = new(
    [
        SysctlNode.Text("kern.ostype", [Kern, 1], static _ => "NetBSD"),
        SysctlNode.Text("kern.osrelease", [Kern, 2], static _ => "10.0"),
        SysctlNode.Number("kern.osrevision", [Kern, 3], static _ => NetBsdPersonality.Release),
        SysctlNode.Text("kern.version", [Kern, 4], static _ => "NetBSD 10.0 (Vivarium)\n"),
        SysctlNode.Number("kern.maxproc", [Kern, 6], static _ => 32_768),
        SysctlNode.Number("kern.maxfiles", [Kern, 7], static call => call.Process.Files.Limit),
        SysctlNode.Number("kern.argmax", [Kern, 8], static _ => 256 * 1024),
        SysctlNode.Text("kern.hostname", [Kern, 10], static call => call.Thread.Namespaces.Uts.HostName),
        SysctlNode.Number("kern.ngroups", [Kern, 18], static _ => 16),
        SysctlNode.Number("kern.posix.semmax", [Kern, Dynamic, Dynamic], static _ => SemaphoreCalls.MostNamed),
        SysctlNode.Number("kern.posix.semcnt", [Kern, Dynamic, Dynamic + 1], static call => call.Ipc.KernelSemaphores.NamedCount),
        SysctlNode.Text("hw.machine", [Hw, 1], static call => Own(call).MachineName),
        SysctlNode.Text("hw.model", [Hw, 2], static _ => "Vivarium"),
        SysctlNode.Number("hw.ncpu", [Hw, 3], static call => call.World.System.Processors),
        SysctlNode.Number("hw.byteorder", [Hw, 4], static _ => 1234),
        SysctlNode.Number("hw.pagesize", [Hw, 7], static _ => (int)GuestAddress.PageSize),
        SysctlNode.Text("hw.machine_arch", [Hw, 10], static call => Own(call).MachineArchitecture),
        SysctlNode.Wide("hw.physmem64", [Hw, 13], static call => (long)call.World.System.TotalMemory),
        SysctlNode.Wide("hw.usermem64", [Hw, 14], static call => (long)call.World.System.TotalMemory),
        SysctlNode.Number("hw.ncpuonline", [Hw, 16], static call => call.World.System.Processors),
    ]);

    private static INetBsdArchitecture Own(CallContext call) => (INetBsdArchitecture)BsdPersonality.ArchitectureOf(call);

    public static CallResult Sysctl(CallContext call, GuestAddress name, uint length, GuestAddress old, GuestAddress oldLength, GuestAddress value, ulong valueLength)
    {
        if (length is < 1 or > LongestName)
            return Errno.EINVAL;
        int[] numbers = new int[length];
        if (!call.Memory.TryRead(name, MemoryMarshal.AsBytes(numbers.AsSpan())))
            return Errno.EFAULT;
        // KERN_PROC_ARGS, of a process, KERN_PROC_PATHNAME.
        if (numbers is [Kern, 48, var pid, 5])
        {
            Process? process = pid == -1 ? call.Process : call.FindProcess(pid);
            return process is null ? Errno.ESRCH : process.Executable is { } path ? SysctlTree.Answer(call, [.. path.FullPath(), 0], old, oldLength) : Errno.ENOENT;
        }
        if (numbers is [Net, RouteFamily, 0, .. var rest])
            return value.IsNull ? AnswerRouting(call, rest, old, oldLength) : Errno.EPERM;
        if (numbers[^1] == Query)
            return AnswerQuery(call, numbers[..^1], old, oldLength);
        if (Tree.Find(numbers) is not { } node)
            return SysctlTree.Miss(call, string.Join('.', numbers));
        return value.IsNull ? SysctlTree.Answer(call, node.Value(call), old, oldLength) : Errno.EPERM;
    }

    /// <summary>A family, what is wanted, an argument (sysctl_rtable in sys/net/rtsock_shared.c).</summary>
    private static CallResult AnswerRouting(CallContext call, int[] numbers, GuestAddress old, GuestAddress oldLength)
    {
        // NET_RT_OIFLIST of programs built before 8, NET_RT_IFLIST.
        const int oldDevices = 5, devices = 6;
        if (numbers is not [var family, var wish, var argument])
            return Errno.EINVAL;
        Errno error = Errno.None;
        byte[]? list = wish is oldDevices or devices
            ? InterfaceMessages.List(NetBsdRouting.Instance, NetBsdRouting.Instance.AddressLayouts[wish - oldDevices], call.Thread.Namespaces.Network, family, argument)
            : RoutingFacts.Table(call, NetBsdRouting.Instance, family, wish, argument, out error);
        return error != Errno.None ? error : SysctlTree.Answer(call, list, old, oldLength);
    }

    /// <summary>struct sysctlnode of each node below: flags 4, number 4, name 32; the rest, which tells of values, is left out.</summary>
    private static CallResult AnswerQuery(CallContext call, int[] above, GuestAddress old, GuestAddress oldLength)
    {
        const int size = 96, nameAt = 8, longestName = 31, version = 0x01000000;
        IReadOnlyList<(int Number, string Name)> below = Tree.Below(above);
        if (below.Count == 0)
            return Errno.ENOENT;
        byte[] bytes = new byte[size * below.Count];
        for (int i = 0; i < below.Count; i++)
        {
            Span<byte> node = bytes.AsSpan(i * size, size);
            MemoryMarshal.Write(node, version);
            MemoryMarshal.Write(node[4..], below[i].Number);
            Encoding.ASCII.GetBytes(below[i].Name.AsSpan(0, Math.Min(longestName, below[i].Name.Length)), node[nameAt..]);
        }
        return SysctlTree.Answer(call, bytes, old, oldLength);
    }
}
