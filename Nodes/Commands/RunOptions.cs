using System.Globalization;
using Vivarium.Messages;

namespace Vivarium.Nodes.Commands;

/// <summary>What the words before PROGRAM ask of <c>viv run</c>.</summary>
internal sealed class RunOptions
{
    private readonly List<BindMount> _binds = [];
    private readonly List<string> _environment = [];
    private readonly List<CallFault> _faults = [];

    private readonly bool _isSubmitted;

    /// <param name="isSubmitted">The job runs elsewhere: paths of binds are not this machine's.</param>
    public RunOptions(bool isSubmitted = false)
    {
        _isSubmitted = isSubmitted;
        Table = new OptionTable(
        [
            new("Files", "--rootfs", OptionForm.Value, "DIR|TAR", "The guest's /: a directory or a tar archive (.tar, .tar.gz). Default:\nthis machine's /, read-only under a layer in memory.", SetRoot),
            new("Files", "--bind", OptionForm.Value, "SRC:DST[:rw]", "Show a file or directory of this machine at DST; writable with :rw.", AddBind),
            new("Files", "--cwd", OptionForm.Value, "DIR", "Working directory in the guest. Default: the present one.", SetDirectory),
            new("Network", "--network", OptionForm.Value, "none|virtual|host", "virtual: reach worlds on the same switch; host: also what this machine reaches.\nDefault: none, the world itself.", SetReach),
            new("Network", "--switch", OptionForm.Value, "NAME[=ADDR/LEN]", "The switch to join, and the address there. Default: default. Implies virtual.", SetSwitch),
            new("Network", "--publish", OptionForm.Value, "HOST:GUEST", "Lead this machine's loopback TCP port HOST to the guest's port GUEST.", AddPublished),
            new("Process", "--env", OptionForm.Value, "K=V", "Set a variable, over those passed on from here. K= empties it, K removes it.", AddVariable),
            new("Process", "--user", OptionForm.Value, "UID[:GID]", "Run as this user. Default: yours.", SetUser),
            new("Process", "--memory", OptionForm.Value, "SIZE", "Memory limit, with K, M or G. Default: 4G.", SetMemory),
            new("Process", "--timeout", OptionForm.Value, "TIME", "Kill it after TIME (10, 1.5s, 200ms, 5m, 1h); exit code 124.", SetTimeout),
            new("Machine", "--os", OptionForm.Value, "NAME", "The system that PROGRAM is for, as in freebsd, whatever mark it bears.\nDefault: as its mark says.", value => Set(() => OperatingSystem = value.ToLowerInvariant())),
            new("Machine", "--arch", OptionForm.Value, "NAME", "The processor that PROGRAM must be for, as in arm64.", value => Set(() => Architecture = Platform.Processor(value))),
            new("Machine", "--numa-nodes", OptionForm.Value, "N", "Nodes that its memory lies in (1 to 64), for programs that choose among them.\nDefault: 1.", SetMemoryNodes),
            new("Machine", "--engine", OptionForm.Value, "NAME", "What executes instructions: translator (default) or interpreter.", SetEngine),
            new("Machine", "--clock", OptionForm.Value, "real|virtual", "virtual: sleeping takes no time, and the time is the same in every run.", SetClock),
            new("Machine", "--seed", OptionForm.Value, "N", "Fix scheduling and randomness: same seed, same run.", SetSeed),
            new("Machine", "--fault", OptionForm.Value, "CALL[@N|%P]=TIME|ERROR", "Let calls go wrong: fsync@57=50ms makes the 57th fsync take 50 ms longer,\nwrite%2=ENOSPC lets two writes in a hundred fail, chosen by the seed. May be repeated.", AddFault),
            new("Watching", "--strace", OptionForm.OptionalValue, "FILE", "List every system call on standard error or in FILE, as strace does.", SetListing),
            new("Watching", "--strace-summary", OptionForm.Flag, "", "Count and time calls by name, as strace -c does.", _ => Set(() => Summary = true)),
            new("Watching", "--trace", OptionForm.Value, "full|folded|off", "What is recorded of calls: full also keeps the bytes read and written. Default: folded.\nSpans go to OTEL_EXPORTER_OTLP_ENDPOINT (a collector, Jaeger) when that is set.", SetTrace),
            new("Watching", "--trace-file", OptionForm.Value, "FILE", "Write the trace: Jaeger's JSON, or by its end .perfetto.json, .otlp.json, .trace.\nviv trace FILE tells its story.", SetTraceFile),
            new("Watching", "--stats", OptionForm.Flag, "", "Afterwards: instructions, calls by name, peak memory, calls not implemented.", _ => Set(() => Statistics = true)),
            new("Other", "--help", OptionForm.Flag, "", "Show this.", _ => Set(() => Help = true)),
        ]);
    }

