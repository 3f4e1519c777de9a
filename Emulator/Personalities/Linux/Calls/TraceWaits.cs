using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What wait4(2) and waitid(2) tell a tracer of its tracees: their stops, and the ends of those that are not its children.</summary>
internal static class TraceWaits
{
    private const uint NoHang = 1, Exited = 4, NoWait = 0x01000000;

    /// <summary>Null when no tracee has something to tell.</summary>
    public static CallResult? Wait4(CallContext call, int pid, GuestAddress status, uint options, GuestAddress usage)
    {
        if (Find(call, pid, options | Exited) is not { } tracee)
            return null;
        if (!status.IsNull && !call.Memory.TryWrite(status, StatusOf(tracee)))
            return Errno.EFAULT;
        if (!usage.IsNull && !call.Memory.TryWrite(usage, ResourceUsage.Of(tracee.Thread.Cpu.Instructions, 0)))
            return Errno.EFAULT;
        return Consume(call, tracee);
    }

    public static CallResult? Waitid(CallContext call, int pid, GuestAddress information, uint options)
    {
        const int exited = 1, killed = 2, trapped = 4;
        if (Find(call, pid, options) is not { } tracee)
            return null;
        int code = tracee.End is { } end ? end.Change == ChildChange.Exited ? exited : killed : trapped;
        ulong value = tracee.End is { } over ? (ulong)over.Value : (ulong)(uint)tracee.Stop!.Value.Code;
        var info = new SignalInfo(Signal.Child, code) { SenderProcess = call.Pids.Inside(tracee.Id), SenderUser = tracee.Thread.Credentials.User, Value = value };
        if (!information.IsNull && !call.Memory.TryWrite(information, SigInfo.Of(info)))
            return Errno.EFAULT;
        if ((options & NoWait) == 0)
            Consume(call, tracee);
        return CallResult.Ok();
    }

    /// <summary>Who has no child to wait for may still wait for tracees.</summary>
    public static CallResult OrWait(CallContext call, int pid, uint options, CallResult none)
    {
        if (none.Error != Errno.ECHILD || !call.Process.Tracees.Exists(tracee => Matches(call, tracee, pid)))
            return none;
        return (options & NoHang) != 0 ? CallResult.Ok() : call.Wait(call.Process.ChildSource);
    }

    private static Tracee? Find(CallContext call, int pid, uint options)
    {
        foreach (Tracee tracee in call.Process.Tracees)
        {
            bool isWanted = tracee.End is null ? tracee.Stop is not null : (options & Exited) != 0;
            if (!tracee.IsReported && isWanted && Matches(call, tracee, pid))
                return tracee;
        }
        return null;
    }

    private static bool Matches(CallContext call, Tracee tracee, int pid) => pid switch
    {
        > 0 => tracee.Id == call.Pids.Outside(pid),
        0 => tracee.Thread.Process.Group == call.Process.Group,
        -1 => true,
        _ => tracee.Thread.Process.Group == call.Pids.Outside(-pid),
    };

    /// <summary>A stop: its signal in bits 8 to 15, above them the event.</summary>
    private static int StatusOf(Tracee tracee) => tracee.End is { } end ? ProcessCalls.EncodeStatus(end) : (tracee.Stop!.Value.Code << 8) | 0x7F;

    private static CallResult Consume(CallContext call, Tracee tracee)
    {
        tracee.IsReported = true;
        if (tracee.End is not null)
            call.Process.Tracees.Remove(tracee);
        return CallResult.Ok(call.Pids.Inside(tracee.Id));
    }
}
