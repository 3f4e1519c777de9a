using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.NetBsd.Abi;
using Vivarium.Emulator.Personalities.NetBsd.X64;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Signals and contexts (sigaction(2), sigprocmask(2), getcontext(2)).</summary>
public static class SignalCalls
{
    private static BsdNumbers Numbers => NetBsdPersonality.Numbers;

    /// <summary>__sigaction_sigtramp(2): the handler returns to <paramref name="trampoline"/>.</summary>
    public static CallResult SigactionSigtramp(CallContext call, int signal, GuestAddress action, GuestAddress old, GuestAddress trampoline, int version)
    {
        const int withSigInfo = 2;
        int neutral = Numbers.ToNeutral(signal);
        if (neutral == 0 || (version != withSigInfo && version != 0))
            return Errno.EINVAL;
        NetBsdSigAction wanted = default;
        if (!action.IsNull && !call.Memory.TryRead(action, out wanted))
            return Errno.EFAULT;
        if (!action.IsNull && Signal.Unstoppable.Contains(neutral))
            return Errno.EINVAL;
        SignalAction before = call.Process.Actions[neutral];
        if (!action.IsNull)
            call.World.SetAction(call.Process, neutral, BsdActionFlags.Decode(wanted.Handler, wanted.Flags, wanted.Mask.ToNeutral(), trampoline.Value));
        var told = new NetBsdSigAction { Handler = before.Handler, Flags = (uint)before.RawFlags, Mask = NetBsdSigSet.Of(before.Mask) };
        return old.IsNull || call.Memory.TryWrite(old, told) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigprocmask14(CallContext call, int how, GuestAddress set, GuestAddress old)
    {
        const int block = 1, unblock = 2, replace = 3;
        SignalSet before = call.Thread.Blocked;
        if (!set.IsNull)
        {
            if (!call.Memory.TryRead(set, out NetBsdSigSet bits))
                return Errno.EFAULT;
            if (how is not (block or unblock or replace))
                return Errno.EINVAL;
            SignalSet given = bits.ToNeutral();
            call.Thread.Blocked = (how == block ? before | given : how == unblock ? before & ~given : given) & ~Signal.Unstoppable;
        }
        return old.IsNull || call.Memory.TryWrite(old, NetBsdSigSet.Of(before)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigpending14(CallContext call, GuestAddress set)
    {
        SignalSet pending = (call.Thread.Pending.Set | call.Process.Pending.Set) & call.Thread.Blocked;
        return call.Memory.TryWrite(set, NetBsdSigSet.Of(pending)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigsuspend14(CallContext call, GuestAddress mask)
    {
        if (!call.Memory.TryRead(mask, out NetBsdSigSet bits))
            return Errno.EFAULT;
        // Run again, the temporary mask is not the thread's own.
        call.Thread.SavedMask ??= call.Thread.Blocked;
        call.Thread.Blocked = bits.ToNeutral() & ~Signal.Unstoppable;
        return call.Wait(RestartKind.IfNoHandler);
    }

    public static CallResult Kill(CallContext call, int pid, int signal)
    {
        int neutral = Numbers.ToNeutral(signal);
        return signal != 0 && neutral == 0 ? Errno.EINVAL : LinuxSignals.Kill(call, pid, neutral);
    }

    public static CallResult Getcontext(CallContext call, GuestAddress context) =>
        call.Memory.TryWrite(context, NetBsdContext.Of(call.Thread, call.Thread.Blocked)) ? CallResult.Ok() : Errno.EFAULT;

    public static CallResult Setcontext(CallContext call, GuestAddress context)
    {
        if (context.IsNull)
        {
            call.Process.ExitThread(call.Thread, 0);
            return CallResult.NoReturn;
        }
        if (!call.Memory.TryRead(context, out NetBsdContext wanted))
            return Errno.EFAULT;
        Errno error = wanted.RestoreTo(call.Thread);
        if (error != Errno.None)
            return error;
        call.Thread.SavedMask = null;
        return CallResult.NoReturn;
    }
}