    public OptionTable Table { get; }

    public string? RootFilesystem { get; private set; }

    public IReadOnlyList<BindMount> Binds => _binds;

    public IReadOnlyList<string> Variables => _environment;

    public NetworkSettings Network { get; private set; } = new();

    public string? WorkingDirectory { get; private set; }

    public UserIdentity? User { get; private set; }

    /// <summary>Bytes; null = the node's default.</summary>
    public ulong? Memory { get; private set; }

    public int? MemoryNodes { get; private set; }

    public TimeSpan? Timeout { get; private set; }

    /// <summary>Null: as the program's mark says.</summary>
    public string? OperatingSystem { get; private set; }

    /// <summary>Null: as the program's header says.</summary>
    public string? Architecture { get; private set; }

    public EngineKind Engine { get; private set; }

    public ClockKind Clock { get; private set; }

    public ulong? Seed { get; private set; }

    public IReadOnlyList<CallFault> Faults => _faults;

    public bool Listing { get; private set; }

    /// <summary>Null: standard error.</summary>
    public string? ListingFile { get; private set; }

    public bool Summary { get; private set; }

    public TraceLevel TraceLevel { get; private set; }

    public string? TraceFile { get; private set; }

    public bool Statistics { get; private set; }

    public bool Help { get; private set; }

    private static string? Set(Action set)
    {
        set();
        return null;
    }

    private string? SetRoot(string path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
            return $"no such directory or archive: {path}";
        RootFilesystem = Path.GetFullPath(path);
        return null;
    }

    private string? AddBind(string text)
    {
        string[] parts = text.Split(':');
        bool writable = parts is [_, _, "rw"];
        if (!writable && parts is not ([_, _] or [_, _, "ro"]))
            return $"not SRC:DST[:rw]: {text}";
        if (!parts[1].StartsWith('/'))
            return $"the guest's path must begin with /: {parts[1]}";
        if (!_isSubmitted && !File.Exists(parts[0]) && !Directory.Exists(parts[0]))
            return $"no such file or directory: {parts[0]}";
        if (_isSubmitted && !parts[0].StartsWith('/'))
            return $"the node's path must begin with /: {parts[0]}";
        _binds.Add(new BindMount(Path.GetFullPath(parts[0]), parts[1], writable));
        return null;
    }

    private string? SetReach(string text)
    {
        NetworkReach? reach = text switch { "none" => NetworkReach.None, "virtual" => NetworkReach.Virtual, "host" => NetworkReach.Host, _ => null };
        Network = Network with { Reach = reach ?? NetworkReach.None };
        return reach is null ? $"no such network: {text} (there are: none, virtual, host)" : null;
    }

