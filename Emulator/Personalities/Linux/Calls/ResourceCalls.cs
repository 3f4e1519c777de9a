using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Limits, usage and priorities of processes: prlimit(2), getrusage(2), getpriority(2).</summary>
public static class ResourceCalls
{
    private const int OpenFiles = 7;
    private const ulong Infinity = ulong.MaxValue;

    /// <summary>What a new world's first process may use, in the order of RLIMIT_ numbers (getrlimit(2)).</summary>
    internal static (ulong Soft, ulong Hard)[] DefaultLimits() =>
    [
        (Infinity, Infinity), // CPU
        (Infinity, Infinity), // FSIZE
        (Infinity, Infinity), // DATA
        (8 << 20, Infinity), // STACK
        (0, Infinity), // CORE
        (Infinity, Infinity), // RSS
        (31_800, 31_800), // NPROC
        (1024, 1 << 20), // NOFILE
        (8 << 20, 8 << 20), // MEMLOCK
        (Infinity, Infinity), // AS
        (Infinity, Infinity), // LOCKS
        (31_800, 31_800), // SIGPENDING
        (819_200, 819_200), // MSGQUEUE
        (0, 0), // NICE
        (0, 0), // RTPRIO
        (Infinity, Infinity), // RTTIME
    ];

    public static CallResult Getrlimit(CallContext call, int resource, GuestAddress limit) =>
        Prlimit64(call, 0, resource, GuestAddress.Null, limit);

    public static CallResult Setrlimit(CallContext call, int resource, GuestAddress limit) =>
        limit.IsNull ? Errno.EFAULT : Prlimit64(call, 0, resource, limit, GuestAddress.Null);

    public static CallResult Prlimit64(CallContext call, int pid, int resource, GuestAddress wanted, GuestAddress old)
    {
        if ((uint)resource >= (uint)call.Process.Limits.Length)
            return Errno.EINVAL;
        Process? process = pid == 0 ? call.Process : call.World.FindThread(pid)?.Process ?? call.World.FindProcess(pid);
        if (process is null)
            return Errno.ESRCH;
        if (!MayLimit(call.Thread.Credentials, process))
            return Errno.EPERM;
        (ulong soft, ulong hard) = process.Limits[resource];
        if (!wanted.IsNull)
        {
            Errno error = Set(call, process, resource, wanted);
            if (error != Errno.None)
                return error;
        }
        return old.IsNull || call.Memory.TryWrite(old, MemoryMarshal.AsBytes((ReadOnlySpan<ulong>)[soft, hard])) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>One's own, or those of a process whose ids are all one's own (prlimit(2)).</summary>
    private static bool MayLimit(Credentials who, Process target)
    {
        Credentials other = target.Credentials;
        bool isSame = who.User == other.User && who.User == other.EffectiveUser && who.User == other.SavedUser
            && who.Group == other.Group && who.Group == other.EffectiveGroup && who.Group == other.SavedGroup;
        return isSame || who.Has(Capability.Resource);
    }

    private static Errno Set(CallContext call, Process process, int resource, GuestAddress wanted)
    {
        if (!call.Memory.TryRead(wanted, out ulong soft) || !call.Memory.TryRead(wanted + 8, out ulong hard))
            return Errno.EFAULT;
        if (soft > hard)
            return Errno.EINVAL;
        if (hard > process.Limits[resource].Hard && !call.Thread.Credentials.Has(Capability.Resource))
            return Errno.EPERM;
        if (resource == OpenFiles && hard > MostDescriptors)
            return Errno.EPERM;
        process.SetLimit((Resource)resource, soft, hard);
        return Errno.None;
    }

    private const ulong MostDescriptors = Kernel.Files.FileTable.MaxDescriptors;

    public static CallResult Getrusage(CallContext call, int who, GuestAddress usage)
    {
        const int Self = 0;
        const int Children = -1;
        const int Thread = 1;
        ulong? instructions = who switch
        {
            Self => call.Process.Instructions,
            Children => call.Process.ChildInstructions,
            Thread => call.Thread.Cpu.Instructions,
            _ => null,
        };
        if (instructions is not { } count)
            return Errno.EINVAL;
        ulong resident = who == Children ? 0 : call.Memory.ResidentBytes();
        return call.Memory.TryWrite(usage, ResourceUsage.Of(count, resident)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Times(CallContext call, GuestAddress buffer)
    {
        const long Tick = 10_000_000;
        if (!buffer.IsNull)
        {
            ReadOnlySpan<long> ticks = [(long)call.Process.Instructions / Tick, 0, (long)call.Process.ChildInstructions / Tick, 0];
            if (!call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(ticks)))
                return Errno.EFAULT;
        }
        return CallResult.Ok(call.World.Clock.Monotonic / Tick);
    }

    /// <summary>The raw call returns 20 minus the nice value, so that it is never negative (getpriority(2), "C library/kernel differences").</summary>
    public static CallResult Getpriority(CallContext call, int which, int who)
    {
        Errno error = FindOwner(call, which, who, out Process? process);
        return error != Errno.None ? error : CallResult.Ok(20 - process!.Nice);
    }

    public static CallResult Setpriority(CallContext call, int which, int who, int nice)
    {
        Errno error = FindOwner(call, which, who, out Process? process);
        if (error != Errno.None)
            return error;
        nice = Math.Clamp(nice, -20, 19);
        if (nice < process!.Nice && !call.Thread.Credentials.IsPrivileged)
            return Errno.EACCES;
        process.Nice = nice;
        return CallResult.Ok();
    }

    private static Errno FindOwner(CallContext call, int which, int who, out Process? process)
    {
        const int OneProcess = 0;
        const int OneGroup = 1;
        const int OneUser = 2;
        process = null;
        if (which is not (OneProcess or OneGroup or OneUser))
            return Errno.EINVAL;
        if (who == 0)
            process = call.Process;
        else if (which == OneProcess)
            process = call.World.FindThread(who)?.Process;
        else
        {
            foreach (Process other in call.World.Processes())
            {
                if (which == OneGroup ? other.Group == who : other.Credentials.User == (uint)who)
                    process ??= other;
            }
        }
        return process is null ? Errno.ESRCH : Errno.None;
    }
}
