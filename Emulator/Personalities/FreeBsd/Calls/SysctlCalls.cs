using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Routing;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>sysctl(3): the system's facts by number or by name.</summary>
public static class SysctlCalls
{
    private const int LongestName = 24;
    private const int Kern = 1, Vm = 2, Net = 4, Hw = 6, Posix = 9;

    /// <summary>PF_ROUTE.</summary>
    private const int RouteFamily = 17;

    /// <summary>Numbers below this are of sys/sysctl.h; from here on they are given out here, as FreeBSD gives them at boot.</summary>
    private const int Dynamic = 0x7FFF_0000;

    private static readonly SysctlTree Tree = new(
    [
        SysctlNode.Text("kern.ostype", [Kern, 1], static _ => "FreeBSD"),
        SysctlNode.Text("kern.osrelease", [Kern, 2], static _ => "13.2-RELEASE"),
        SysctlNode.Number("kern.osrevision", [Kern, 3], static _ => 199506),
        SysctlNode.Text("kern.version", [Kern, 4], static _ => "FreeBSD 13.2-RELEASE Vivarium\n"),
        SysctlNode.Number("kern.maxvnodes", [Kern, 5], static _ => 100_000),
        SysctlNode.Number("kern.maxproc", [Kern, 6], static _ => 32_768),
        SysctlNode.Number("kern.maxfiles", [Kern, 7], static call => call.Process.Files.Limit),
        SysctlNode.Number("kern.argmax", [Kern, 8], static _ => 256 * 1024),
        SysctlNode.Text("kern.hostname", [Kern, 10], static call => call.Thread.Namespaces.Uts.HostName),
        SysctlNode.Wide("kern.hostid", [Kern, 11], static _ => 0),
        SysctlNode.Number("kern.posix1version", [Kern, 17], static _ => 200112),
        SysctlNode.Number("kern.ngroups", [Kern, 18], static _ => 1023),
        SysctlNode.Number("kern.osreldate", [Kern, 24], static _ => (int)FreeBsdPersonality.Release),
        SysctlNode.Number("kern.maxfilesperproc", [Kern, 27], static call => call.Process.Files.Limit),
        SysctlNode.Number("kern.maxprocperuid", [Kern, 28], static _ => 32_767),
        SysctlNode.Wide("kern.usrstack", [Kern, 33], static _ => (long)FreeBsdSharedPage.Address),
        SysctlNode.Number("kern.smp.maxcpus", [Kern, Dynamic], static _ => 256),
        SysctlNode.Number("kern.smp.cpus", [Kern, Dynamic + 1], static call => call.World.System.Processors),
        SysctlNode.Number("kern.ipc.somaxconn", [Kern, Dynamic + 2], static _ => 4096),
        SysctlNode.Number("kern.ipc.soacceptqueue", [Kern, Dynamic + 3], static _ => 4096),
        SysctlNode.Wide("kern.ipc.maxsockbuf", [Kern, Dynamic + 4], static _ => 2 << 20),
        SysctlNode.Number("kern.ipc.maxsockets", [Kern, Dynamic + 5], static _ => 65_536),
        SysctlNode.Number("kern.proc_vmmap_skip_resident_count", [Kern, Dynamic + 6], static _ => 0),
        SysctlNode.Number("net.fibs", [Net, Dynamic], static _ => 1),
        SysctlNode.Number("net.my_fibnum", [Net, Dynamic + 1], static _ => 0),
        SysctlNode.Text("hw.machine", [Hw, 1], static call => Own(call).MachineName),
        SysctlNode.Text("hw.model", [Hw, 2], static _ => "Vivarium"),
        SysctlNode.Number("hw.ncpu", [Hw, 3], static call => call.World.System.Processors),
        SysctlNode.Number("hw.byteorder", [Hw, 4], static _ => 1234),
        SysctlNode.Wide("hw.physmem", [Hw, 5], static call => (long)call.World.System.TotalMemory),
        SysctlNode.Wide("hw.usermem", [Hw, 6], static call => (long)call.World.System.TotalMemory),
        SysctlNode.Number("hw.pagesize", [Hw, 7], static _ => (int)GuestAddress.PageSize),
        SysctlNode.Text("hw.machine_arch", [Hw, 11], static call => Own(call).MachineArchitecture),
        SysctlNode.Wide("hw.realmem", [Hw, 12], static call => (long)call.World.System.TotalMemory),
        SysctlNode.Number("vm.overcommit", [Vm, Dynamic], static _ => 0),
        SysctlNode.Number("p1003_1b.semaphores", [Posix, 10], static _ => 200112),
        SysctlNode.Number("p1003_1b.sem_nsems_max", [Posix, 22], static _ => SemaphoreCalls.Most),
        SysctlNode.Number("p1003_1b.sem_value_max", [Posix, 23], static _ => int.MaxValue),
        SysctlNode.Number("p1003_1b.nsems", [Posix, Dynamic], static call => call.Ipc.KernelSemaphores.Count),
        SysctlNode.Number("security.jail.jailed", [14, Dynamic], static _ => 0),
    ]);

