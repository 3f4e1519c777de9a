using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;
using Vivarium.Telemetry;

namespace Vivarium.Nodes.Native;

/// <summary>
/// Follows a program of the host and all its children from call to call until the last has ended. Runs on a thread of its own:
/// the kernel takes orders about a traced process only from the thread that traces it.
/// </summary>
/// <param name="listing">Takes a line for each call: its name and result; null = none wanted.</param>
internal sealed class NativeTracer(Action<byte[]>? listing)
{
    private readonly Dictionary<int, int> _inCall = [];
    private readonly SortedDictionary<string, (ulong Count, ulong Errors)> _calls = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _first;
    private int _firstStatus;
    private bool _isOver;

    public int Processes { get; private set; } = 1;

    /// <summary>The calls by name.</summary>
    public IReadOnlyList<CallUsage> Usage
    {
        get
        {
            lock (_lock)
                return [.. _calls.Select(static call => new CallUsage { Name = call.Key, Count = call.Value.Count, Errors = call.Value.Errors })];
        }
    }

    /// <summary>Takes over a process that stops itself, and follows it to its end. Its wait status; null when it cannot be traced.</summary>
    public int? Follow(int process)
    {
        _first = process;
        if (Ptrace.Wait(process, out int status, Ptrace.WaitAll | Ptrace.WaitUntraced | Ptrace.WaitOwnThread) != process || !IsStopped(status) || !Ptrace.Seize(process))
            return null;
        Libc.Kill(process, Ptrace.SigCont);
        while (true)
        {
            int changed = Ptrace.Wait(-1, out status, Ptrace.WaitAll | Ptrace.WaitOwnThread);
            if (changed < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Libc.Eintr)
                continue;
            // Nobody is left.
            if (changed < 0)
                return _firstStatus;
            if (IsStopped(status))
                Handle(changed, status);
            else
                End(changed, status);
        }
    }

    /// <summary>A job ends with its first process; what that left is killed.</summary>
    private void End(int process, int status)
    {
        // A call that its thread did not survive, as exit_group.
        if (_inCall.TryGetValue(process, out int call) && call >= 0)
            Note(process, call, "?", failed: false);
        _inCall.Remove(process);
        if (process != _first)
            return;
        (_firstStatus, _isOver) = (status, true);
        foreach (int other in _inCall.Keys)
        {
            Libc.Kill(other, Ptrace.SigKill);
        }
    }

    private void Handle(int process, int status)
    {
        int signal = (status >> 8) & 0xFF, happened = status >> 16;
        _inCall.TryAdd(process, -1);
        // Born while the others were killed.
        if (_isOver)
            Libc.Kill(process, Ptrace.SigKill);
        if (signal == (Ptrace.SigTrap | Ptrace.CallMark))
        {
            OnCall(process);
            Ptrace.GoOn(process, 0);
        }
        else if (happened == Ptrace.GroupStop && signal is Ptrace.SigStop or 20 or 21 or 22)
        {
            Ptrace.StayStopped(process);
        }
        else if (happened != 0)
        {
            // A child is born or a program executed: 1 to 3 are fork, vfork and clone.
            Processes += happened is >= 1 and <= 3 ? 1 : 0;
            Ptrace.GoOn(process, 0);
        }
        else
        {
            Ptrace.GoOn(process, signal);
        }
    }

    private void OnCall(int process)
    {
        if (!Ptrace.TryGetCall(process, out CallStop stop))
            return;
        if (stop.Kind == CallStop.Entry)
        {
            _inCall[process] = (int)stop.Number;
            return;
        }
        if (stop.Kind != CallStop.Exit || _inCall[process] < 0)
            return;
        bool failed = stop.HasFailed != 0;
        Note(process, _inCall[process], failed ? $"-1 {(Errno)(-stop.Result)}" : stop.Result.ToString(CultureInfo.InvariantCulture), failed);
        _inCall[process] = -1;
    }

    private void Note(int process, int number, string result, bool failed)
    {
        string name = CallRecorder.NameOf(number);
        lock (_lock)
        {
            (ulong count, ulong errors) = _calls.GetValueOrDefault(name);
            _calls[name] = (count + 1, errors + (failed ? 1UL : 0));
        }
        string whose = _inCall.Count <= 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"[pid {process}] ");
        listing?.Invoke(Encoding.UTF8.GetBytes($"{whose}{name}() = {result}\n"));
    }

    private static bool IsStopped(int status) => (status & 0xFF) == 0x7F;
}
