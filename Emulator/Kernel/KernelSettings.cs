using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Kernel;

/// <summary>A number that administrators set, and the range it may be set in (sysctl(8)).</summary>
public sealed class Setting(long value, long lowest = 0, long highest = int.MaxValue)
{
    /// <summary>Of 64 bits without a sign: its value is one as a <see cref="ulong"/>, and has no other range.</summary>
    public bool IsUnsigned { get; init; }

    public long Value { get; private set; } = value;

    /// <summary>Called when it was set.</summary>
    public event Action<long>? Changed;

    /// <summary>EINVAL outside of the range.</summary>
    public Errno Set(long wanted)
    {
        if (!IsUnsigned && (wanted < lowest || wanted > highest))
            return Errno.EINVAL;
        Value = wanted;
        Changed?.Invoke(wanted);
        return Errno.None;
    }

    /// <summary>The numbers of a file in /proc/sys, between tabs.</summary>
    internal static string Text(ReadOnlySpan<Setting> settings)
    {
        StringBuilder text = new();
        foreach (Setting setting in settings)
            text.Append(text.Length > 0 ? "\t" : "")
                .Append(setting.IsUnsigned ? ((ulong)setting.Value).ToString(CultureInfo.InvariantCulture) : setting.Value.ToString(CultureInfo.InvariantCulture));
        return text.Append('\n').ToString();
    }

    /// <summary>Takes as many numbers as there are, as far as they are numbers; EINVAL when not even the first is one, or one is out of range.</summary>
    internal static Errno Store(ReadOnlySpan<Setting> settings, ReadOnlySpan<byte> text)
    {
        string[] words = Encoding.Latin1.GetString(text).Split((char[])[' ', '\t', '\n', '\0'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
            return Errno.EINVAL;
        for (int i = 0; i < Math.Min(words.Length, settings.Length); i++)
        {
            // proc_doulongvec_minmax passes over what has a sign.
            if (settings[i].IsUnsigned && words[i].StartsWith('-'))
                continue;
            if (!TryParse(words[i], settings[i].IsUnsigned, out long value))
                return Errno.EINVAL;
            Errno error = settings[i].Set(value);
            if (error != Errno.None)
                return error;
        }
        return Errno.None;
    }

    /// <summary>Decimal, or hexadecimal behind 0x.</summary>
    private static bool TryParse(string word, bool isUnsigned, out long value)
    {
        if (!isUnsigned)
            return TryParse(word, out value);
        bool isNumber = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits)
            : ulong.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out bits);
        value = (long)bits;
        return isNumber;
    }

    private static bool TryParse(string word, out long value) => word.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? long.TryParse(word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
        : long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
}

/// <summary>What administrators of a world may set, for all of it; what belongs to a name space is there (<see cref="Ipc.IpcSpace"/>).</summary>
public sealed class KernelSettings
{
    /// <summary>Ids of processes and threads stay below it.</summary>
    public Setting PidLimit { get; } = new(4_194_304, 301, 4_194_304);

    /// <summary>Bytes an unprivileged pipe may have room for.</summary>
    public Setting PipeSize { get; } = new(1 << 20, 4096);

    /// <summary>Seconds that the holder of a lease has to give it up.</summary>
    public Setting LeaseBreakTime { get; } = new(45);

    /// <summary>RLIMIT_NOFILE goes no higher.</summary>
    public Setting MostDescriptors { get; } = new(Files.FileTable.MaxDescriptors, 64, Files.FileTable.MaxDescriptors);

    /// <summary>Only the owner links what it could not write anyway; symbolic links in sticky directories lead only their owners on (proc(5)).</summary>
    public Setting ProtectedHardLinks { get; } = new(1, 0, 1);

    public Setting ProtectedLinks { get; } = new(0, 0, 1);

    /// <summary>Pages that all pipes of an unprivileged user may take: beyond the first, new ones are small; beyond the second, there are none. 0 = no limit.</summary>
    public Setting PipePagesSoft { get; } = new(16_384);

    public Setting PipePagesHard { get; } = new(0);

    public Setting ChangeQueues { get; } = new(128);

    public Setting FileWatches { get; } = new(65_536);

    /// <summary>Records in a queue of file changes.</summary>
    public Setting QueuedChanges { get; } = new(16_384);

    public Setting AlertGroups { get; } = new(128);

    /// <summary>Who has no privilege may not load programs (bpf(2)): 0 may, 1 may not and never will, 2 may not.</summary>
    public Setting ProgramsForbidden { get; } = new(0, 0, 2);

    /// <summary>What was last dropped of what is known of files: 1 their content, 2 themselves, 3 both (proc_sys_vm(5)).</summary>
    public Setting DroppedCaches { get; } = new(0, 1, 4);

    public Setting AlertMarks { get; } = new(65_536);

    public Setting QueuedAlerts { get; } = new(16_384);

    /// <summary>Events of all asynchronous contexts together.</summary>
    public Setting AccountResume { get; } = new(4);

    public Setting AccountPause { get; } = new(2);

    public Setting AccountInterval { get; } = new(30);

    public Setting AsyncEvents { get; } = new(65_536, 0, long.MaxValue);

    /// <summary>Areas of an address space.</summary>
    public Setting MostAreas { get; } = new(65_530);

    /// <summary>Who is nobody may watch faults of the kernel's accesses too (userfaultfd(2)).</summary>
    public Setting UnprivilegedMonitors { get; } = new(0, 0, 1);

    /// <summary>What files of core dumps are called (core(5)).</summary>
    public string CorePattern { get; set; } = "core";

    /// <summary>Name spaces of a kind that may be in use at once, by the kind's name in /proc/PID/ns.</summary>
    public Setting NamespacesOf(string kind)
    {
        if (!_namespaces.TryGetValue(kind, out Setting? most))
            _namespaces.Add(kind, most = new Setting(63_432));
        return most;
    }

    private readonly SortedDictionary<string, Setting> _namespaces = new(StringComparer.Ordinal);

    /// <summary>Keys, and their bytes, that a user may have; and the same for root.</summary>
    public Setting Keys { get; } = new(200);

    public Setting KeyBytes { get; } = new(20_000);

    public Setting RootKeys { get; } = new(1_000_000);

    public Setting RootKeyBytes { get; } = new(25_000_000);
}
