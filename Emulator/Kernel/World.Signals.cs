using System.Runtime.CompilerServices;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>Sending and delivering signals (signal(7)).</summary>
public sealed partial class World
{
    /// <summary>Pulses when a signal was queued somewhere in the world.</summary>
    public Source SignalSource { get; } = new();

    /// <summary>Raised when a signal is sent to a process or one of its threads, whatever becomes of it.</summary>
    internal event Action<Process, int>? SignalSent;

    /// <summary>Sends to a process: any thread that does not block it takes it. False when its queue is full.</summary>
    public bool Send(Process target, in SignalInfo info)
    {
        if (target.IsZombie || IsWarded(target, info.Signal))
            return true;
        SignalSent?.Invoke(target, info.Signal);
        if (!Prepare(target, info.Signal))
            return true;
        if (IsDropped(target, null, info.Signal))
            return true;
        bool isKnown = info.Signal < Signal.FirstRealTime && target.Pending.Set.Contains(info.Signal);
        if (!target.Pending.Add(AsSeenBy(target, info), target.Credentials.User, target.SoftLimit(Resource.PendingSignals)))
            return false;
        // A standard signal that is pending already is no news (__send_signal_locked in kernel/signal.c).
        if (!isKnown)
            SignalSource.Pulse(Readiness.In);
        foreach (GuestThread thread in target.Threads)
        {
            if (!thread.Blocked.Contains(info.Signal) || thread.WaitsForSignals.Contains(info.Signal))
            {
                thread.Wake();
                break;
            }
        }
        return true;
    }

    /// <summary>Sets what a process does on a signal; pending ones that are now ignored go (sigaction(2)).</summary>
    public void SetAction(Process process, int signal, in SignalAction action)
    {
        process.Actions[signal] = action;
        if (IsIgnored(action, signal))
            Discard(process, SignalSet.Of(signal));
    }

    /// <summary>Sends to one thread.</summary>
    public bool Send(GuestThread target, in SignalInfo info)
    {
        if (!target.IsAlive || IsWarded(target.Process, info.Signal))
            return true;
        SignalSent?.Invoke(target.Process, info.Signal);
        if (!Prepare(target.Process, info.Signal) || IsDropped(target.Process, target, info.Signal))
            return true;
        bool isKnown = info.Signal < Signal.FirstRealTime && target.Pending.Set.Contains(info.Signal);
        if (!target.Pending.Add(AsSeenBy(target.Process, info), target.Credentials.User, target.Process.SoftLimit(Resource.PendingSignals)))
            return false;
        if (!isKnown)
            SignalSource.Pulse(Readiness.In);
        if (!target.Blocked.Contains(info.Signal) || target.WaitsForSignals.Contains(info.Signal))
            target.Wake();
        return true;
    }

    /// <summary>Sends to every process of a group, in order of id. False when there is none.</summary>
    public bool SendGroup(int group, in SignalInfo info)
    {
        bool found = false;
        foreach (Process process in Processes())
        {
            if (process.Group != group || process.IsZombie)
                continue;
            found = true;
            Send(process, info);
        }
        return found;
    }

    /// <summary>A signal that an instruction raised: it cannot be put off, so blocked or ignored it kills (sigaction(2)).</summary>
    public void ForceSignal(GuestThread thread, in SignalInfo info)
    {
        ref SignalAction action = ref thread.Process.Actions[info.Signal];
        if (action.Handler == SignalAction.Default)
            thread.Process.IsShielded = false;
        if (thread.Blocked.Contains(info.Signal) || action.Handler == SignalAction.Ignore)
        {
            action = default;
            thread.Blocked &= ~SignalSet.Of(info.Signal);
        }
        thread.Pending.Add(info, thread.Credentials.User, ulong.MaxValue);
    }

    /// <summary>Stop and continue signals undo each other when sent, whatever is done with them later. False: the process is already gone.</summary>
    private bool Prepare(Process target, int signal)
    {
        if (signal == Signal.Kill)
        {
            KillBy(target, signal);
            return false;
        }
        if (signal == Signal.Continue)
        {
            Discard(target, Signal.Stops);
            target.Continue();
            TellContinued(target);
        }
        else if (Signal.Stops.Contains(signal))
        {
            Discard(target, SignalSet.Of(Signal.Continue));
        }
        return true;
    }

    private static void Discard(Process target, SignalSet signals)
    {
        target.Pending.Remove(signals);
        foreach (GuestThread thread in target.Threads)
            thread.Pending.Remove(signals);
    }

    /// <summary>SIGKILL and SIGSTOP reach the first process of a space of ids from outside of it alone (pid_namespaces(7)).</summary>
    private bool IsWarded(Process target, int signal) =>
        target.IsShielded && Signal.Unstoppable.Contains(signal) && Current is { } sender && target.Space.Contains(sender.Process);

    /// <summary>Who cannot be seen from the receiver's space of ids is told as 0.</summary>
    private SignalInfo AsSeenBy(Process target, in SignalInfo info) =>
        target.Space.IsFirst || info.SenderProcess == 0 || info.IsChild || Current is not { } sender || target.Space.Contains(sender.Process)
            ? info
            : info with { SenderProcess = 0 };

