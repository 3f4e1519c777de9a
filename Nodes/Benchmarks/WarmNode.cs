using System.Diagnostics;
using System.Text;
using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;
using Vivarium.Nodes.Hosting;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>A node inside this process that has run its program before: what a job costs a farm, without the start of <c>viv</c>.</summary>
internal sealed class WarmNode : IDisposable
{
    private static readonly TimeSpan WarmUpTime = TimeSpan.FromSeconds(3);

    private readonly LocalNode _node;
    private readonly Sink _output = new();
    private TraceRecording? _trace;

    public WarmNode()
    {
        var backend = new EmulatorBackend(new EmulatorServices
        {
            Clock = HostClock.Instance,
            Streams = (_, _) => new JobStreams(NoInput.Instance, _output, _output),
            Seeds = () => 1,
            Traces = trace => _trace = trace,
        });
        var settings = NodeSettings.Load(AppContext.BaseDirectory, out string? error) ?? throw new InvalidOperationException(error);
        _node = new LocalNode(backend, settings);
    }

    /// <summary>
    /// Runs a program for so long that the run-time has compiled what is hot for good, as it does over a node's first seconds; until then a
    /// job takes two to four times as long.
    /// </summary>
    public void WarmUp(params string[] command)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < WarmUpTime)
            Run(100, command);
    }

    /// <summary>Jobs one after another, each submitted when the last has ended: milliseconds of each, unsorted.</summary>
    public double[] Run(int count, params string[] command)
    {
        JobSpec spec = Describe(command);
        double[] times = new double[count];
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            JobResult result = _node.Run(new JobId(Guid.NewGuid()), spec);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            if (result.ExitCode != 0)
                throw new InvalidOperationException($"{command[0]} ended with code {result.ExitCode}: {result.Message}");
        }
        return times;
    }

    /// <summary>Runs a job; milliseconds of processor time of the whole process until it was over.</summary>
    public double ProcessorTime(JobSpec spec)
    {
        GC.Collect();
        _trace = null;
        TimeSpan start = Environment.CpuUsage.TotalTime;
        JobResult result = _node.Run(new JobId(Guid.NewGuid()), spec);
        TimeSpan used = Environment.CpuUsage.TotalTime - start;
        if (result.ExitCode != 0)
            throw new InvalidOperationException($"the job ended with code {result.ExitCode}: {result.Message}");
        return used.TotalMilliseconds;
    }

    /// <summary>What was recorded of the last job that <see cref="KeepTrace"/> was told of; null = nothing yet.</summary>
    public TraceRecording? LastTrace { get; private set; }

    public void KeepTrace() => LastTrace = _trace;

    public void Dispose() => _node.Dispose();

    public static JobSpec Describe(string[] command) => new()
    {
        Program = Encoding.UTF8.GetBytes(command[0]),
        Arguments = [.. command.Select(Encoding.UTF8.GetBytes)],
        Environment = RawArguments.Environment(),
    };

    private sealed class NoInput : IHostInput
    {
        public static readonly NoInput Instance = new();

        public event Action? Available
        {
            add { }
            remove { }
        }

        public bool IsTerminal => false;

        public int TryRead(Span<byte> destination) => 0;
    }

    private sealed class Sink : IHostOutput
    {
        public event Action? RoomAvailable
        {
            add { }
            remove { }
        }

        public bool IsTerminal => false;

        public int TryWrite(ReadOnlySpan<byte> source) => source.Length;
    }
}
