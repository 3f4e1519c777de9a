using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Cluster;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Images;
using Vivarium.Nodes.Native;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// A node of the cluster inside this process: its store, its share of the shards, its workers and images. <c>viv node</c> serves it
/// over HTTP; <c>viv test</c> uses one directly.
/// </summary>
internal sealed class NodeHost : IAsyncDisposable
{
    private const ulong CacheShare = 4;

    /// <summary>Bytes of traces that a node keeps.</summary>
    private const long TraceRoom = 1L << 30;

    private readonly WorkerPool _workers;
    private readonly Timer _timer;
    private readonly Timer _metricsTimer;
    private readonly PeerServer? _server;
    private readonly TaskCompletionSource _drainAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private NodeHost(NodeSettings settings, IJobStore store, PeerIdentity? identity, string? apiAddress)
    {
        Settings = settings;
        Store = store;
        Directory.CreateDirectory(settings.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Images = new ImageCatalog(store, settings.MaxImage, HostClock.Instance);
        _workers = new WorkerPool(HostClock.Instance, settings.Quantum);
        Traces = new NodeTraces(Path.Combine(settings.DataFolder, "traces"), TraceRoom, OtlpSettings.FromEnvironment(out _), settings.Name, store);
        Metrics = new NodeMetrics(settings.Name, store, _workers, settings.Quantum, static () => EmulatorBackend.Translated, Traces);
        _metricsTimer = new Timer(_ => Traces.Sender?.OfferMetrics(Metrics));
        var services = new JobServices(settings.Name, settings.AllowsNative ? new BackendChoice(Backend(), new NativeBackend()) : Backend(), _workers, HostClock.Instance, BugReport.Describe)
        {
            Preparation = new ImageCache(store, Path.Combine(settings.DataFolder, "images"), settings.MaxImage * CacheShare),
        };
        Lease = new LeaseSettings(settings.Lease.Ticks * 100);
        var cluster = new ClusterSettings { Node = Describe(settings, apiAddress), Shards = settings.Shards, Lease = Lease };
        Peers = identity is null ? null : new PeerClient(identity);
        Cluster = new JobCluster(cluster, store, services, HostClock.Instance, Peers);
        _server = identity is null ? null : new PeerServer(settings, identity, Cluster, Traces, () => _drainAsked.TrySetResult());
        ClusterTraces = new ClusterTraces(settings.Name, Traces, store, (id, command) => new ValueTask<JobReply>(Cluster.Tell(id, command)), Peers);
        Cluster.Keeper.Replaced += () => _left.TrySetResult();
        _timer = new Timer(_ => Cluster.Tick());
    }

    public NodeSettings Settings { get; }

    public IJobStore Store { get; }

    public JobCluster Cluster { get; }

    public ImageCatalog Images { get; }

    /// <summary>The traces of the jobs that ran here.</summary>
    public NodeTraces Traces { get; }

    /// <summary>What it tells in figures.</summary>
    public NodeMetrics Metrics { get; }

    /// <summary>The traces of all jobs, wherever they run or ran.</summary>
    public ClusterTraces ClusterTraces { get; }

    public LeaseSettings Lease { get; }

    /// <summary>The way to the other nodes; null for a node that has none.</summary>
    public PeerClient? Peers { get; }

    public bool IsDraining => Cluster.Keeper.IsDraining;

    /// <summary>True while jobs start here.</summary>
    public bool IsReady => Cluster.Keeper.IsMember && !IsDraining;

    /// <summary>Completes when another node asks this one to drain and leave.</summary>
    public Task DrainAsked => _drainAsked.Task;

    /// <summary>Completes when another process has taken this node's name.</summary>
    public Task Replaced => _left.Task;

    /// <summary>Joins the cluster and begins to work.</summary>
    /// <param name="apiAddress">Where others reach its API; null when it has none.</param>
    /// <exception cref="StoreUnavailableException">The store cannot be reached.</exception>
    /// <exception cref="StoreRefusedException">The store cannot be used.</exception>
    public static async Task<NodeHost> Start(NodeSettings settings, string? apiAddress)
    {
        PeerIdentity? identity = PeerIdentity.Load(settings);
        IJobStore store = await Stores.Open(settings).ConfigureAwait(false);
        var node = new NodeHost(settings, store, identity, apiAddress);
        if (node._server is { } server)
            await server.Start().ConfigureAwait(false);
        await node.Cluster.Keeper.Join().ConfigureAwait(false);
        for (int i = 0; i < settings.Workers; i++)
            new Thread(node._workers.Work, LocalNode.WorkerStack) { IsBackground = true, Name = $"worker {i}" }.Start();
        // Oftener than anything is due, so that what is late is only the timer's part.
        var interval = TimeSpan.FromTicks(node.Lease.Observation / 100 / 2);
        node._timer.Change(interval, interval);
        if (node.Traces.Sender is not null)
            node._metricsTimer.Change(OtlpSettings.MetricInterval(), OtlpSettings.MetricInterval());
        return node;
    }

    /// <summary>Starts nothing more and waits until what runs has ended or been handed over, or the time is over.</summary>
    public async Task Drain(TimeSpan patience, CancellationToken hurry)
    {
        Cluster.Keeper.Drain();
        long until = HostClock.Instance.Monotonic + (patience.Ticks * 100);
        try
        {
            while (Cluster.Feeder.Running > 0 && HostClock.Instance.Monotonic < until)
                await Task.Delay(TimeSpan.FromMilliseconds(50), hurry).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // What still runs is queued again for another node, or for this one's next start.
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Cluster.Keeper.Leave().ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            // The others find out by themselves.
        }
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _metricsTimer.DisposeAsync().ConfigureAwait(false);
        _workers.Stop();
        if (_server is not null)
            await _server.DisposeAsync().ConfigureAwait(false);
        Peers?.Dispose();
        await Traces.DisposeAsync().ConfigureAwait(false);
        Images.Dispose();
        await Store.DisposeAsync().ConfigureAwait(false);
    }

    private static NodeDescription Describe(NodeSettings settings, string? apiAddress)
    {
        NodeSettings.TryLabels(settings.Labels, out Dictionary<string, string> labels);
        return new NodeDescription
        {
            Name = settings.Name,
            ApiAddress = apiAddress,
            PeerAddress = settings.PeerListen.Length == 0 ? null : settings.PeerAddress.Length > 0 ? settings.PeerAddress : "https://" + settings.PeerListen,
            Architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
            Cores = Environment.ProcessorCount,
            Memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            Engines = ["translator", "interpreter"],
            Backends = [.. EmulatedPlatforms.Advertised, .. settings.AllowsNative ? (ReadOnlySpan<string>)[NativeBackend.Name] : []],
            Labels = labels,
            Capacity = settings.Capacity > 0 ? settings.Capacity : 4 * settings.Workers,
            Version = HelpText.Version,
        };
    }

    private EmulatorBackend Backend() => new(new EmulatorServices
    {
        Clock = HostClock.Instance,
        Streams = static (spec, output) => Streams(spec, output),
        Seeds = static () => (ulong)Random.Shared.NextInt64(),
        Node = Settings.Name,
        Traces = Traces.Take,
        UnfinishedTraces = Traces.TakeUnfinished,
        PackTrace = static (trace, done) => Task.Run(() => done(TraceFile.Write(trace))),
        Switches = HostSwitch.Join,
        Outside = HostNetwork.Instance,
        Publish = HostNetwork.Publish,
    });

    /// <summary>A submitted job reads what came with it, and its output is kept; a listing of its calls goes to its error stream.</summary>
    private static JobStreams Streams(JobSpec spec, JobOutput output)
    {
        Emulator.Kernel.IHostOutput error = output.Open(OutputStream.Error);
        return new JobStreams(new FixedInput(spec.Input), output.Open(OutputStream.Standard), error)
        {
            Listing = spec.Tracing.Listing ? lines => WriteAll(error, lines) : null,
        };
    }

    /// <summary>The listing is not held back by a store that is behind: what does not fit is left out by the output's own limit.</summary>
    private static void WriteAll(Emulator.Kernel.IHostOutput output, ReadOnlySpan<byte> lines)
    {
        while (!lines.IsEmpty && output.TryWrite(lines) is > 0 and var count)
            lines = lines[count..];
    }
}
