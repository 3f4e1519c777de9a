using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID and /proc/PID/task/TID: files about one process or thread.</summary>
internal static class ProcessDirectory
{
    private const uint OwnerOnly = 0x100;
    private const uint OwnerSearch = 0x140;

    private static readonly byte[] DeletedSuffix = " (deleted)"u8.ToArray();

    internal static Inode Create(ProcFileSystem owner, IProcessSource processes, int id)
    {
        ProcessInfo info = processes.Find(id)!.Info;
        ProcDirectory directory = new(owner, info.User.Effective, info.GroupIds.Effective) { Attachment = processes.Find(id)!.Process };
        Fill(owner, directory, () => processes.Find(id), () => processes.Find(id)?.Info, info);
        ProcNumbers tasks = new(owner, _ => processes.Find(id)?.ThreadIds ?? [], thread => CreateThread(owner, processes, id, thread), info.User.Effective, info.GroupIds.Effective);
        return directory.Add("task", tasks);
    }

    private static ProcDirectory? CreateThread(ProcFileSystem owner, IProcessSource processes, int id, int thread)
    {
        if (processes.Find(id)?.Thread(thread) is not { } info)
            return null;
        ProcDirectory directory = new(owner, info.User.Effective, info.GroupIds.Effective);
        Fill(owner, directory, () => processes.Find(id), () => processes.Find(id)?.Thread(thread), info);
        return directory;
    }

    private static void Fill(ProcFileSystem owner, ProcDirectory directory, Func<IProcessView?> view, Func<ProcessInfo?> info, ProcessInfo first)
    {
        uint user = first.User.Effective;
        uint group = first.GroupIds.Effective;
        ProcText Text(Func<IProcessView, ProcessInfo, string> make, uint mode = 0x124) =>
            new(owner, _ => view() is { } process && info() is { } about ? Encoding.Latin1.GetBytes(make(process, about)) : null, null, mode, user, group);
        ProcText Mounts(Func<FileContext?, string> make) =>
            new(owner, _ => view() is { } process ? Encoding.Latin1.GetBytes(make(process.Context)) : null, null, 0x124, user, group) { TellsMounts = true };
        ProcText Bytes(Func<IProcessView, ProcessInfo, byte[]> make, uint mode = 0x124) =>
            new(owner, _ => view() is { } process && info() is { } about ? make(process, about) : null, null, mode, user, group);
        ProcLink Link(Func<IProcessView, PathEntry?> find) => new(
            owner, call => view() is { } process && find(process) is { } entry ? LinkText(entry, call) : null, _ => view() is { } process ? find(process) : null, 0x1FF, user, group);

        directory
            .Add("stat", Text(static (process, about) => ProcessText.Stat(process, about)))
            .Add("status", Text(static (process, about) => ProcessText.Status(process, about)))
            .Add("statm", Text(static (process, _) => ProcessText.MemorySizes(process)))
            .Add("maps", new ProcText(
                owner, _ => view() is { } process && info() is not null ? Encoding.Latin1.GetBytes(ProcessText.Maps(process, detailed: false)) : null, null, 0x124, user, group)
                { Maps = () => view()?.Memory })
            .Add("smaps", Text(static (process, _) => ProcessText.Maps(process, detailed: true)))
            .Add("pagemap", new ProcPageMap(owner, view, user, group))
            .Add("coredump_filter", new ProcText(
                owner, _ => view()?.Process is { } of ? Encoding.ASCII.GetBytes($"{of.DumpedKinds:x8}\n") : null, text => SetDumpedKinds(view, text), 0x1A4, user, group))
            .Add("numa_maps", Text(static (process, _) => ProcessText.Nodes(process)))
            .Add("mem", new ProcMemory(owner, view, user, group))
            .Add("personality", Text(static (_, about) => $"{about.Persona:x8}\n", OwnerOnly))
            .Add("limits", Text(static (_, about) => ProcessText.Limits(about)))
            .Add("cgroup", Text(static (_, _) => "0::/\n"))
            .Add("io", Text(static (_, _) => "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n", OwnerOnly))
            .Add("mounts", Mounts(MountText.Mounts))
            .Add("mountinfo", Mounts(MountText.MountInfo))
            .Add("uid_map", UserMaps(owner, view, user, group, ofGroups: false))
            .Add("gid_map", UserMaps(owner, view, user, group, ofGroups: true))
            .Add("setgroups", new ProcText(
                owner, _ => view()?.Namespaces is { } spaces ? spaces.Users.AllowsSetGroups ? "allow\n"u8.ToArray() : "deny\n"u8.ToArray() : null,
                text => view()?.Namespaces?.Users.SetSetGroups(Encoding.ASCII.GetString(text)) ?? Errno.ESRCH, 0x1A4, user, group))
            .Add("timens_offsets", new ProcText(
                owner, _ => view()?.Namespaces is { } spaces ? Encoding.ASCII.GetBytes(TimeOffsets.Text(spaces.TimeOfChildren)) : null,
                text => view()?.SetTimeOffsets(Encoding.ASCII.GetString(text)) ?? Errno.ESRCH, 0x1A4, user, group))
            .Add("timerslack_ns", new ProcText(
                owner, _ => view()?.Process is { } process ? Encoding.ASCII.GetBytes($"{process.MainThread.Scheduling.TimerSlack}\n") : null,
                text => SetSlack(view, text), 0x1B6, user, group))
            .Add("wchan", Text(static (_, _) => "0"))
            .Add("schedstat", Text(static (_, about) => $"{about.UserTime + about.SystemTime} 0 0\n"))
            .Add("loginuid", Text(static (_, _) => "4294967295"))
            .Add("sessionid", Text(static (_, _) => "4294967295"))
            .Add("oom_score", Text(static (_, _) => "0\n"))
            .Add("cmdline", Bytes(static (process, about) => ProcessText.CommandLine(process, about)))
            .Add("environ", Bytes(static (process, about) => ProcessText.Strings(process, about.EnvironmentStart, about.EnvironmentEnd), OwnerOnly))
            .Add("auxv", Bytes(static (process, _) => process.AuxiliaryVector, OwnerOnly))
            .Add("comm", new ProcText(owner, _ => info() is { } about ? [.. about.Name, (byte)'\n'] : null, name => SetName(view, name), 0x1A4, user, group))
            .Add("oom_score_adj", new ProcText(
                owner, _ => info() is { } about ? Encoding.ASCII.GetBytes($"{about.OutOfMemoryScoreAdjustment}\n") : null, value => SetScore(view, value), 0x1A4, user, group))
            .Add("exe", Link(static process => process.Executable))
            .Add("cwd", Link(static process => process.Context?.WorkingDirectory))
            .Add("root", Link(static process => process.Context?.Root))
            .Add("net", NetDirectory.Create(owner, () => view()?.Namespaces?.Network))
            .Add("ns", Spaces(owner, view, user, group))
            .Add("fd", Descriptors(owner, view, user, group))
            .Add("fdinfo", DescriptorTexts(owner, view, user, group));
    }

