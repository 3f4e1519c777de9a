using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Signals: actions and waiting (sigaction(2), sigwait(2)).</summary>
public static class SignalCalls
{
    private static BsdNumbers Numbers => FreeBsdPersonality.Instance.Numbers;

    public static CallResult Sigaction(CallContext call, int signal, GuestAddress action, GuestAddress old)
    {
        int neutral = Numbers.ToNeutral(signal);
        if (neutral == 0)
            return Errno.EINVAL;
        FreeBsdSigAction wanted = default;
        if (!action.IsNull && !call.Memory.TryRead(action, out wanted))
            return Errno.EFAULT;
        if (!action.IsNull && Signal.Unstoppable.Contains(neutral) && wanted.Handler != SignalAction.Default)
            return Errno.EINVAL;
        SignalAction before = call.Process.Actions[neutral];
        if (!action.IsNull)
            call.World.SetAction(call.Process, neutral, BsdActionFlags.Decode(wanted.Handler, wanted.Flags, wanted.Mask.ToNeutral(Numbers)));
        var told = new FreeBsdSigAction { Handler = before.Handler, Flags = (uint)before.RawFlags, Mask = BsdSigSet.Of(before.Mask, Numbers) };
        return old.IsNull || call.Memory.TryWrite(old, told) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigwait(CallContext call, GuestAddress set, GuestAddress signal)
    {
        CallResult result = Take(call, set, default, out SignalInfo info);
        // It returns its error, and sets none (sigwait(2)).
        if (result.Outcome == CallOutcome.Error)
            return Numbers.ErrorNumber(result.Error);
        if (result.Outcome != CallOutcome.Value)
            return result;
        return call.Memory.TryWrite(signal, Numbers.FromNeutral(info.Signal)) ? CallResult.Ok() : Numbers.ErrorNumber(Errno.EFAULT);
    }

    public static CallResult Sigwaitinfo(CallContext call, GuestAddress set, GuestAddress information) => Sigtimedwait(call, set, information, default);

    public static CallResult Sigtimedwait(CallContext call, GuestAddress set, GuestAddress information, GuestAddress timeout)
    {
        CallResult result = Take(call, set, timeout, out SignalInfo info);
        if (result.Outcome != CallOutcome.Value)
            return result;
        return information.IsNull || call.Memory.TryWrite(information, FreeBsdSigInfo.Of(info, 0)) ? Numbers.FromNeutral(info.Signal) : Errno.EFAULT;
    }

    private static CallResult Take(CallContext call, GuestAddress set, GuestAddress timeout, out SignalInfo info)
    {
        info = default;
        if (!call.Memory.TryRead(set, out BsdSigSet bits))
            return Errno.EFAULT;
        if (call.SetTimeout(timeout) is not Errno.None and var error)
            return error;
        SignalSet wanted = bits.ToNeutral(Numbers) & ~Signal.Unstoppable;
        if (call.Thread.Pending.TryTake(wanted, out info) || call.Process.Pending.TryTake(wanted, out info))
        {
            call.Thread.WaitsForSignals = default;
            return CallResult.Ok();
        }
        call.Thread.WaitsForSignals = call.DeadlinePassed || call.Interrupted ? default : wanted;
        return call.DeadlinePassed ? Errno.EAGAIN : call.Wait(RestartKind.Never);
    }
}