    private string? SetSwitch(string text)
    {
        string[] parts = text.Split('=');
        if (parts.Length > 2 || parts[0].Length is 0 or > 32 || !parts[0].All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_'))
            return $"not NAME[=ADDR/LEN], the name of letters, digits, - and _: {text}";
        if (parts.Length == 2 && !IsAddress(parts[1]))
            return $"not an address with its prefix's length such as 10.1.0.5/24: {parts[1]}";
        NetworkReach reach = Network.Reach == NetworkReach.None ? NetworkReach.Virtual : Network.Reach;
        Network = Network with { Switch = parts[0], Address = parts.Length == 2 ? parts[1] : null, Reach = reach };
        return null;
    }

    private static bool IsAddress(string text) => text.Split('/') is [var address, var length]
        && System.Net.IPAddress.TryParse(address, out System.Net.IPAddress? parsed) && parsed.ToString() == address
        && int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits <= (address.Contains(':') ? 128 : 32);

    private string? AddPublished(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length != 2 || !TryPort(parts[0], out int host) || !TryPort(parts[1], out int guest))
            return $"not HOST:GUEST, both ports from 1 to 65535: {text}";
        Network = Network with { Published = [.. Network.Published, new PublishedPort(host, guest)] };
        return null;
    }

    private static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= 65_535;

    private string? SetDirectory(string path)
    {
        WorkingDirectory = path;
        return path.StartsWith('/') ? null : $"must begin with /: {path}";
    }

    private string? AddVariable(string text)
    {
        _environment.Add(text);
        return text is "" or ['=', ..] ? "needs a name: K=V" : null;
    }

    private string? SetUser(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length > 2 || !TryNumber(parts[0], out uint user))
            return $"not UID[:GID] in numbers: {text}";
        uint group = user;
        if (parts.Length == 2 && !TryNumber(parts[1], out group))
            return $"not UID[:GID] in numbers: {text}";
        User = new UserIdentity(user, group);
        return null;
    }

    private string? SetMemory(string text)
    {
        if (!Quantity.TryParseSize(text, out ulong bytes) || bytes == 0)
            return $"not a size such as 512M or 4G: {text}";
        Memory = bytes;
        return null;
    }

    private string? SetMemoryNodes(string text)
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int nodes) || nodes is < 1 or > JobLimits.MostMemoryNodes)
            return $"not a number of nodes from 1 to {JobLimits.MostMemoryNodes}: {text}";
        MemoryNodes = nodes;
        return null;
    }

    private string? SetTimeout(string text)
    {
        if (!Quantity.TryParseTime(text, out TimeSpan time) || time <= TimeSpan.Zero)
            return $"not a time such as 10, 1.5s, 200ms or 5m: {text}";
        Timeout = time;
        return null;
    }

    private string? SetEngine(string text)
    {
        Engine = text == "interpreter" ? EngineKind.Interpreter : EngineKind.Translator;
        return text is "translator" or "interpreter" ? null : $"no such engine: {text} (there are: translator, interpreter)";
    }

    private string? SetClock(string text)
    {
        Clock = text == "virtual" ? ClockKind.Virtual : ClockKind.Real;
        return text is "real" or "virtual" ? null : $"no such clock: {text} (there are: real, virtual)";
    }

    private string? SetSeed(string text)
    {
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed))
            return $"not a number from 0 to 18446744073709551615: {text}";
        Seed = seed;
        return null;
    }

    private string? SetListing(string file)
    {
        if (_isSubmitted && file.Length > 0)
            return "the listing of a submitted job is in its log";
        Listing = true;
        ListingFile = file.Length == 0 ? null : file;
        return null;
    }

    private string? AddFault(string text)
    {
        if (CallFault.Parse(text, out string? error) is { } fault)
            _faults.Add(fault);
        return error;
    }

    private string? SetTrace(string text)
    {
        TraceLevel? level = text switch { "full" => TraceLevel.Full, "folded" => TraceLevel.Folded, "off" => TraceLevel.Off, _ => null };
        TraceLevel = level ?? TraceLevel.Folded;
        return level is null ? $"no such level: {text} (there are: full, folded, off)" : null;
    }

    private string? SetTraceFile(string file)
    {
        TraceFile = file;
        return file.Length == 0 ? "needs the name of a file" : null;
    }

    private static bool TryNumber(string text, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
