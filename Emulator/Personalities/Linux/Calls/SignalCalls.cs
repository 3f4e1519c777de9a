using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Signals: their actions, masks, sending and waiting for them (signal(7)).</summary>
public static class SignalCalls
{
    private const int SentByTgkill = -6;
    private const ulong SetSize = 8;

    public static CallResult RtSigaction(CallContext call, int signal, GuestAddress action, GuestAddress old, ulong size)
    {
        if (size != SetSize || !Signal.IsValid(signal))
            return Errno.EINVAL;
        SigActionRaw wanted = default;
        bool hasRestorer = LinuxArchitecture.Of(call.Thread).HasRestorer;
        if (!action.IsNull && !SigActionRaw.TryRead(call.Memory, action, hasRestorer, out wanted))
            return Errno.EFAULT;
        if (!action.IsNull && Signal.Unstoppable.Contains(signal))
            return Errno.EINVAL;
        SigActionRaw before = SigActionRaw.Encode(call.Process.Actions[signal]);
        if (!action.IsNull)
            call.World.SetAction(call.Process, signal, wanted.Decode());
        return old.IsNull || before.TryWrite(call.Memory, old, hasRestorer) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult RtSigprocmask(CallContext call, int how, GuestAddress set, GuestAddress old, ulong size)
    {
        if (size != SetSize)
            return Errno.EINVAL;
        SignalSet before = call.Thread.Blocked;
        if (!set.IsNull)
        {
            if (!call.Memory.TryRead(set, out ulong bits))
                return Errno.EFAULT;
            SignalSet given = new(bits);
            SignalSet? after = how switch
            {
                0 => before | given,
                1 => before & ~given,
                2 => given,
                _ => null,
            };
            if (after is not { } mask)
                return Errno.EINVAL;
            call.Thread.Blocked = mask & ~Signal.Unstoppable;
        }
        return old.IsNull || call.Memory.TryWrite(old, before.Bits) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult RtSigreturn(CallContext call)
    {
        if (!LinuxArchitecture.Of(call.Thread).LeaveHandler(call.Thread))
            call.World.ForceSignal(call.Thread, new SignalInfo(Signal.Segment, Code: 0x80) { IsFault = true });
        return CallResult.NoReturn;
    }

    public static CallResult RtSigpending(CallContext call, GuestAddress set, ulong size)
    {
        if (size > SetSize)
            return Errno.EINVAL;
        SignalSet pending = (call.Thread.Pending.Set | call.Process.Pending.Set) & call.Thread.Blocked;
        return call.Memory.TryWrite(set, BitConverter.GetBytes(pending.Bits).AsSpan(0, (int)size)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult RtSigsuspend(CallContext call, GuestAddress set, ulong size)
    {
        if (size != SetSize)
            return Errno.EINVAL;
        Errno error = call.UseTemporaryMask(set, size);
        if (error != Errno.None)
            return error;
        return set.IsNull ? Errno.EFAULT : call.Wait(RestartKind.IfNoHandler);
    }

    public static CallResult Pause(CallContext call) => call.Wait(RestartKind.IfNoHandler);

    public static CallResult RtSigtimedwait(CallContext call, GuestAddress set, GuestAddress information, GuestAddress timeout, ulong size)
    {
        if (size != SetSize)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(set, out ulong bits))
            return Errno.EFAULT;
        Errno error = call.SetTimeout(timeout);
        if (error != Errno.None)
            return error;
        SignalSet wanted = new SignalSet(bits) & ~Signal.Unstoppable;
        if (call.Thread.Pending.TryTake(wanted, out SignalInfo info) || call.Process.Pending.TryTake(wanted, out info))
        {
            call.Thread.WaitsForSignals = default;
            return information.IsNull || call.Memory.TryWrite(information, SigInfo.Of(info)) ? CallResult.Ok(info.Signal) : Errno.EFAULT;
        }
        if (call.DeadlinePassed || call.Interrupted)
            call.Thread.WaitsForSignals = default;
        else
            call.Thread.WaitsForSignals = wanted;
        return call.DeadlinePassed ? Errno.EAGAIN : call.Wait(RestartKind.Never);
    }

    public static CallResult Sigaltstack(CallContext call, GuestAddress stack, GuestAddress old)
    {
        ref CpuState state = ref call.Thread.Cpu.State;
        ulong pointer = LinuxArchitecture.Of(call.Thread).StackPointer(ref state);
        SigAltStack before = call.Thread.AlternateStackAsSeen(pointer);
        if (!stack.IsNull)
        {
            if (!call.Memory.TryRead(stack, out SigAltStack wanted))
                return Errno.EFAULT;
            Errno error = call.Thread.SetAlternateStack(wanted, pointer);
            if (error != Errno.None)
                return error;
        }
        return old.IsNull || call.Memory.TryWrite(old, before) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Kill(CallContext call, int pid, int signal)
    {
        if (signal != 0 && !Signal.IsValid(signal))
            return Errno.EINVAL;
        if (pid == int.MinValue)
            return Errno.ESRCH;
        SignalInfo info = From(call, signal, code: 0);
        if (pid > 0)
            return call.FindProcess(pid) is { } target ? SendTo(call, target, info) : Errno.ESRCH;
        int group = pid == 0 ? call.Process.Group : call.Pids.Outside(-pid);
        bool found = false, sent = false;
        foreach (Process process in call.World.Processes())
        {
            // kill(-1) reaches all but the sender and init, which the first space has not.
            bool isTarget = pid == -1 ? !ReferenceEquals(process, call.Process) && call.Pids.Inside(process.Id) > 1 : process.Group == group && group != 0;
            if (!isTarget)
                continue;
            found = true;
            sent |= SendTo(call, process, info).Outcome == CallOutcome.Value;
        }
        return sent ? CallResult.Ok() : found ? Errno.EPERM : Errno.ESRCH;
    }

    public static CallResult Tkill(CallContext call, int tid, int signal) => tid <= 0 ? Errno.EINVAL : SendToThread(call, null, tid, From(call, signal, SentByTgkill));

    public static CallResult Tgkill(CallContext call, int group, int tid, int signal) =>
        group <= 0 || tid <= 0 ? Errno.EINVAL : SendToThread(call, group, tid, From(call, signal, SentByTgkill));

    public static CallResult RtSigqueueinfo(CallContext call, int pid, int signal, GuestAddress information)
    {
        if (!call.Memory.TryRead(information, out SigInfo raw))
            return Errno.EFAULT;
        // Any thread stands for its process.
        if ((call.FindProcess(pid) ?? call.FindThread(pid)?.Process) is not { } target)
            return Errno.ESRCH;
        // Only a process itself may claim to be the kernel or kill(2) (rt_sigqueueinfo(2)).
        if ((raw.Code >= 0 || raw.Code == SentByTgkill) && !ReferenceEquals(target, call.Process))
            return Errno.EPERM;
        return signal != 0 && !Signal.IsValid(signal) ? Errno.EINVAL : SendTo(call, target, raw.ToSignal(signal));
    }

    public static CallResult RtTgsigqueueinfo(CallContext call, int group, int tid, int signal, GuestAddress information)
    {
        if (group <= 0 || tid <= 0)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(information, out SigInfo raw))
            return Errno.EFAULT;
        if ((raw.Code >= 0 || raw.Code == SentByTgkill) && group != call.ProcessNumber)
            return Errno.EPERM;
        return SendToThread(call, group, tid, raw.ToSignal(signal));
    }

    private static CallResult SendTo(CallContext call, Process target, in SignalInfo info)
    {
        bool mayContinue = info.Signal == Signal.Continue && target.Session == call.Process.Session
            && AccessDomain.MayReach(call.Thread.Domain, target.Domain, DomainScopes.Signals);
        if (!mayContinue && !call.Thread.MaySignal(target))
            return Errno.EPERM;
        if (info.Signal != 0 && !call.World.Send(target, info))
            return Errno.EAGAIN;
        return call.Thread.IsAlive ? CallResult.Ok() : CallResult.NoReturn;
    }

    private static CallResult SendToThread(CallContext call, int? group, int tid, in SignalInfo info)
    {
        if (info.Signal != 0 && !Signal.IsValid(info.Signal))
            return Errno.EINVAL;
        if (call.FindThread(tid) is not { } target || (group is { } wanted && target.Process.Id != call.Pids.Outside(wanted)))
            return Errno.ESRCH;
        if (!call.Thread.MaySignal(target))
            return Errno.EPERM;
        if (info.Signal != 0 && !call.World.Send(target, info))
            return Errno.EAGAIN;
        return call.Thread.IsAlive ? CallResult.Ok() : CallResult.NoReturn;
    }

    private static SignalInfo From(CallContext call, int signal, int code) =>
        new(signal, code) { SenderProcess = call.ProcessNumber, SenderUser = call.Thread.Credentials.User };
}