    private static ProcText UserMaps(ProcFileSystem owner, Func<IProcessView?> view, uint user, uint group, bool ofGroups) => new(
        owner,
        _ => view()?.Namespaces is { } spaces ? Encoding.ASCII.GetBytes(spaces.Users.MapText(ofGroups)) : null,
        text => view()?.SetUserMap(ofGroups, Encoding.ASCII.GetString(text)) ?? Errno.ESRCH,
        0x1A4, user, group);

    /// <summary>Links that lead to the name spaces themselves.</summary>
    private static ProcDirectory Spaces(ProcFileSystem owner, Func<IProcessView?> view, uint user, uint group) =>
        new(owner, user, group, OwnerSearch | 0x49) { Filler = directory => AddSpaces(directory, owner, view, user, group) };

    private static void AddSpaces(ProcDirectory directory, ProcFileSystem owner, Func<IProcessView?> view, uint user, uint group)
    {
        // In the order of ns_entries in fs/proc/namespaces.c. A space that no process is in yet has no name.
        foreach ((string name, Func<IProcessView, Namespaces, Namespace?> find) in ((string, Func<IProcessView, Namespaces, Namespace?>)[])
            [("net", static (_, spaces) => spaces.Network.Space), ("uts", static (_, spaces) => spaces.Uts), ("ipc", static (_, spaces) => spaces.Ipc),
             ("pid", static (process, _) => process.Space), ("pid_for_children", static (_, spaces) => spaces.Processes is { IsFirst: false, Init: null } ? null : spaces.Processes),
             ("user", static (_, spaces) => spaces.Users), ("mnt", static (_, spaces) => spaces.Mounts), ("cgroup", static (_, spaces) => spaces.Groups),
             ("time", static (_, spaces) => spaces.Time), ("time_for_children", static (_, spaces) => spaces.TimeOfChildren)])
        {
            Namespace? Find() => view() is { Namespaces: { } spaces } process ? find(process, spaces) : null;
            directory.Add(name, new ProcLink(
                owner,
                _ => Find() is { } space ? Encoding.ASCII.GetBytes(space.Description) : null,
                call => Find() is { } space ? call?.World.Vfs.Unnamed(space.Inode, Encoding.ASCII.GetBytes(space.Description)) : null,
                0x1FF, user, group));
        }
    }

