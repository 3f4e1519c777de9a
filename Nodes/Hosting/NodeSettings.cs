using Vivarium.Emulator.Memory.Host;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;

namespace Vivarium.Nodes.Hosting;

/// <summary>What submitted jobs may see of the files of the machine that runs them.</summary>
internal enum HostFiles
{
    /// <summary>Nothing: a job brings its image.</summary>
    None,

    /// <summary>The machine's tree, and binds that are not writable.</summary>
    Read,

    /// <summary>Writable binds too.</summary>
    Write,
}

/// <summary>
/// A node's settings; <c>cluster.hocon</c> explains each. A value comes from the file, over that from the environment
/// (VIVARIUM_NODE_NAME for node.name), over that from an option (--node-name).
/// </summary>
internal sealed partial record NodeSettings
{
    public const string FileName = "cluster.hocon";

    private bool _onlyRuns;

    public string Name { get; private set; } = "local";

    /// <summary>Host threads that run worlds.</summary>
    public int Workers { get; set; } = Environment.ProcessorCount;

    /// <summary>Guest instructions a world runs before the next one's turn.</summary>
    public long Quantum { get; private set; } = 4_000_000;

    /// <summary>Worlds at once; 0: four times the workers.</summary>
    public int Capacity { get; private set; }

    /// <summary>Labels of the node, as in "zone=a,disk=fast".</summary>
    public string Labels { get; private set; } = "";

    /// <summary>The folder for what the node keeps; empty: see <see cref="DataFolder"/>.</summary>
    public string Data { get; private set; } = "";

    /// <summary>Programs may be run on the machine itself.</summary>
    public bool AllowsNative { get; private set; }

    /// <summary>Where the HTTP API listens.</summary>
    public string Listen { get; private set; } = "127.0.0.1:7420";

    /// <summary>The API's address as others reach it; empty: as it listens.</summary>
    public string ApiAddress { get; private set; } = "";

    /// <summary>PEM files; empty: no TLS.</summary>
    public string Certificate { get; private set; } = "";

    public string Key { get; private set; } = "";

    /// <summary>The file of bearer tokens; empty: none are asked for.</summary>
    public string TokenFile { get; private set; } = "";

    /// <summary>Bytes of a request's body, images aside.</summary>
    public ulong MaxBody { get; private set; } = 16UL << 20;

    /// <summary>Bytes of an image, compressed and unpacked.</summary>
    public ulong MaxImage { get; private set; } = 8UL << 30;

    /// <summary>Jobs of one submission.</summary>
    public int MaxCount { get; private set; } = 100_000;

    /// <summary>Requests a second of one caller.</summary>
    public int Rate { get; private set; } = 2000;

    /// <summary>The cluster's name, which its store has too.</summary>
    public string ClusterName { get; private set; } = "vivarium";

    /// <summary>Shards of the cluster.</summary>
    public int Shards { get; private set; } = 64;

    /// <summary>"sqlite", "sqlite:FILE", "memory" or "postgres://…".</summary>
    public string Store { get; private set; } = "sqlite";

    /// <summary>How long a node keeps its shards without renewing.</summary>
    public TimeSpan Lease { get; private set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long ended jobs are kept; 0: for ever.</summary>
    public TimeSpan KeepFor { get; private set; } = TimeSpan.FromDays(30);

    /// <summary>Ended jobs that are kept at most; 0: any number.</summary>
    public long KeepJobs { get; private set; } = 1_000_000;

    /// <summary>Where peers reach the node; empty: it has none.</summary>
    public string PeerListen { get; private set; } = "";

    public string PeerAddress { get; private set; } = "";

    /// <summary>PEM files for mutual authentication between nodes.</summary>
    public string PeerCertificate { get; private set; } = "";

    public string PeerKey { get; private set; } = "";

    public string PeerAuthority { get; private set; } = "";

    /// <summary>Memory of a job that asks for none, bytes.</summary>
    public ulong Memory { get; private set; } = JobLimits.DefaultMemory;

    /// <summary>Bytes of output kept of a job.</summary>
    public ulong Output { get; private set; } = 64UL << 20;

    public HostFiles HostFiles { get; private set; } = HostFiles.Read;

    /// <summary>The furthest that a submitted job's network may reach.</summary>
    public NetworkReach Network { get; private set; } = NetworkReach.Virtual;

    /// <summary>Every setting's name, in the order of the file.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "node.name", "node.workers", "node.quantum", "node.capacity", "node.labels", "node.data", "node.native",
        "api.listen", "api.address", "api.certificate", "api.key", "api.token-file", "api.max-body", "api.max-image", "api.max-count", "api.rate",
        "cluster.name", "cluster.shards", "cluster.store", "cluster.lease", "cluster.keep-for", "cluster.keep-jobs",
        "peer.listen", "peer.address", "peer.certificate", "peer.key", "peer.authority",
        "jobs.memory", "jobs.output", "jobs.host-files", "jobs.network",
    ];

