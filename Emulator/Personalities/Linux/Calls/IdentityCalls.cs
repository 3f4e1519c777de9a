using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Ids of processes, groups and sessions (credentials(7)).</summary>
public static class IdentityCalls
{
    public static CallResult Getpid(CallContext call) => CallResult.Ok(call.ProcessNumber);

    public static CallResult Getppid(CallContext call) => CallResult.Ok(call.Pids.Inside(call.Process.ParentId));

    public static CallResult Getpgrp(CallContext call) => CallResult.Ok(call.Pids.Inside(call.Process.Group));

    public static CallResult Getpgid(CallContext call, int pid) =>
        Find(call, pid) is { } process ? CallResult.Ok(call.Pids.Inside(process.Group)) : Errno.ESRCH;

    public static CallResult Getsid(CallContext call, int pid) =>
        Find(call, pid) is { } process ? CallResult.Ok(call.Pids.Inside(process.Session)) : Errno.ESRCH;

    public static CallResult Setsid(CallContext call)
    {
        Process process = call.Process;
        foreach (Process other in call.World.Processes())
        {
            if (other.Group == process.Id)
                return Errno.EPERM;
        }
        process.Session = process.Group = process.Id;
        process.Terminal = null;
        return CallResult.Ok(call.ProcessNumber);
    }

    public static CallResult Setpgid(CallContext call, int pid, int group)
    {
        if (group < 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } target)
            return Errno.ESRCH;
        bool isChild = ReferenceEquals(target.Parent, call.Process);
        if (!isChild && !ReferenceEquals(target, call.Process))
            return Errno.ESRCH;
        if (target.Session != call.Process.Session || target.Session == target.Id)
            return Errno.EPERM;
        if (isChild && target.HasExecuted)
            return Errno.EACCES;
        group = group == 0 ? target.Id : call.Pids.Outside(group);
        if (group != target.Id && !HasGroup(call, group))
            return Errno.EPERM;
        target.Group = group;
        return CallResult.Ok();
    }

    private static bool HasGroup(CallContext call, int group)
    {
        foreach (Process process in call.World.Processes())
        {
            if (process.Group == group && process.Session == call.Process.Session)
                return true;
        }
        return false;
    }

    private static Process? Find(CallContext call, int pid) => pid == 0 ? call.Process : call.FindProcess(pid);
}
