using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>The texts of /proc/PID, laid out as proc(5) says.</summary>
internal static class ProcessText
{
    private const long NanosecondsPerTick = 10_000_000;
    private const int MaxStrings = 1 << 21;

    private static readonly (string Name, string Units)[] LimitNames =
    [
        ("Max cpu time", "seconds"), ("Max file size", "bytes"), ("Max data size", "bytes"), ("Max stack size", "bytes"),
        ("Max core file size", "bytes"), ("Max resident set", "bytes"), ("Max processes", "processes"), ("Max open files", "files"),
        ("Max locked memory", "bytes"), ("Max address space", "bytes"), ("Max file locks", "locks"), ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"), ("Max nice priority", ""), ("Max realtime priority", ""), ("Max realtime timeout", "us"),
    ];

    internal static string Stat(IProcessView process, ProcessInfo info)
    {
        ulong size = process.Memory?.MappedBytes ?? 0;
        ulong resident = (process.Memory?.ResidentBytes() ?? 0) / GuestAddress.PageSize;
        string name = Encoding.Latin1.GetString(info.Name);
        ulong limit = info.Limits.Count > 5 ? info.Limits[5].Soft : ulong.MaxValue;
        return string.Create(CultureInfo.InvariantCulture,
            $"{info.Id} ({name}) {info.State} {info.Parent} {info.Group} {info.Session} {TerminalNumber(info.Terminal)} {info.TerminalGroup} 4194304 0 0 0 0 "
            + $"{info.UserTime / NanosecondsPerTick} {info.SystemTime / NanosecondsPerTick} 0 0 {info.Priority} {info.Nice} {process.ThreadIds.Count} 0 "
            + $"{info.StartTime / NanosecondsPerTick} {size} {resident} {limit} {info.CodeStart} {info.CodeEnd} {info.StackStart} 0 0 "
            + $"{info.PendingSignals & 0x7FFFFFFF} {info.BlockedSignals & 0x7FFFFFFF} {info.IgnoredSignals & 0x7FFFFFFF} {info.CaughtSignals & 0x7FFFFFFF} "
            + $"0 0 0 {info.ExitSignal} 0 0 0 0 0 0 {info.DataStart} {info.DataEnd} {info.BreakStart} "
            + $"{info.ArgumentStart} {info.ArgumentEnd} {info.EnvironmentStart} {info.EnvironmentEnd} {info.ExitStatus}\n");
    }

    /// <summary>The old 32-bit form of a device number (new_encode_dev).</summary>
    private static ulong TerminalNumber(ulong device) =>
        (DeviceNumber.Minor(device) & 0xFF) | ((ulong)DeviceNumber.Major(device) << 8) | ((ulong)(DeviceNumber.Minor(device) & ~0xFFu) << 12);

