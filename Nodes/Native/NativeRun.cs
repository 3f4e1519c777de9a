using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory.Host;
using Vivarium.Messages;

namespace Vivarium.Nodes.Native;

/// <summary>
/// One job on the host: its program in namespaces of its own (users, mounts, network, IPC, host name), without new privileges, its memory
/// limited, every process of it traced. Sees the host's files as its user may.
/// </summary>
internal sealed class NativeRun(JobSpec spec, IHostOutput output, IHostOutput error) : IJobRun
{
    /// <summary>Stops until it is traced, then becomes the program.</summary>
    private const string Waiter = "cd \"$1\" || exit 125; shift; kill -STOP $$; exec \"$@\"";

    private readonly Lock _lock = new();
    private NativeTracer? _tracer;
    private Thread? _thread;
    private JobResult? _result;
    private int _process;
    private bool _isDisposed;

    public event Action? Woken;

    public JobResult Result => (_result ?? new JobResult { End = JobEnd.Broken }) with
    {
        Usage = new JobUsage { Calls = spec.Tracing.Counts ? _tracer?.Usage ?? [] : [], Processes = _tracer?.Processes ?? 0 },
    };

    public RunState Run(long quantum)
    {
        lock (_lock)
        {
            if (_result is not null)
                return RunState.Done;
            if (_thread is null)
            {
                if (Refuse() is { } why)
                {
                    _result = JobResult.NotStarted(JobFailure.BadSetup, why);
                    return RunState.Done;
                }
                _thread = new Thread(Work, 256 * 1024) { IsBackground = true, Name = "native" };
                _thread.Start();
            }
            return RunState.Idle(null);
        }
    }

    public void Deliver(JobCommand command, Action<JobReply> reply)
    {
        int? signal = command switch
        {
            JobCommand.Kill { Process: null } kill => kill.Number,
            JobCommand.Signal { Number: TerminalSignal.Interrupt } => 2,
            JobCommand.Signal { Number: TerminalSignal.Quit } => 3,
            JobCommand.Signal { Number: TerminalSignal.HangUp } => 1,
            JobCommand.Signal => 15,
            _ => null,
        };
        lock (_lock)
        {
            if (signal is null)
                reply(new JobReply(JobReplyKind.Refused, "a native job has no world to look into"));
            else if (_process == 0 || _result is not null)
                reply(JobReply.NotRunning);
            else
                reply(Libc.Kill(_process, signal.Value) == 0 ? JobReply.Done : JobReply.NotRunning);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            if (_process > 0 && _result is null)
                Libc.Kill(-_process, Ptrace.SigKill);
        }
        _thread?.Join();
    }

    /// <summary>What the host cannot give a job; null when it can run.</summary>
    private string? Refuse()
    {
        if (spec.RootFilesystem is not null || spec.Image is not null || spec.Binds.Count > 0 || spec.Files.Count > 0)
            return "native jobs run in the machine's own tree: no image, binds or files";
        if (spec.Clock == ClockKind.Virtual || spec.Network.Reach != NetworkReach.None)
            return "native jobs have the machine's clock, and no network";
        if (Libc.GetUid() != 0 && spec.User.User != Libc.GetUid())
            return $"this node cannot run native jobs as user {spec.User.User}";
        return null;
    }

    private void Work()
    {
        (int Read, int Write) input = Ptrace.NewPipe(), standard = Ptrace.NewPipe(), errors = Ptrace.NewPipe();
        int process;
        lock (_lock)
            process = _isDisposed ? -1 : _process = Ptrace.Start("/usr/bin/prlimit", Command(), spec.Environment, input.Read, standard.Write, errors.Write);
        Ptrace.Close(input.Read);
        Ptrace.Close(standard.Write);
        Ptrace.Close(errors.Write);
        Thread writer = StartThread(() => Feed(input.Write)), reader = StartThread(() => Drain(standard.Read, output)), errorReader = StartThread(() => Drain(errors.Read, error));
        _tracer = new NativeTracer(spec.Tracing.Listing ? line => Write(error, line) : null);
        int? status = process > 0 ? _tracer.Follow(process) : null;
        writer.Join();
        reader.Join();
        errorReader.Join();
        lock (_lock)
            _result = Describe(status);
        Woken?.Invoke();
    }

    private static Thread StartThread(Action work)
    {
        var thread = new Thread(() => work(), 128 * 1024) { IsBackground = true, Name = "native stream" };
        thread.Start();
        return thread;
    }

    /// <summary>prlimit(1), setpriv(1) and unshare(1) become each other, and then the program: one process throughout.</summary>
    private List<byte[]> Command()
    {
        List<string> words = ["prlimit", string.Create(CultureInfo.InvariantCulture, $"--data={spec.Limits.Memory}"), "--core=0", "/usr/bin/setpriv"];
        if (Libc.GetUid() == 0)
            words.AddRange([$"--reuid={spec.User.User}", $"--regid={spec.User.Group}", "--clear-groups"]);
        words.AddRange(["--no-new-privs", "/usr/bin/unshare", "--user", "--map-current-user", "--mount", "--net", "--ipc", "--uts", "/bin/sh", "-c", Waiter, "sh", spec.WorkingDirectory]);
        return [.. words.Select(Encoding.UTF8.GetBytes), .. spec.Arguments];
    }

    private void Feed(int descriptor)
    {
        ReadOnlySpan<byte> left = spec.Input;
        while (!left.IsEmpty)
        {
            nint count = HostDescriptors.Write(descriptor, in MemoryMarshal.GetReference(left), (nuint)left.Length);
            // Nobody reads any more (EPIPE; this run-time ignores SIGPIPE).
            if (count < 0 && Marshal.GetLastPInvokeError() != Libc.Eintr)
                break;
            left = left[Math.Max(0, (int)count)..];
        }
        Ptrace.Close(descriptor);
    }

    private static void Drain(int descriptor, IHostOutput sink)
    {
        byte[] buffer = new byte[1 << 16];
        while (true)
        {
            nint count = HostDescriptors.Read(descriptor, ref buffer[0], (nuint)buffer.Length);
            if (count > 0)
                Write(sink, buffer.AsSpan(0, (int)count));
            else if (count == 0 || Marshal.GetLastPInvokeError() != Libc.Eintr)
                break;
        }
        Ptrace.Close(descriptor);
    }

    /// <summary>Writes all, waiting while the sink has no room.</summary>
    private static void Write(IHostOutput sink, ReadOnlySpan<byte> bytes)
    {
        using var room = new SemaphoreSlim(0);
        Action available = () => room.Release();
        sink.RoomAvailable += available;
        while (!bytes.IsEmpty && sink.TryWrite(bytes) is >= 0 and var count)
        {
            if (count == 0)
                room.Wait(TimeSpan.FromMilliseconds(100));
            bytes = bytes[count..];
        }
        sink.RoomAvailable -= available;
    }

    private static JobResult Describe(int? status)
    {
        if (status is not { } ended)
            return JobResult.NotStarted(JobFailure.BadSetup, "the program cannot be started natively: namespaces or tracing are not allowed here");
        int signal = ended & 0x7F;
        return signal == 0
            ? new JobResult { End = JobEnd.Exited, Code = (ended >> 8) & 0xFF }
            : new JobResult { End = JobEnd.Killed, Code = signal };
    }
}
