using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Messages;
using Vivarium.Telemetry.Spans;

namespace Vivarium.Telemetry;

/// <summary>Records what a world's programs do: exact counts always, spans when asked for, and a listing through another observer.</summary>
public sealed class CallRecorder : ICallObserver
{
    private readonly ICallObserver? _listing;
    private readonly JobTrace? _trace;
    private readonly Dictionary<GuestThread, Pending> _open = [];
    private World? _world;
    private long _toRealtime;

    /// <param name="listing">Writes calls as they come; null = none.</param>
    /// <param name="tracesSpans">Whether <see cref="Trace"/> is kept.</param>
    /// <param name="now">The time spans begin at, nanoseconds since the epoch.</param>
    public CallRecorder(ICallObserver? listing, bool tracesSpans, long now)
    {
        _listing = listing;
        _trace = tracesSpans ? new JobTrace(now) : null;
    }

    public CallLedger Ledger { get; } = new();

    /// <summary>The spans so far; null when none are kept.</summary>
    public JobTrace? Trace => _trace;

    /// <summary>Begins with the world's processes, which must not have run yet.</summary>
    public void Attach(World world)
    {
        _world = world;
        _toRealtime = world.Clock.Realtime - world.Clock.Monotonic;
        if (_trace is null)
            return;
        world.ProcessStarted += process => _trace.Begin(process.Id, process.ParentId, Now);
        world.ProcessEnded += (process, status) => _trace.Finish(
            process.Id,
            Now,
            status.Change == ChildChange.Exited ? status.Value : null,
            status.Change == ChildChange.Killed ? SignalName(status.Value) : null);
    }

    public void OnEnter(GuestThread thread)
    {
        _open[thread] = new Pending(thread.Call.Number, thread.Call.StartedAt);
        _listing?.OnEnter(thread);
    }

    public void OnExit(GuestThread thread, in CallResult result)
    {
        if (_open.Remove(thread, out Pending call))
        {
            long end = thread.Process.World.Clock.Monotonic;
            bool failed = result.Outcome == CallOutcome.Error;
            Ledger.Add(call.Number, end - call.Start, failed, failed && result.Error == Errno.ENOSYS);
            if (_trace is not null)
                AddSpan(thread, call, end, failed ? result.Error.ToString() : null);
        }
        _listing?.OnExit(thread, result);
    }

    public void OnSignal(GuestThread thread, in SignalInfo info) => _listing?.OnSignal(thread, info);

    public void OnEnd(GuestThread thread, WaitStatus status)
    {
        _open.Remove(thread);
        _listing?.OnEnd(thread, status);
    }

    /// <summary>The calls by name.</summary>
    public IReadOnlyList<CallUsage> Usage(IPersonality personality) => Ledger.ToUsage(personality.CallName);

    private long Now => _world!.Clock.Monotonic + _toRealtime;

    private void AddSpan(GuestThread thread, Pending call, long end, string? error)
    {
        Process process = thread.Process;
        string name = process.World.Personality.CallName(call.Number) ?? $"syscall_{call.Number}";
        if (_trace!.Find(process.Id) is { } trace && process.Executable is { } executable && !ReferenceEquals(trace.Source, executable))
        {
            trace.Source = executable;
            trace.Executable = System.Text.Encoding.UTF8.GetString(executable.FullPath());
            trace.Arguments = Arguments(process);
        }
        _trace.Add(process.Id, name, call.Start + _toRealtime, end + _toRealtime, error);
    }

    /// <summary>The program's arguments, from where the guest keeps them.</summary>
    private static string[] Arguments(Process process)
    {
        const ulong Limit = 4096;
        ProgramLayout layout = process.Layout;
        if (process.IsZombie || layout.ArgumentEnd <= layout.ArgumentStart)
            return [];
        byte[] bytes = new byte[Math.Min(Limit, layout.ArgumentEnd - layout.ArgumentStart)];
        if (!process.Memory.TryRead(new Emulator.Memory.GuestAddress(layout.ArgumentStart), bytes))
            return [];
        return System.Text.Encoding.UTF8.GetString(bytes).TrimEnd('\0').Split('\0');
    }

    private static string SignalName(int signal) => $"signal {signal}";

    private readonly record struct Pending(int Number, long Start);
}