    /// <summary>The environment variable that sets a setting: VIVARIUM_NODE_NAME for node.name.</summary>
    public static string VariableOf(string name)
    {
        // By hand: letters by the rules of a culture would be loaded for it at every start.
        char[] letters = ("VIVARIUM_" + name).ToCharArray();
        for (int i = 0; i < letters.Length; i++)
            letters[i] = letters[i] is '.' or '-' ? '_' : char.IsAsciiLetterLower(letters[i]) ? (char)(letters[i] - 'a' + 'A') : letters[i];
        return new string(letters);
    }

    /// <summary>The option that sets a setting: --node-name for node.name.</summary>
    public static string OptionOf(string name) => "--" + name.Replace('.', '-');

    /// <summary>The folder for what the node keeps: the user's for state (XDG Base Directory Specification) unless it is set.</summary>
    public string DataFolder
    {
        get
        {
            if (Data.Length > 0)
                return Data;
            string state = Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } set
                ? set
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
            return Path.Combine(state, "vivarium", Name);
        }
    }

    /// <summary>
    /// The settings in force: those of the file nearest above <paramref name="folder"/>, or the defaults, and the environment's over them.
    /// Null when one is wrong.
    /// </summary>
    /// <param name="onlyRuns">Only what running a program here needs: looking at all else would cost each start some milliseconds.</param>
    public static NodeSettings? Load(string folder, out string? error, bool onlyRuns = false)
    {
        for (DirectoryInfo? place = new(folder); place is not null; place = place.Parent)
        {
            string file = Path.Combine(place.FullName, FileName);
            if (File.Exists(file))
                return LoadFile(file, out error, onlyRuns);
        }
        var settings = new NodeSettings { _onlyRuns = onlyRuns };
        error = settings.TakeEnvironment();
        return error is null ? settings : null;
    }

    /// <summary>The settings of a file, with the environment's over them.</summary>
    public static NodeSettings? LoadFile(string file, out string? error, bool onlyRuns = false)
    {
        try
        {
            NodeSettings? settings = Parse(HostDescriptors.TryReadAll(file) ?? File.ReadAllBytes(file), file, out error, onlyRuns);
            error ??= settings!.TakeEnvironment();
            return error is null ? settings : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            error = $"{file}: {failure.Message}";
            return null;
        }
    }

    /// <summary>Reads settings from text; <paramref name="file"/> is for messages, which name the line.</summary>
    public static NodeSettings? Parse(ReadOnlySpan<byte> text, string file, out string? error, bool onlyRuns = false)
    {
        var settings = new NodeSettings { _onlyRuns = onlyRuns };
        var reader = new SettingsReader(text);
        error = null;
        while (error is null && reader.Read(out string name, out string value))
            error = settings.Set(name, value);
        error ??= reader.Error;
        if (error is not null)
            error = $"{file}:{reader.Line}: {error}";
        return error is null ? settings : null;
    }

    private string? TakeEnvironment()
    {
        foreach (string name in Names)
        {
            if (!(_onlyRuns && IsOfNodesOnly(name)) && Environment.GetEnvironmentVariable(VariableOf(name)) is { } value && Set(name, value) is { } wrong)
                return $"{VariableOf(name)}: {wrong}";
        }
        return null;
    }

    /// <summary>True for settings that only a node which serves others looks at.</summary>
    private static bool IsOfNodesOnly(string name) =>
        name.StartsWith("api.", StringComparison.Ordinal) || name.StartsWith("cluster.", StringComparison.Ordinal) || name.StartsWith("peer.", StringComparison.Ordinal);

    /// <summary>Sets one setting from text; one line on what is wrong with it, or null.</summary>
    public string? Set(string name, string value)
    {
        if (_onlyRuns && IsOfNodesOnly(name))
            return null;
        int dot = name.IndexOf('.');
        bool? isGood = (dot < 0 ? "" : name[..dot]) switch
        {
            "node" => SetNode(name, value),
            "api" => SetApi(name, value),
            "cluster" or "peer" => SetCluster(name, value),
            "jobs" => SetJobs(name, value),
            _ => null,
        };
        return isGood switch
        {
            null => $"there is no setting {name}",
            false => $"{name} cannot be {(value.Length == 0 ? "empty" : value)}: {Expected(name)}",
            _ => null,
        };
    }
}
