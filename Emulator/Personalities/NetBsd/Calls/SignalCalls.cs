using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.NetBsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Actions of signals, and contexts (sigaction(2), setcontext(2)).</summary>
public static class SignalCalls
{
    private static BsdNumbers Numbers => NetBsdPersonality.Instance.Numbers;

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
            call.World.SetAction(call.Process, neutral, BsdActionFlags.Decode(wanted.Handler, wanted.Flags, wanted.Mask.ToNeutral(Numbers), trampoline.Value));
        var told = new NetBsdSigAction { Handler = before.Handler, Flags = (uint)before.RawFlags, Mask = BsdSigSet.Of(before.Mask, Numbers) };
        return old.IsNull || call.Memory.TryWrite(old, told) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>setcontext(2); the thread ends where there is none.</summary>
    public static CallResult Setcontext(CallContext call, GuestAddress context)
    {
        if (context.IsNull)
        {
            call.Process.ExitThread(call.Thread, 0);
            return CallResult.NoReturn;
        }
        return Bsd.Calls.SignalCalls.Sigreturn(call, context);
    }
}
