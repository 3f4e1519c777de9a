using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Performance;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// perf_event_open(2) as on a machine without counters: software events of threads are counted, hardware's are not there (ENOENT), and
/// nothing is sampled.
/// </summary>
public static class PerformanceCalls
{
    private const uint FirstSize = 64, KnownSize = 136;
    private const uint Software = 1;
    private const ulong TotalTimeEnabled = 1, TotalTimeRunning = 2, Identifier = 4, OfGroup = 8, Lost = 16;
    private const int Disabled = 0, ExcludeKernel = 5, EnableOnExec = 12;

    public static CallResult PerfEventOpen(CallContext call, GuestAddress attributes, int pid, int cpu, int group, ulong flags)
    {
        const ulong noGroup = 1, output = 2, ofControlGroup = 4, closeOnExec = 8;
        if ((flags & ~(noGroup | output | ofControlGroup | closeOnExec)) != 0)
            return Errno.EINVAL;
        Errno error = ReadAttributes(call, attributes, out Attributes wanted);
        if (error != Errno.None)
            return error;
        bool mayAll = call.Thread.Credentials.Has(Capability.PerformanceMonitoring) || call.Thread.Credentials.Has(Capability.Administer);
        // As /proc/sys/kernel/perf_event_paranoid says: 2.
        if ((wanted.Bits >> ExcludeKernel & 1) == 0 && !mayAll)
            return Errno.EACCES;
        if ((flags & ofControlGroup) != 0 && (pid == -1 || cpu == -1))
            return Errno.EINVAL;
        PerformanceEvent? leader = null;
        if (group != -1)
        {
            if (call.File(group) is not PerformanceFile named)
                return Errno.EBADF;
            leader = (flags & noGroup) != 0 ? null : named.Counter;
        }
        GuestThread? thread = null;
        if (pid != -1 && (thread = pid == 0 ? call.Thread : call.Pids.FindThread(pid)) is null)
            return Errno.ESRCH;
        if (thread is null && cpu == -1)
            return Errno.EINVAL;
        if (thread is not null && !thread.Process.MayBeInspectedBy(call.Thread))
            return Errno.EACCES;
        if (thread is null && !mayAll)
            return Errno.EACCES;
        if (cpu >= call.World.System.Processors)
            return cpu >= 8192 ? Errno.EINVAL : Errno.ENODEV;
        if (wanted.Type != Software || SourceOf(wanted.Config) is not { } source)
            return Errno.ENOENT;
        // What happens on a processor, whoever runs there, is not counted; nor are groups over threads.
        if (thread is null || wanted.SamplePeriod != 0)
            return Errno.EOPNOTSUPP;
        if (leader is not null && (leader.Thread != thread || leader.Leader != leader))
            return Errno.EINVAL;
        var made = new PerformanceEvent(call.World, thread, source, leader, (wanted.Bits >> Disabled & 1) == 0)
        {
            Format = wanted.Format, StartsAtExecution = (wanted.Bits >> EnableOnExec & 1) != 0,
        };
        return PipeCalls.Install(call, new PerformanceFile(made), (flags & closeOnExec) != 0);
    }

    private readonly record struct Attributes(uint Type, ulong Config, ulong SamplePeriod, ulong Format, ulong Bits);

