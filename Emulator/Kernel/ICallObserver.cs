using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// Watches what programs do: calls as they begin and end, signals as they are delivered, threads as they go. Called on the
/// world's worker, while guest memory still is as the event left it; it must not change anything.
/// </summary>
public interface ICallObserver
{
    /// <summary>A call begins: number and arguments are in <see cref="GuestThread.Call"/>, and no handler ran yet. Once a call, however often it is re-run.</summary>
    void OnEnter(GuestThread thread);

    /// <summary>A call's result is final. <see cref="CallOutcome.NoReturn"/>: exit, a new program, rt_sigreturn, or a call that will be restarted.</summary>
    void OnExit(GuestThread thread, in CallResult result);

    /// <summary>A signal is delivered: to a handler, or to its default action.</summary>
    void OnSignal(GuestThread thread, in SignalInfo info);

    /// <summary>A thread is gone, with its process's status when it was the last one.</summary>
    void OnEnd(GuestThread thread, WaitStatus status);
}
