using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.FreeBsd.X64;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Vivarium.Emulator.Personalities.Linux.X64;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Signals: actions, masks, sending, waiting (sigaction(2), sigprocmask(2), kill(2), sigwait(2)).</summary>
public static class SignalCalls
{
    private static BsdNumbers Numbers => FreeBsdPersonality.Numbers;

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
        FreeBsdSigAction before = FreeBsdSigAction.Of(call.Process.Actions[neutral]);
        if (!action.IsNull)
            call.World.SetAction(call.Process, neutral, BsdActionFlags.Decode(wanted.Handler, wanted.Flags, wanted.Mask));
        return old.IsNull || call.Memory.TryWrite(old, before) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigprocmask(CallContext call, int how, GuestAddress set, GuestAddress old)
    {
        const int block = 1, unblock = 2, replace = 3;
        SignalSet before = call.Thread.Blocked;
        if (!set.IsNull)
        {
            if (!call.Memory.TryRead(set, out SigSetBits bits))
                return Errno.EFAULT;
            SignalSet given = bits.ToNeutral();
            if (how is not (block or unblock or replace))
                return Errno.EINVAL;
            SignalSet after = how == block ? before | given : how == unblock ? before & ~given : given;
            call.Thread.Blocked = after & ~Signal.Unstoppable;
        }
        return old.IsNull || call.Memory.TryWrite(old, SigSetBits.Of(before)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigpending(CallContext call, GuestAddress set)
    {
        SignalSet pending = (call.Thread.Pending.Set | call.Process.Pending.Set) & call.Thread.Blocked;
        return call.Memory.TryWrite(set, SigSetBits.Of(pending)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigsuspend(CallContext call, GuestAddress mask)
    {
        if (!call.Memory.TryRead(mask, out SigSetBits bits))
            return Errno.EFAULT;
        // Run again, the temporary mask is not the thread's own.
        call.Thread.SavedMask ??= call.Thread.Blocked;
        call.Thread.Blocked = bits.ToNeutral() & ~Signal.Unstoppable;
        return call.Wait(RestartKind.IfNoHandler);
    }

    public static CallResult Sigaltstack(CallContext call, GuestAddress stack, GuestAddress old)
    {
        ulong pointer = call.Thread.Cpu.State.Registers[X64Registers.Rsp];
        BsdStack before = BsdStack.Of(call.Thread, pointer);
        if (!stack.IsNull)
        {
            if (!call.Memory.TryRead(stack, out BsdStack wanted))
                return Errno.EFAULT;
            Errno error = wanted.SetFor(call.Thread, pointer);
            if (error != Errno.None)
                return error;
        }
        return old.IsNull || call.Memory.TryWrite(old, before) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigreturn(CallContext call, GuestAddress context)
    {
        Errno error = FreeBsdSignalFrame.Leave(call.Thread, context);
        return error != Errno.None ? error : CallResult.NoReturn;
    }

    public static CallResult Kill(CallContext call, int pid, int signal)
    {
        int neutral = Numbers.ToNeutral(signal);
        return signal != 0 && neutral == 0 ? Errno.EINVAL : LinuxSignals.Kill(call, pid, neutral);
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
        if (!call.Memory.TryRead(set, out SigSetBits bits))
            return Errno.EFAULT;
        if (call.SetTimeout(timeout) is not Errno.None and var error)
            return error;
        SignalSet wanted = bits.ToNeutral() & ~Signal.Unstoppable;
        if (call.Thread.Pending.TryTake(wanted, out info) || call.Process.Pending.TryTake(wanted, out info))
        {
            call.Thread.WaitsForSignals = default;
            return CallResult.Ok();
        }
        call.Thread.WaitsForSignals = call.DeadlinePassed || call.Interrupted ? default : wanted;
        return call.DeadlinePassed ? Errno.EAGAIN : call.Wait(RestartKind.Never);
    }
}
