using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Ipc;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/sys: what the system is set to, and by whom it may be set (proc(5), sysctl(8)).</summary>
internal sealed class SettingsDirectory(GeneratedFileSystem owner, IProcessSource processes, SystemInfo system, Func<string> randomId, string? bootId)
{
    private KernelSettings Settings => system.Settings;

    public void Fill(ProcDirectory root) => root
        .Add("kernel", Kernel()).Add("vm", Memory()).Add("fs", Files()).Add("net", Networks()).Add("user", Users())
        .Add("crypto", Constants(New(), ("fips_enabled", "0")));

    private ProcDirectory New() => new(owner);

    private ProcDirectory Kernel()
    {
        ProcDirectory random = New()
            .AddText("uuid", () => randomId() + "\n")
            .AddText("boot_id", () => bootId + "\n")
            .AddText("entropy_avail", static () => "256\n")
            .AddText("poolsize", static () => "256\n");
        ProcDirectory kernel = New()
            .AddText("ostype", () => system.SystemName + "\n")
            .AddText("osrelease", () => system.Release + "\n")
            .AddText("version", () => system.Version + "\n")
            .Add("hostname", Name(static uts => uts.HostName, static (uts, name) => uts.HostName = name))
            .Add("domainname", Name(static uts => uts.DomainName, static (uts, name) => uts.DomainName = name))
            .Add("random", random);
        Constants(
            kernel, ("ngroups_max", "65536"), ("cap_last_cap", "40"), ("overflowuid", "65534"), ("overflowgid", "65534"), ("threads-max", "96000"), ("tainted", "0"),
            ("randomize_va_space", "2"), ("perf_event_paranoid", "2"), ("sched_child_runs_first", "0"));
        kernel.Add("core_pattern", new ProcText(owner, _ => Encoding.UTF8.GetBytes(Settings.CorePattern + "\n"), SetCorePattern));
        Add(kernel, "pid_max", Settings.PidLimit);
        Add(kernel, "unprivileged_bpf_disabled", Settings.ProgramsForbidden);
        kernel.Add("ns_last_pid", new ProcText(
            owner, _ => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{processes.Current?.Processes.LastNumber ?? 0}\n")), SetLastNumber, 0x1B6));
        // The log has no console to go to.
        Setting[] levels = [new(7), new(4), new(1), new(7)];
        Add(kernel, "printk", () => levels);
        Setting[] account = [Settings.AccountResume, Settings.AccountPause, Settings.AccountInterval];
        Add(kernel, "acct", () => account);
        AddIpc(kernel);
        ProcDirectory keys = New();
        Add(keys, "maxkeys", Settings.Keys);
        Add(keys, "maxbytes", Settings.KeyBytes);
        Add(keys, "root_maxkeys", Settings.RootKeys);
        Add(keys, "root_maxbytes", Settings.RootKeyBytes);
        // Keys here go at once.
        Add(keys, "gc_delay", new Setting(300));
        return kernel.Add("keys", keys);
    }

    private void AddIpc(ProcDirectory kernel)
    {
        AddOfSpace(kernel, "shmmax", static space => [space.SegmentSize]);
        AddOfSpace(kernel, "shmall", static space => [space.SegmentPages]);
        AddOfSpace(kernel, "shmmni", static space => [space.MostSegments]);
        AddOfSpace(kernel, "shm_next_id", static space => [space.NextSegment]);
        AddOfSpace(kernel, "msgmax", static space => [space.MessageSize]);
        AddOfSpace(kernel, "msgmnb", static space => [space.ChannelCapacity]);
        AddOfSpace(kernel, "msgmni", static space => [space.MostChannels]);
        AddOfSpace(kernel, "msg_next_id", static space => [space.NextChannel]);
        AddOfSpace(kernel, "sem", static space => [space.SemaphoresOfSet, space.MostSemaphores, space.SemaphoreOperations, space.MostSemaphoreSets]);
        AddOfSpace(kernel, "sem_next_id", static space => [space.NextSemaphores]);
    }

    private ProcDirectory Memory()
    {
        ProcDirectory memory = Constants(New(), ("overcommit_memory", "0"), ("overcommit_ratio", "50"), ("mmap_min_addr", "65536"));
        Add(memory, "max_map_count", Settings.MostAreas);
        Add(memory, "unprivileged_userfaultfd", Settings.UnprivilegedMonitors);
        // There is nothing to swap out.
        Add(memory, "swappiness", new Setting(60, 0, 200));
        // Nor to move together; what is dropped are the marks of files that nobody uses.
        Add(memory, "drop_caches", Settings.DroppedCaches);
        Add(memory, "vfs_cache_pressure", new Setting(100));
        Add(memory, "compact_memory", new Setting(0, 1, 1));
        return memory;
    }

    private ProcDirectory Files()
    {
        ProcDirectory inotify = New();
        Add(inotify, "max_user_watches", Settings.FileWatches);
        Add(inotify, "max_user_instances", Settings.ChangeQueues);
        Add(inotify, "max_queued_events", Settings.QueuedChanges);
        ProcDirectory fanotify = New();
        Add(fanotify, "max_user_marks", Settings.AlertMarks);
        Add(fanotify, "max_user_groups", Settings.AlertGroups);
        Add(fanotify, "max_queued_events", Settings.QueuedAlerts);
        ProcDirectory queues = New();
        AddOfSpace(queues, "queues_max", static space => [space.MostQueues]);
        AddOfSpace(queues, "msg_max", static space => [space.QueueMessages]);
        AddOfSpace(queues, "msgsize_max", static space => [space.QueueMessageSize]);
        AddOfSpace(queues, "msg_default", static space => [space.UsualQueueMessages]);
        AddOfSpace(queues, "msgsize_default", static space => [space.UsualQueueMessageSize]);
        ProcDirectory files = New().Add("inotify", inotify).Add("fanotify", fanotify).Add("mqueue", queues);
        Constants(files, ("file-max", "9223372036854775807"), ("file-nr", "0\t0\t9223372036854775807"));
        Add(files, "nr_open", Settings.MostDescriptors);
        Add(files, "pipe-max-size", Settings.PipeSize);
        Add(files, "pipe-user-pages-soft", Settings.PipePagesSoft);
        Add(files, "pipe-user-pages-hard", Settings.PipePagesHard);
        Add(files, "protected_hardlinks", Settings.ProtectedHardLinks);
        Add(files, "protected_symlinks", Settings.ProtectedLinks);
        Add(files, "aio-max-nr", Settings.AsyncEvents);
        Add(files, "lease-break-time", Settings.LeaseBreakTime);
        return files;
    }

    private ProcDirectory Networks()
    {
        ProcDirectory core = Constants(New(), ("somaxconn", "4096"), ("rmem_default", "212992"), ("wmem_default", "212992"), ("rmem_max", "212992"), ("wmem_max", "212992"));
        ProcDirectory ipv4 = New();
        ipv4.Add("ip_forward", new ProcText(owner, _ => processes.Current?.Network.Forwards == true ? "1\n"u8.ToArray() : "0\n"u8.ToArray(), SetForwarding));
        ipv4.Add("ping_group_range", new ProcText(owner, _ => processes.Current is { } spaces ? Encoding.ASCII.GetBytes($"{spaces.Network.PingGroups.First}\t{spaces.Network.PingGroups.Last}\n") : [], SetPingGroups));
        Constants(ipv4, ("ip_local_port_range", "32768\t60999"), ("ip_unprivileged_port_start", "1024"), ("tcp_fin_timeout", "60"));
        ipv4.Add("conf", New().Add("lo", DeviceSettings("lo")).Add("default", DeviceSettings("default")));
        return New().Add("core", core).Add("ipv4", ipv4);
    }

    /// <summary>A tag of an interface means what administrators make of it.</summary>
    private ProcDirectory DeviceSettings(string name)
    {
        ProcDirectory settings = New();
        Add(settings, "tag", () => processes.Current is { } spaces ? [spaces.Network.TagOf(name)] : []);
        return settings;
    }

    private ProcDirectory Users()
    {
        ProcDirectory users = New();
        foreach (string kind in (string[])["user", "pid", "uts", "ipc", "net", "mnt", "cgroup", "time"])
            Add(users, $"max_{kind}_namespaces", Settings.NamespacesOf(kind));
        Add(users, "max_inotify_instances", Settings.ChangeQueues);
        Add(users, "max_inotify_watches", Settings.FileWatches);
        Add(users, "max_fanotify_groups", Settings.AlertGroups);
        Add(users, "max_fanotify_marks", Settings.AlertMarks);
        return users;
    }

    /// <summary>A name of the reader's or writer's system: up to 64 bytes of the first line.</summary>
    private ProcText Name(Func<UtsSpace, string> read, Action<UtsSpace, string> write) => new(
        owner,
        _ => Encoding.Latin1.GetBytes((processes.Current is { } spaces ? read(spaces.Uts) : system.HostName) + "\n"),
        text =>
        {
            const int most = 64;
            string name = Encoding.Latin1.GetString(text).Split('\n', '\0')[0];
            if (processes.Current is { } spaces)
                write(spaces.Uts, name[..Math.Min(most, name.Length)]);
            return Errno.None;
        });

    /// <summary>The next process of the writer's space of ids gets the number after this one, when it is free (pid_namespaces(7)).</summary>
    private Errno SetLastNumber(byte[] text)
    {
        Setting number = new(0, 0, Settings.PidLimit.Value);
        Errno error = processes.Current is { } spaces ? Setting.Store([number], text) : Errno.EINVAL;
        if (error == Errno.None)
            processes.Current!.Processes.LastNumber = (int)number.Value;
        return error;
    }

    private Errno SetForwarding(byte[] text)
    {
        if (processes.Current is not { } spaces || !int.TryParse(Encoding.ASCII.GetString(text).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value))
            return Errno.EINVAL;
        spaces.Network.Forwards = value != 0;
        return Errno.None;
    }

    private Errno SetPingGroups(byte[] text)
    {
        string[] words = Encoding.ASCII.GetString(text).Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (processes.Current is not { } spaces || words.Length != 2 || !uint.TryParse(words[0], out uint first) || !uint.TryParse(words[1], out uint last))
            return Errno.EINVAL;
        spaces.Network.PingGroups = first > last ? (1u, 0u) : (first, last);
        return Errno.None;
    }

    private Errno SetCorePattern(byte[] text)
    {
        const int longest = 127;
        string pattern = Encoding.UTF8.GetString(text).Split('\n', '\0')[0];
        Settings.CorePattern = pattern.Length > longest ? pattern[..longest] : pattern;
        return Errno.None;
    }

    private void AddOfSpace(ProcDirectory directory, string name, Func<IpcSpace, Setting[]> settings) =>
        Add(directory, name, () => processes.Current is { } spaces ? settings(spaces.Ipc) : []);

    private void Add(ProcDirectory directory, string name, Setting setting) => Add(directory, name, () => [setting]);

    private void Add(ProcDirectory directory, string name, Func<Setting[]> settings) =>
        directory.Add(name, new ProcText(owner, _ => Encoding.ASCII.GetBytes(Setting.Text(settings())), text => Setting.Store(settings(), text)));

    private static ProcDirectory Constants(ProcDirectory directory, params (string Name, string Value)[] values)
    {
        foreach ((string name, string value) in values)
            directory.AddText(name, () => value + "\n");
        return directory;
    }
}