    /// <summary>struct perf_event_attr: E2BIG, with the size that is known, for one that asks for what is not.</summary>
    private static Errno ReadAttributes(CallContext call, GuestAddress address, out Attributes attributes)
    {
        attributes = default;
        if (!call.Memory.TryRead(address + 4, out uint size))
            return Errno.EFAULT;
        if (size == 0)
            size = FirstSize;
        if (size is < FirstSize or > (uint)GuestAddress.PageSize)
        {
            call.Memory.TryWrite(address + 4, KnownSize);
            return Errno.E2BIG;
        }
        Span<byte> bytes = stackalloc byte[(int)GuestAddress.PageSize];
        bytes = bytes[..(int)Math.Max(size, FirstSize)];
        if (!call.Memory.TryRead(address, bytes))
            return Errno.EFAULT;
        if (size > KnownSize && bytes[(int)KnownSize..].IndexOfAnyExcept((byte)0) >= 0)
        {
            call.Memory.TryWrite(address + 4, KnownSize);
            return Errno.E2BIG;
        }
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes[..(int)FirstSize]);
        attributes = new Attributes((uint)words[0], words[1], words[2], words[4], words[5]);
        const ulong known = TotalTimeEnabled | TotalTimeRunning | Identifier | OfGroup | Lost;
        const ulong mostSamples = 1 << 25;
        return (attributes.Format & ~known) != 0 || words[3] >= mostSamples || (attributes.Bits >> 40) != 0 ? Errno.EINVAL : Errno.None;
    }

    /// <summary>PERF_COUNT_SW_ values.</summary>
    private static PerformanceSource? SourceOf(ulong config) => config switch
    {
        0 or 1 => PerformanceSource.TaskClock,
        2 or 5 => PerformanceSource.PageFaults,
        3 => PerformanceSource.ContextSwitches,
        // Migrations, major faults, alignment and emulation faults, the dummy, output of programs, switches of control groups.
        4 or 6 or 7 or 8 or 9 or 10 or 11 => PerformanceSource.Never,
        _ => null,
    };

    /// <summary>Reads an event or, with PERF_FORMAT_GROUP, all of its group; ENOSPC when there is no room.</summary>
    internal static IoResult Read(PerformanceEvent counter, Span<byte> destination)
    {
        List<ulong> words = [];
        ulong format = counter.Format;
        bool isGroup = (format & OfGroup) != 0;
        words.Add(isGroup ? (ulong)counter.Group.Count : (ulong)counter.Count);
        if ((format & TotalTimeEnabled) != 0)
            words.Add((ulong)counter.EnabledFor);
        if ((format & TotalTimeRunning) != 0)
            words.Add((ulong)counter.EnabledFor);
        foreach (PerformanceEvent member in isGroup ? counter.Group : [counter])
        {
            if (isGroup)
                words.Add((ulong)member.Count);
            if ((format & Identifier) != 0)
                words.Add(member.Id);
            if ((format & Lost) != 0)
                words.Add(0);
        }
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(words));
        if (bytes.Length > destination.Length)
            return Errno.ENOSPC;
        bytes.CopyTo(destination);
        return bytes.Length;
    }

    internal static CallResult Control(CallContext call, PerformanceEvent counter, uint request, ulong argument)
    {
        const uint enable = 0x2400, disable = 0x2401, refresh = 0x2402, reset = 0x2403, tellId = 0x80082407, wholeGroup = 1;
        PerformanceEvent target = (argument & wholeGroup) != 0 && request is enable or disable or reset ? counter.Leader : counter;
        switch (request)
        {
            case enable or disable:
                foreach (PerformanceEvent member in Meant(target, argument))
                    member.Enable(request == enable);
                return 0;
            case reset:
                foreach (PerformanceEvent member in Meant(target, argument))
                    member.Reset();
                return 0;
            case refresh:
                // Only what samples has overflows to count.
                return Errno.EINVAL;
            case tellId:
                return call.Memory.TryWrite(new GuestAddress(argument), counter.Id) ? 0 : Errno.EFAULT;
            default:
                return Errno.ENOTTY;
        }
    }

    private static IEnumerable<PerformanceEvent> Meant(PerformanceEvent target, ulong argument) => (argument & 1) != 0 ? target.Group.ToArray() : [target];
}

/// <summary>An open event, read and controlled in Linux's forms.</summary>
internal sealed class PerformanceFile(PerformanceEvent counter) : OpenFile(OpenFlags.ReadWrite)
{
    public PerformanceEvent Counter => counter;

    public override Inode Inode => counter.Inode;

    public override string Description => counter.Description;

    public override Kernel.Events.Readiness Poll() => counter.Poll();

    public override IoResult Read(Span<byte> destination) => PerformanceCalls.Read(counter, destination);

    public override CallResult Control(CallContext call, uint request, ulong argument) => PerformanceCalls.Control(call, counter, request, argument);

    protected override void OnLastClose() => counter.Release();
}
