using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>sysctl(3): the system's facts by number, and what names the numbers have.</summary>
public static class SysctlCalls
{
    private const int LongestName = 12;
    private const int Kern = 1, Net = 4, Hw = 6;

    /// <summary>PF_ROUTE, NET_RT_IFLIST.</summary>
    private const int RouteFamily = 34, InterfaceListing = 5;

    private static readonly NetBsdInterfaces Interfaces = new();

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
        if (numbers is [Net, RouteFamily, 0, var family, InterfaceListing, var index])
            return SysctlTree.Answer(call, Interfaces.Write(call.Thread.Namespaces.Network, family, index), old, oldLength);
        if (numbers[^1] == Query)
            return AnswerQuery(call, numbers[..^1], old, oldLength);
        if (Tree.Find(numbers) is not { } node)
            return SysctlTree.Miss(call, string.Join('.', numbers));
        return value.IsNull ? SysctlTree.Answer(call, node.Value(call), old, oldLength) : Errno.EPERM;
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