    private static Errno SetName(Func<IProcessView?> view, byte[] name)
    {
        int end = Array.IndexOf(name, (byte)'\n');
        view()?.SetName(end < 0 ? name : name.AsSpan(0, end));
        return Errno.None;
    }

    /// <summary>Nanoseconds; 0 is the usual.</summary>
    private static Errno SetSlack(Func<IProcessView?> view, byte[] text)
    {
        if (!ulong.TryParse(Encoding.ASCII.GetString(text).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
            return Errno.EINVAL;
        if (view()?.Process is not { } process)
            return Errno.ESRCH;
        GuestThread thread = process.MainThread;
        thread.Scheduling = thread.Scheduling with { TimerSlack = value == 0 ? thread.Scheduling.FirstTimerSlack : value };
        return Errno.None;
    }

    /// <summary>A number as C writes it.</summary>
    private static Errno SetDumpedKinds(Func<IProcessView?> view, byte[] text)
    {
        const uint known = 0x1FF;
        Errno error = NumberText.Read(Encoding.Latin1.GetString(text), out uint kinds);
        if (error != Errno.None)
            return error;
        if (view()?.Process is not { } process)
            return Errno.ESRCH;
        process.DumpedKinds = kinds & known;
        return Errno.None;
    }

    private static Errno SetScore(Func<IProcessView?> view, byte[] text)
    {
        if (!int.TryParse(Encoding.ASCII.GetString(text).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value is < -1000 or > 1000)
            return Errno.EINVAL;
        view()?.SetOutOfMemoryScoreAdjustment(value);
        return Errno.None;
    }

    private static ProcNumbers Descriptors(ProcFileSystem owner, Func<IProcessView?> view, uint user, uint group) => new(
        owner, _ => DescriptorNumbers(view()), number => view()?.Files?.Get(number) is null ? null : DescriptorLink(owner, view, number, user, group), user, group, OwnerSearch);

    private static ProcLink DescriptorLink(ProcFileSystem owner, Func<IProcessView?> view, int number, uint user, uint group)
    {
        uint mode = 0;
        if (view()!.Files!.Get(number) is { } opened)
            mode = (opened.CanRead ? 0x140u : 0) | (opened.CanWrite ? 0xC0u : 0);
        return new ProcLink(
            owner,
            call => view()?.Files?.Get(number) is not { } file ? null : file.Path is { } path ? LinkText(path, call) : Encoding.UTF8.GetBytes(file.Description),
            call => view()?.Files?.Get(number) is not { } file ? null : file.Path ?? Unnamed(call, file),
            mode, user, group);
    }

    /// <summary>Objects without a name get an entry of their own to walk on, so that opening the link opens the object.</summary>
    private static PathEntry? Unnamed(CallContext? call, OpenFile file) =>
        call?.World.Vfs.Unnamed(file.Inode, Encoding.UTF8.GetBytes(file.Description));

    private static ProcNumbers DescriptorTexts(ProcFileSystem owner, Func<IProcessView?> view, uint user, uint group) => new(
        owner,
        _ => DescriptorNumbers(view()),
        number => new ProcText(owner, call => DescriptorText(view()?.Files, number, call), null, OwnerOnly, user, group),
        user, group, OwnerSearch);

    private static byte[]? DescriptorText(FileTable? files, int number, CallContext? call) =>
        files?.Get(number) is { } file ? Encoding.UTF8.GetBytes(ProcessText.Descriptor(file, files.IsCloseOnExec(number), call)) : null;

    private static List<int> DescriptorNumbers(IProcessView? process)
    {
        List<int> numbers = [];
        for (int fd = 0; process?.Files is { } files && fd < files.End; fd++)
        {
            if (files.Get(fd) is not null)
                numbers.Add(fd);
        }
        return numbers;
    }

    /// <summary>The path of an object as the reader's root shows it, marked when its name is gone.</summary>
    private static byte[] LinkText(PathEntry entry, CallContext? call)
    {
        byte[] path = entry.PathFrom(call?.Process.FileContext.Root, out bool reachable);
        if (!reachable && entry.Dentry.Parent is null && entry.Dentry.Name.Length != 0)
            path = [(byte)'/', .. entry.Dentry.Name];
        bool isRemoved = entry.Dentry.IsRemoved || (!reachable && entry.Dentry.Name.AsSpan().StartsWith("memfd:"u8));
        return isRemoved ? [.. path, .. DeletedSuffix] : path;
    }
}
