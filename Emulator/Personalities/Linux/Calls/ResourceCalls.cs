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
        Process? process = pid == 0 ? call.Process : call.FindThread(pid)?.Process ?? call.FindProcess(pid);
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
        return isSame || ReferenceEquals(who, other) || who.Has(Capability.Resource);
    }

    private static Errno Set(CallContext call, Process process, int resource, GuestAddress wanted)
    {
        if (!call.Memory.TryRead(wanted, out ulong soft) || !call.Memory.TryRead(wanted + 8, out ulong hard))
            return Errno.EFAULT;
        if (soft > hard)
            return Errno.EINVAL;
        if (hard > process.Limits[resource].Hard && !call.Thread.Credentials.Has(Capability.Resource))
            return Errno.EPERM;
        if (resource == OpenFiles && hard > (ulong)call.World.Settings.MostDescriptors.Value)
            return Errno.EPERM;
        process.SetLimit((Resource)resource, soft, hard);
        return Errno.None;
    }

    public static CallResult Getrusage(CallContext call, int who, GuestAddress usage)
    {
        const int Self = 0;
        const int Children = -1;
        const int Thread = 1;
        (ulong User, ulong System)? times = who switch
        {
            Self => (call.Process.Instructions, call.Process.SystemTime),
            Children => (call.Process.ChildInstructions, call.Process.ChildSystemTime),
            Thread => (call.Thread.Cpu.Instructions, call.Thread.SystemTime),
            _ => null,
        };
        if (times is not { } spent)
            return Errno.EINVAL;
        ulong resident = who == Children ? call.Process.ChildResident : call.Process.LargestResident;
        return call.Memory.TryWrite(usage, ResourceUsage.Of(spent.User, spent.System, resident)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Times(CallContext call, GuestAddress buffer)
    {
        const long Tick = 10_000_000;
        if (!buffer.IsNull)
        {
            ReadOnlySpan<long> ticks = 
            [
                (long)call.Process.Instructions / Tick, (long)call.Process.SystemTime / Tick,
                (long)call.Process.ChildInstructions / Tick, (long)call.Process.ChildSystemTime / Tick,
            ];
            if (!call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(ticks)))
                return Errno.EFAULT;
        }
        return CallResult.Ok(call.World.Clock.Monotonic / Tick);
    }
}
