using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.Bsd.Calls;

/// <summary>Masks, sending, stacks and contexts of signals (sigprocmask(2), kill(2), sigaltstack(2), getcontext(2)).</summary>
public static class SignalCalls
{
    public static CallResult Sigprocmask(CallContext call, int how, GuestAddress set, GuestAddress old)
    {
        const int block = 1, unblock = 2, replace = 3;
        BsdNumbers numbers = BsdPersonality.Of(call).Numbers;
        SignalSet before = call.Thread.Blocked;
        if (!set.IsNull)
        {
            if (!call.Memory.TryRead(set, out BsdSigSet bits))
                return Errno.EFAULT;
            if (how is not (block or unblock or replace))
                return Errno.EINVAL;
            SignalSet given = bits.ToNeutral(numbers);
            SignalSet after = how == block ? before | given : how == unblock ? before & ~given : given;
            call.Thread.Blocked = after & ~Signal.Unstoppable;
        }
        return old.IsNull || call.Memory.TryWrite(old, BsdSigSet.Of(before, numbers)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigpending(CallContext call, GuestAddress set)
    {
        SignalSet pending = (call.Thread.Pending.Set | call.Process.Pending.Set) & call.Thread.Blocked;
        return call.Memory.TryWrite(set, BsdSigSet.Of(pending, BsdPersonality.Of(call).Numbers)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sigsuspend(CallContext call, GuestAddress mask)
    {
        if (!call.Memory.TryRead(mask, out BsdSigSet bits))
            return Errno.EFAULT;
        // Run again, the temporary mask is not the thread's own.
        call.Thread.SavedMask ??= call.Thread.Blocked;
        call.Thread.Blocked = bits.ToNeutral(BsdPersonality.Of(call).Numbers) & ~Signal.Unstoppable;
        return call.Wait(RestartKind.IfNoHandler);
    }

    public static CallResult Sigaltstack(CallContext call, GuestAddress stack, GuestAddress old)
    {
        ulong pointer = BsdPersonality.ArchitectureOf(call).StackPointer(ref call.Thread.Cpu.State);
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

    public static CallResult Kill(CallContext call, int pid, int signal)
    {
        int neutral = BsdPersonality.Of(call).Numbers.ToNeutral(signal);
        return signal != 0 && neutral == 0 ? Errno.EINVAL : LinuxSignals.Kill(call, pid, neutral);
    }

    public static CallResult Getcontext(CallContext call, GuestAddress context) => BsdPersonality.ArchitectureOf(call).SaveContext(call.Thread, context);

    /// <summary>sigreturn(2) of FreeBSD, setcontext(2) of a context.</summary>
    public static CallResult Sigreturn(CallContext call, GuestAddress context)
    {
        Errno error = BsdPersonality.ArchitectureOf(call).RestoreContext(call.Thread, context);
        if (error != Errno.None)
            return error;
        call.Thread.SavedMask = null;
        return CallResult.NoReturn;
    }
}