    private static bool IsDropped(Process process, GuestThread? thread, int signal)
    {
        // Tracers see all signals.
        if (process.IsTraced)
            return false;
        bool isBlocked = thread?.Blocked.Contains(signal) ?? AllBlock(process, signal);
        SignalAction action = process.Actions[signal];
        bool isLost = process.IsShielded && action.Handler == SignalAction.Default && !Signal.Unstoppable.Contains(signal);
        return !isBlocked && (isLost || IsIgnored(action, signal));
    }

    private static bool AllBlock(Process process, int signal)
    {
        foreach (GuestThread thread in process.Threads)
        {
            if (!thread.Blocked.Contains(signal))
                return false;
        }
        return true;
    }

    private static bool IsIgnored(in SignalAction action, int signal) => action.Handler == SignalAction.Ignore
        || (action.Handler == SignalAction.Default && Signal.DefaultOf(signal) == DefaultAction.Ignore);

    /// <summary>True when signals or what goes with them are to be looked at, as behind hardly any call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasSignals(GuestThread thread) =>
        thread.Tracee is not null || thread.Interruption.HasValue || thread.SavedMask.HasValue || (thread.Pending.Set.Bits | thread.Process.Pending.Set.Bits) != 0;

    /// <summary>Acts on every deliverable signal of a thread; handlers nest, the last one set up runs first, as on Linux.</summary>
    private void DeliverSignals(GuestThread thread)
    {
        if (StopAtInterruption(thread))
            return;
        while (thread.State == ThreadState.Ready && TakeForDelivery(thread, out SignalInfo info))
        {
            SignalAction action = thread.Process.Actions[info.Signal];
            if (IsIgnored(action, info.Signal))
                continue;
            Observer?.OnSignal(thread, info);
            if (!action.IsHandled)
            {
                if (thread.Process.IsShielded && !Signal.Unstoppable.Contains(info.Signal))
                    continue;
                TakeDefaultAction(thread, info.Signal);
                if (!thread.IsAlive || thread.Process.IsStopped)
                    return;
                continue;
            }
            Handle(thread, info, action);
        }
        if (!thread.IsAlive || thread.State == ThreadState.Traced)
            return;
        // No handler ran: the interrupted call goes on as if nothing had been, unless it is one that never does (signal(7)).
        if (thread.InCall && thread.Interruption == RestartKind.Never)
            FinishCall(thread, CallResult.Fail(Errno.EINTR));
        thread.Interruption = null;
        if (!thread.InCall && thread.SavedMask is { } mask)
        {
            thread.SavedMask = null;
            thread.Blocked = mask;
        }
    }

    private void Handle(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        if (thread.InCall && thread.Interruption is { } restart)
        {
            bool restarts = restart == RestartKind.Always || (restart == RestartKind.IfHandlerAllows && action.Restarts);
            FinishCall(thread, restarts ? CallResult.NoReturn : CallResult.Fail(Errno.EINTR));
            if (restarts)
                thread.Process.Personality.Rewind(thread);
        }
        SignalSet masked = action.Mask | (action.KeepsUnblocked ? default : SignalSet.Of(info.Signal));
        if (action.ResetsOnDelivery)
            thread.Process.Actions[info.Signal] = action with { Handler = default };
        if (!thread.Process.Personality.EnterHandler(thread, info, action))
        {
            // The frame cannot be written: SIGSEGV, and when that is the one being delivered, its default.
            if (info.Signal == Signal.Segment)
                thread.Process.Actions[Signal.Segment] = default;
            ForceSignal(thread, new SignalInfo(Signal.Segment, Code: 0x80) { IsFault = true });
            return;
        }
        thread.SavedMask = null;
        thread.Blocked = (thread.Blocked | masked) & ~Signal.Unstoppable;
    }

    private static bool TakeSignal(GuestThread thread, out SignalInfo info)
    {
        SignalSet wanted = ~thread.Blocked | Signal.Unstoppable;
        return thread.Pending.TryTake(wanted, out info) || thread.Process.Pending.TryTake(wanted, out info);
    }

    private void TakeDefaultAction(GuestThread thread, int signal)
    {
        switch (Signal.DefaultOf(signal))
        {
            case DefaultAction.Stop when thread.Tracee is { Session: not null }:
                // A traced process is stopped by its tracer alone (issignal in both systems).
                break;
            case DefaultAction.Stop when thread.Tracee is { } tracee:
                StopForGroup(tracee, signal);
                break;
            case DefaultAction.Stop:
                // Nobody could continue an orphaned group: terminals do not stop it (setpgid(2)).
                if (signal == Signal.Stop || !IsOrphaned(thread.Process.Group, null))
                    thread.Process.Stop(signal);
                break;
            default:
                KillBy(thread.Process, signal, Signal.DefaultOf(signal) == DefaultAction.Core && thread.Process.Personality.DumpCore(thread, signal));
                break;
        }
    }
}
