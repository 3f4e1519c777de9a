using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Bsd.Tracing;

/// <summary>What wait4(2) tells the tracer of processes: their stops, whatever the options, and the ends of those that are not its children.</summary>
internal static class BsdWaits
{
    private const uint NoHang = 1;

    /// <summary>Null when none has something to tell.</summary>
    public static CallResult? Take(CallContext call, int pid, GuestAddress status, GuestAddress usage)
    {
        ProcessTrace? trace = call.Process.Traced.Find(traced => !traced.IsReported && Matches(call, traced.Process, pid));
        if (trace is null)
            return null;
        BsdNumbers numbers = BsdPersonality.Of(call).Numbers;
        WaitStatus change = trace.End ?? new WaitStatus(ChildChange.Stopped, trace.Reporter!.Stop!.Value.Code);
        if (!status.IsNull && !call.Memory.TryWrite(status, numbers.EncodeStatus(change)))
            return Errno.EFAULT;
        if (!usage.IsNull && !call.Memory.TryWrite(usage, ResourceUsage.Of(trace.Process.Instructions, trace.Process.SystemTime)))
            return Errno.EFAULT;
        int id = call.Pids.Inside(trace.Process.Id);
        trace.TakeReport();
        return id;
    }

    /// <summary>Who has no child to wait for may still wait for what it traces.</summary>
    public static CallResult OrWait(CallContext call, int pid, uint options, CallResult none)
    {
        if (none.Error != Errno.ECHILD || !call.Process.Traced.Exists(traced => Matches(call, traced.Process, pid)))
            return none;
        return (options & NoHang) != 0 ? CallResult.Ok() : call.Wait(call.Process.ChildSource);
    }

    private static bool Matches(CallContext call, Process process, int pid) => pid switch
    {
        > 0 => process.Id == call.Pids.Outside(pid),
        0 => process.Group == call.Process.Group,
        -1 => true,
        _ => process.Group == call.Pids.Outside(-pid),
    };
}