    private static IFreeBsdArchitecture Own(CallContext call) => (IFreeBsdArchitecture)BsdPersonality.ArchitectureOf(call);

    public static CallResult Sysctl(CallContext call, GuestAddress name, uint length, GuestAddress old, GuestAddress oldLength, GuestAddress value, ulong valueLength)
    {
        if (length is < 2 or > LongestName)
            return Errno.EINVAL;
        int[] numbers = new int[length];
        if (!call.Memory.TryRead(name, MemoryMarshal.AsBytes(numbers.AsSpan())))
            return Errno.EFAULT;
        // {0, 3}: from a name to its numbers (sysctlnametomib(3)).
        if (numbers is [0, 3])
            return FindByName(call, value, valueLength, out SysctlNode? found) is not Errno.None and var failed ? failed
                : SysctlTree.Answer(call, MemoryMarshal.AsBytes(found!.Numbers.AsSpan()), old, oldLength);
        const int process = 14, pathName = 12;
        if (numbers is [Kern, process, pathName, _])
            return AnswerPath(call, numbers[3], old, oldLength);
        if (numbers is [Net, RouteFamily, .. var rest])
            return value.IsNull ? AnswerRouting(call, rest, old, oldLength) : Errno.EPERM;
        return Tree.Find(numbers) is { } node ? Read(call, node, old, oldLength, value) : SysctlTree.Miss(call, string.Join('.', numbers));
    }

    public static CallResult Sysctlbyname(CallContext call, GuestAddress name, ulong length, GuestAddress old, GuestAddress oldLength, GuestAddress value, ulong valueLength) =>
        FindByName(call, name, length, out SysctlNode? node) is not Errno.None and var error ? error : Read(call, node!, old, oldLength, value);

    private static CallResult Read(CallContext call, SysctlNode node, GuestAddress old, GuestAddress oldLength, GuestAddress value) =>
        value.IsNull ? SysctlTree.Answer(call, node.Value(call), old, oldLength) : Errno.EPERM;

    private static Errno FindByName(CallContext call, GuestAddress name, ulong length, out SysctlNode? node)
    {
        const int longest = 1024;
        node = null;
        if (length is 0 or > longest)
            return length == 0 ? Errno.ENOENT : Errno.ENAMETOOLONG;
        Span<byte> text = stackalloc byte[(int)length];
        if (!call.Memory.TryRead(name, text))
            return Errno.EFAULT;
        string wanted = Encoding.UTF8.GetString(text.TrimEnd((byte)0));
        node = Tree.Find(wanted);
        return node is null ? SysctlTree.Miss(call, wanted) : Errno.None;
    }

    /// <summary>A protocol, a family, what is wanted, an argument and for tables of routes which of them (sysctl_rtsock in sys/net/rtsock.c).</summary>
    private static CallResult AnswerRouting(CallContext call, int[] numbers, GuestAddress old, GuestAddress oldLength)
    {
        const int dump = 1, ofFlags = 2, devices = 3, groups = 4, longDevices = 5, newGroup = 0xF, lastFamily = 42;
        bool hasTable = numbers is [_, _, dump, _, _];
        if (numbers.Length != 4 && !hasTable)
            return numbers.Length < 4 ? Errno.EISDIR : Errno.ENOTDIR;
        (byte family, int wish, int argument) = ((byte)numbers[1], numbers[2], numbers[3]);
        if (family > lastFamily || (hasTable && numbers[4] is not (0 or -1)))
            return Errno.EINVAL;
        if (wish is dump or ofFlags && family is not (0 or 2 or FreeBsdPersonality.InternetFamily6))
            return Errno.EAFNOSUPPORT;
        Network network = call.Thread.Namespaces.Network;
        Errno error = Errno.None;
        byte[]? list = wish switch
        {
            devices or longDevices => InterfaceMessages.List(FreeBsdRouting.Instance, FreeBsdRouting.Instance.AddressLayouts[0], network, family, argument, wish == longDevices),
            groups => InterfaceMessages.Groups(FreeBsdRouting.Instance, network, family, argument, newGroup),
            _ => RoutingFacts.Table(call, FreeBsdRouting.Instance, family, wish, argument, out error),
        };
        return error != Errno.None ? error : SysctlTree.Answer(call, list, old, oldLength);
    }

    /// <summary>KERN_PROC_PATHNAME: the program of a process, -1 for the caller's.</summary>
    private static CallResult AnswerPath(CallContext call, int pid, GuestAddress old, GuestAddress oldLength)
    {
        Process? process = pid == -1 ? call.Process : call.FindProcess(pid);
        if (process is null)
            return Errno.ESRCH;
        return process.Executable is { } path ? SysctlTree.Answer(call, [.. path.FullPath(), 0], old, oldLength) : Errno.ENOENT;
    }
}