    internal static string Status(IProcessView process, ProcessInfo info)
    {
        StringBuilder text = new();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"Name:\t{Encoding.Latin1.GetString(info.Name)}");
        Line($"Umask:\t{Convert.ToString(process.Context?.CreationMask ?? 0, 8).PadLeft(4, '0')}");
        Line($"State:\t{info.State} ({StateName(info.State)})");
        Line($"Tgid:\t{process.Info.Id}");
        Line($"Ngid:\t0");
        Line($"Pid:\t{info.Id}");
        Line($"PPid:\t{info.Parent}");
        Line($"TracerPid:\t{info.Tracer}");
        Line($"Uid:\t{info.User.Real}\t{info.User.Effective}\t{info.User.Saved}\t{info.User.FileSystem}");
        Line($"Gid:\t{info.GroupIds.Real}\t{info.GroupIds.Effective}\t{info.GroupIds.Saved}\t{info.GroupIds.FileSystem}");
        Line($"FDSize:\t{Math.Max(64, process.Files?.End ?? 0)}");
        Line($"Groups:\t{string.Join(' ', info.Groups)} ");
        Line($"NStgid:\t{string.Join('\t', info.ProcessNumbers)}");
        Line($"NSpid:\t{string.Join('\t', info.Numbers)}");
        Line($"NSpgid:\t{string.Join('\t', info.GroupNumbers)}");
        Line($"NSsid:\t{string.Join('\t', info.SessionNumbers)}");
        if (process.Memory is { } memory)
            AppendMemory(text, memory);
        Line($"Threads:\t{process.ThreadIds.Count}");
        Line($"SigQ:\t0/95000");
        foreach ((string name, ulong set) in ((string, ulong)[])
            [("SigPnd", info.PendingSignals), ("ShdPnd", info.SharedPendingSignals), ("SigBlk", info.BlockedSignals), ("SigIgn", info.IgnoredSignals), ("SigCgt", info.CaughtSignals)])
        {
            Line($"{name}:\t{set:x16}");
        }
        Line($"CapInh:\t{info.InheritableCapabilities:x16}");
        Line($"CapPrm:\t{info.Capabilities:x16}");
        Line($"CapEff:\t{info.EffectiveCapabilities:x16}");
        Line($"CapBnd:\t{info.BoundingCapabilities:x16}");
        Line($"CapAmb:\t{info.AmbientCapabilities:x16}");
        Line($"NoNewPrivs:\t{(info.NoNewPrivileges ? 1 : 0)}");
        Line($"Seccomp:\t0");
        Line($"Seccomp_filters:\t0");
        Line($"Cpus_allowed:\t1");
        Line($"Cpus_allowed_list:\t0");
        int nodes = process.Process?.World.Accountant.Nodes ?? 1;
        ulong allowed = ulong.MaxValue >> (64 - nodes);
        // As a kernel for up to 64 nodes has it; libnuma takes the length of the text for their number.
        Line($"Mems_allowed:\t{(nodes == 1 ? "1" : $"{allowed >> 32:x8},{allowed & uint.MaxValue:x8}")}");
        Line($"Mems_allowed_list:\t{MemoryPolicy.ListOf(allowed)}");
        Line($"voluntary_ctxt_switches:\t0");
        Line($"nonvoluntary_ctxt_switches:\t0");
        return text.ToString();
    }

    private static void AppendMemory(StringBuilder text, AddressSpace memory)
    {
        ulong size = memory.MappedBytes / 1024;
        ulong resident = memory.ResidentBytes() / 1024;
        foreach ((string name, ulong value) in ((string, ulong)[])
            [("VmPeak", size), ("VmSize", size), ("VmLck", memory.LockedBytes / 1024), ("VmPin", 0), ("VmHWM", resident), ("VmRSS", resident), ("RssAnon", resident),
             ("RssFile", 0), ("RssShmem", 0), ("VmData", size), ("VmStk", 132), ("VmExe", 0), ("VmLib", 0), ("VmPTE", 0), ("VmSwap", 0)])
        {
            text.Append(CultureInfo.InvariantCulture, $"{name}:\t{value,8} kB\n");
        }
    }

    private static string StateName(char state) => state switch
    {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        't' => "tracing stop",
        'Z' => "zombie",
        _ => "dead",
    };

    internal static string MemorySizes(IProcessView process)
    {
        ulong size = (process.Memory?.MappedBytes ?? 0) / GuestAddress.PageSize;
        ulong resident = (process.Memory?.ResidentBytes() ?? 0) / GuestAddress.PageSize;
        return $"{size} {resident} 0 0 0 {size} 0\n";
    }

    internal static string Maps(IProcessView process, bool detailed)
    {
        StringBuilder text = new();
        foreach (AreaInfo area in process.Memory?.Areas() ?? [])
        {
            char read = (area.Protection & Protection.Read) != 0 ? 'r' : '-';
            char write = (area.Protection & Protection.Write) != 0 ? 'w' : '-';
            char execute = (area.Protection & Protection.Execute) != 0 ? 'x' : '-';
            int start = text.Length;
            text.Append(CultureInfo.InvariantCulture,
                $"{area.Start.Value:x8}-{area.End.Value:x8} {read}{write}{execute}{(area.Shared ? 's' : 'p')} {area.Offset:x8} 00:00 0 ");
            if (area.Name is { Length: > 0 } name)
                text.Append(' ', Math.Max(0, 73 - (text.Length - start))).Append(name);
            text.Append('\n');
            if (detailed)
                AppendDetail(text, process.Memory!, area);
        }
        return text.ToString();
    }

    private static void AppendDetail(StringBuilder text, AddressSpace memory, AreaInfo area)
    {
        ulong size = (area.End - area.Start) / 1024, resident = memory.ResidentBytes(area.Start, area.End - area.Start) / 1024;
        ulong locked = Math.Min(resident, memory.LockedWithin(area.Start.Value, area.End.Value) / 1024);
        text.Append(CultureInfo.InvariantCulture, $"Size:           {size,8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n");
        foreach ((string name, ulong value) in ((string, ulong)[])
            [("Rss", resident), ("Pss", resident), ("Shared_Clean", 0), ("Shared_Dirty", 0), ("Private_Clean", 0), ("Private_Dirty", resident), ("Referenced", resident),
             ("Anonymous", area.Object is null ? resident : 0), ("Swap", 0), ("Locked", locked)])
        {
            text.Append(CultureInfo.InvariantCulture, $"{name + ":",-16}{value,8} kB\n");
        }
    }

    /// <summary>numa_maps (numa(7)): each mapping with its policy and where its pages are.</summary>
    internal static string Nodes(IProcessView process)
    {
        if (process.Memory is not { } memory)
            return "";
        GuestThread? first = process.Process?.MainThread;
        first?.PlacePages();
        int nodes = process.Process?.World.Accountant.Nodes ?? 1;
        StringBuilder text = new();
        ulong[] pages = new ulong[nodes];
        foreach (AreaInfo area in memory.Areas())
        {
            Array.Clear(pages);
            if (nodes == 1)
                pages[0] = memory.ResidentBytes(area.Start, area.End - area.Start) / GuestAddress.PageSize;
            else
                memory.ForEachPage(area.Start, area.End - area.Start, (_, place) => pages[place.Node]++);
            memory.TryFindMark(area.Start, out object? mark, out _);
            text.Append(CultureInfo.InvariantCulture, $"{area.Start.Value:x8} {MemoryPolicy.Describe(mark as MemoryPolicy ?? first?.MemoryPolicy)}");
            string kind = area.Name is "[heap]" or "[stack]" ? " " + area.Name.Trim('[', ']') : area.Object is not null && area.Name is { Length: > 0 } name ? " file=" + name : "";
            ulong all = 0;
            foreach (ulong each in pages)
                all += each;
            text.Append(kind);
            if (all > 0)
                text.Append(area.Object is null ? string.Create(CultureInfo.InvariantCulture, $" anon={all} dirty={all}") : string.Create(CultureInfo.InvariantCulture, $" mapped={all}"));
            for (int node = 0; node < nodes; node++)
            {
                if (pages[node] > 0)
                    text.Append(CultureInfo.InvariantCulture, $" N{node}={pages[node]}");
            }
            text.Append(all > 0 ? " kernelpagesize_kB=4\n" : "\n");
        }
        return text.ToString();
    }

    internal static string Limits(ProcessInfo info)
    {
        StringBuilder text = new($"{"Limit",-26}{"Soft Limit",-21}{"Hard Limit",-21}{"Units",-10}\n");
        for (int i = 0; i < Math.Min(LimitNames.Length, info.Limits.Count); i++)
        {
            (ulong soft, ulong hard) = info.Limits[i];
            text.Append(CultureInfo.InvariantCulture, $"{LimitNames[i].Name,-26}{Limit(soft),-21}{Limit(hard),-21}{LimitNames[i].Units,-10}\n");
        }
        return text.ToString();

        static string Limit(ulong value) => value == ulong.MaxValue ? "unlimited" : value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The argument or environment strings, read from where the program start put them.</summary>
    internal static byte[] Strings(IProcessView process, ulong start, ulong end)
    {
        if (process.Memory is not { } memory || end <= start)
            return [];
        byte[] bytes = new byte[(int)Math.Min(end - start, MaxStrings)];
        return bytes[..memory.Peek(new GuestAddress(start), bytes)];
    }

    /// <summary>The arguments. Who wrote over their last 0 wrote a title there, which may go on where the environment was (get_mm_cmdline in fs/proc/base.c).</summary>
    internal static byte[] CommandLine(IProcessView process, ProcessInfo info)
    {
        const int mostOfTitle = 4096;
        Span<byte> last = stackalloc byte[1];
        bool hasTitle = info.ArgumentEnd > info.ArgumentStart && process.Memory?.Peek(new GuestAddress(info.ArgumentEnd - 1), last) == 1 && last[0] != 0;
        if (!hasTitle)
            return Strings(process, info.ArgumentStart, info.ArgumentEnd);
        ulong end = info.EnvironmentStart == info.ArgumentEnd ? Math.Max(info.EnvironmentEnd, info.ArgumentEnd) : info.ArgumentEnd;
        byte[] title = Strings(process, info.ArgumentStart, Math.Min(end, info.ArgumentStart + mostOfTitle));
        int length = title.AsSpan().IndexOf((byte)0);
        return length < 0 ? title : title[..(length + 1)];
    }

    internal static string Descriptor(OpenFile file, bool closesOnExec, CallContext? call)
    {
        const uint closeOnExec = 0x80000;
        uint flags = (call?.Process.Personality.FileFlags(call, file) ?? 0) | (closesOnExec ? closeOnExec : 0);
        int mount = file.Path?.Mount.Id ?? 0;
        return $"pos:\t{file.Position}\nflags:\t0{Convert.ToString(flags, 8)}\nmnt_id:\t{mount}\nino:\t{file.Inode.Status.Inode}\n{file.InformationFor(call)}";
    }
}
