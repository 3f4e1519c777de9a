using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Policies, priorities and processors of threads (sched(7)).</summary>
public static class SchedulingCalls
{
    private const int ResetOnFork = 0x40000000;
    private const int HighestPriority = 99;

    private const ulong FlagResetOnFork = 1, FlagReclaim = 2, FlagOverrun = 4, FlagKeepPolicy = 8, FlagKeepParameters = 16, FlagClampMinimum = 32, FlagClampMaximum = 64;
    private const uint FirstSize = 48, LastSize = 56;

    /// <summary>A world is run by one worker, but shows as many processors as it was given.</summary>
    public static CallResult SchedGetaffinity(CallContext call, int pid, uint length, GuestAddress mask)
    {
        int processors = call.World.System.Processors;
        int bytes = (processors + 63) / 64 * 8;
        if (length < bytes || length % 8 != 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        Span<byte> set = stackalloc byte[bytes];
        set.Clear();
        for (int i = 0; i < processors; i++)
        {
            if (thread.Scheduling.Processors is not { } chosen || i >= 64 || (chosen >> i & 1) != 0)
                set[i / 8] |= (byte)(1 << (i % 8));
        }
        return call.Memory.TryWrite(mask, set) ? bytes : Errno.EFAULT;
    }

    public static CallResult SchedSetaffinity(CallContext call, int pid, uint length, GuestAddress mask)
    {
        Span<byte> set = stackalloc byte[128];
        set.Clear();
        if (!call.Memory.TryRead(mask, set[..(int)Math.Min(length, 128)]))
            return Errno.EFAULT;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        if (!MayManage(call, thread))
            return Errno.EPERM;
        int processors = Math.Min(64, call.World.System.Processors);
        ulong chosen = MemoryMarshal.Read<ulong>(set) & (processors == 64 ? ulong.MaxValue : (1UL << processors) - 1);
        if (chosen == 0)
            return Errno.EINVAL;
        thread.Scheduling = thread.Scheduling with { Processors = chosen };
        return 0;
    }

    public static CallResult SchedGetscheduler(CallContext call, int pid)
    {
        if (pid < 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        return (int)thread.Scheduling.Policy | (thread.Scheduling.ResetsOnFork ? ResetOnFork : 0);
    }

    public static CallResult SchedGetparam(CallContext call, int pid, GuestAddress parameters)
    {
        if (pid < 0 || parameters.IsNull)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        return call.Memory.TryWrite(parameters, thread.Scheduling.Priority) ? 0 : Errno.EFAULT;
    }

    public static CallResult SchedSetscheduler(CallContext call, int pid, int policy, GuestAddress parameters) =>
        policy < 0 ? Errno.EINVAL : SetPolicy(call, pid, policy, parameters);

    public static CallResult SchedSetparam(CallContext call, int pid, GuestAddress parameters) => SetPolicy(call, pid, null, parameters);

    private static CallResult SetPolicy(CallContext call, int pid, int? policy, GuestAddress parameters)
    {
        if (parameters.IsNull || pid < 0)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(parameters, out int priority))
            return Errno.EFAULT;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        Scheduling now = thread.Scheduling;
        Scheduling wanted = now with { Priority = priority };
        if (policy is { } given)
            wanted = wanted with { Policy = (SchedulingPolicy)(given & ~ResetOnFork), ResetsOnFork = (given & ResetOnFork) != 0 };
        // struct sched_param has no room for a deadline.
        return policy is { } && wanted.Policy == SchedulingPolicy.Deadline ? Errno.EINVAL : Apply(call, thread, wanted);
    }

    /// <summary>Validates in the kernel's order, asks for rights, and sets.</summary>
    private static CallResult Apply(CallContext call, GuestThread thread, Scheduling wanted)
    {
        if (!Enum.IsDefined(wanted.Policy) || wanted.Priority is < 0 or > HighestPriority || wanted.IsRealTime != (wanted.Priority != 0))
            return Errno.EINVAL;
        if (wanted.Policy == SchedulingPolicy.Deadline && !IsSane(wanted.Reservation))
            return Errno.EINVAL;
        if (!call.Thread.Credentials.Has(Capability.Nice) && NeedsRight(call, thread, wanted))
            return Errno.EPERM;
        thread.Scheduling = wanted;
        return 0;
    }

    private static bool IsSane((ulong Runtime, ulong Deadline, ulong Period) times)
    {
        const ulong least = 1024;
        ulong period = times.Period == 0 ? times.Deadline : times.Period;
        return times.Deadline != 0 && times.Runtime >= least && times.Runtime <= times.Deadline && times.Deadline <= period && (period >> 63) == 0;
    }

    private static bool NeedsRight(CallContext call, GuestThread thread, Scheduling wanted)
    {
        Scheduling now = thread.Scheduling;
        Process process = thread.Process;
        if (wanted.Policy is SchedulingPolicy.Other or SchedulingPolicy.Batch && wanted.Nice < now.Nice && !MayBe(process, wanted.Nice))
            return true;
        ulong limit = process.SoftLimit(Resource.RealTimePriority);
        if (wanted.IsRealTime && ((wanted.Policy != now.Policy && limit == 0) || (wanted.Priority > now.Priority && (ulong)wanted.Priority > limit)))
            return true;
        if (wanted.Policy == SchedulingPolicy.Deadline)
            return true;
        if (now.Policy == SchedulingPolicy.Idle && wanted.Policy != SchedulingPolicy.Idle && !MayBe(process, now.Nice))
            return true;
        return !MayManage(call, thread) || (now.ResetsOnFork && !wanted.ResetsOnFork);
    }

    /// <summary>RLIMIT_NICE is 20 less the lowest nice value.</summary>
    private static bool MayBe(Process process, int nice) => (ulong)(20 - nice) <= process.SoftLimit(Resource.Nice);

    private static bool MayManage(CallContext call, GuestThread thread)
    {
        Credentials own = call.Thread.Credentials, other = thread.Credentials;
        return own.EffectiveUser == other.EffectiveUser || own.EffectiveUser == other.User || own.Has(Capability.Nice);
    }

    /// <summary>struct sched_attr: size, policy, flags, nice, priority, then three times and, in its second version, two clamps.</summary>
    public static CallResult SchedSetattr(CallContext call, int pid, GuestAddress attributes, uint flags)
    {
        if (attributes.IsNull || pid < 0 || flags != 0)
            return Errno.EINVAL;
        Errno error = ReadAttributes(call, attributes, out Span<byte> bytes);
        if (error != Errno.None)
            return error;
        int policy = MemoryMarshal.Read<int>(bytes[4..]);
        ulong how = MemoryMarshal.Read<ulong>(bytes[8..]);
        if (policy < 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        if ((how & ~(FlagResetOnFork | FlagReclaim | FlagOverrun | FlagKeepPolicy | FlagKeepParameters | FlagClampMinimum | FlagClampMaximum)) != 0)
            return Errno.EINVAL;
        Scheduling now = thread.Scheduling;
        Scheduling wanted = now with { ResetsOnFork = (how & FlagResetOnFork) != 0 };
        if ((how & FlagKeepPolicy) == 0)
            wanted = wanted with { Policy = (SchedulingPolicy)policy };
        if ((how & FlagKeepParameters) == 0)
            wanted = wanted with
            {
                Nice = wanted.IsRealTime || wanted.Policy == SchedulingPolicy.Deadline ? now.Nice : Math.Clamp(MemoryMarshal.Read<int>(bytes[16..]), -20, 19),
                Priority = MemoryMarshal.Read<int>(bytes[20..]),
                Reservation = (MemoryMarshal.Read<ulong>(bytes[24..]), MemoryMarshal.Read<ulong>(bytes[32..]), MemoryMarshal.Read<ulong>(bytes[40..])),
            };
        return Apply(call, thread, wanted);
    }

    private static Errno ReadAttributes(CallContext call, GuestAddress attributes, out Span<byte> bytes)
    {
        bytes = new byte[LastSize];
        if (!call.Memory.TryRead(attributes, out uint size))
            return Errno.EFAULT;
        if (size == 0)
            size = FirstSize;
        if (size < FirstSize || size > GuestAddress.PageSize)
            return Refuse(call, attributes);
        byte[] all = new byte[Math.Max(size, LastSize)];
        if (!call.Memory.TryRead(attributes, all.AsSpan(0, (int)size)))
            return Errno.EFAULT;
        // What a later version says must be nothing.
        if (all.AsSpan((int)LastSize).ContainsAnyExcept((byte)0))
            return Refuse(call, attributes);
        bytes = all;
        return Errno.None;
    }

    private static Errno Refuse(CallContext call, GuestAddress attributes) => call.Memory.TryWrite(attributes, LastSize) ? Errno.E2BIG : Errno.EFAULT;

    public static CallResult SchedGetattr(CallContext call, int pid, GuestAddress attributes, uint size, uint flags)
    {
        if (attributes.IsNull || pid < 0 || size < FirstSize || size > GuestAddress.PageSize || flags != 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        Scheduling now = thread.Scheduling;
        Span<byte> bytes = stackalloc byte[(int)LastSize];
        bytes.Clear();
        uint used = Math.Min(size, LastSize);
        MemoryMarshal.Write(bytes, used);
        MemoryMarshal.Write(bytes[4..], (int)now.Policy);
        MemoryMarshal.Write(bytes[8..], now.ResetsOnFork ? FlagResetOnFork : 0);
        if (now.IsRealTime)
            MemoryMarshal.Write(bytes[20..], now.Priority);
        else if (now.Policy != SchedulingPolicy.Deadline)
            MemoryMarshal.Write(bytes[16..], now.Nice);
        if (now.Policy == SchedulingPolicy.Deadline)
        {
            MemoryMarshal.Write(bytes[24..], now.Reservation.Runtime);
            MemoryMarshal.Write(bytes[32..], now.Reservation.Deadline);
            MemoryMarshal.Write(bytes[40..], now.Reservation.Period);
        }
        const uint fullClamp = 1024;
        MemoryMarshal.Write(bytes[52..], fullClamp);
        return call.Memory.TryWrite(attributes, bytes[..(int)used]) ? 0 : Errno.EFAULT;
    }

    public static CallResult SchedGetPriorityMax(CallContext call, int policy) => policy switch { 1 or 2 => HighestPriority, 0 or 3 or 5 or 6 => 0, _ => Errno.EINVAL };

    public static CallResult SchedGetPriorityMin(CallContext call, int policy) => policy switch { 1 or 2 => 1, 0 or 3 or 5 or 6 => 0, _ => Errno.EINVAL };

    /// <summary>A round robin's turn is 100 ms, a first-in one's endless (0); others tell a short one, as Linux does.</summary>
    public static CallResult SchedRrGetInterval(CallContext call, int pid, GuestAddress interval)
    {
        const long roundRobin = 100_000_000, fair = 2_800_000;
        if (pid < 0)
            return Errno.EINVAL;
        if (Find(call, pid) is not { } thread)
            return Errno.ESRCH;
        long turn = thread.Scheduling.Policy switch
        {
            SchedulingPolicy.RoundRobin => roundRobin,
            SchedulingPolicy.Fifo or SchedulingPolicy.Deadline => 0,
            _ => fair,
        };
        return TimeCalls.WriteTime(call, interval, turn);
    }

    /// <summary>The raw call returns 20 minus the nice value, so that it is never negative (getpriority(2), "C library/kernel differences").</summary>
    public static CallResult Getpriority(CallContext call, int which, int who)
    {
        Errno error = FindOwners(call, which, who, out List<GuestThread> threads);
        return error != Errno.None ? error : CallResult.Ok(threads.Max(static thread => 20 - thread.Scheduling.Nice));
    }

    public static CallResult Setpriority(CallContext call, int which, int who, int nice)
    {
        Errno error = FindOwners(call, which, who, out List<GuestThread> threads);
        if (error != Errno.None)
            return error;
        nice = Math.Clamp(nice, -20, 19);
        foreach (GuestThread thread in threads)
        {
            bool isPrivileged = call.Thread.Credentials.Has(Capability.Nice);
            Credentials own = call.Thread.Credentials;
            if (thread.Credentials.User != own.EffectiveUser && thread.Credentials.EffectiveUser != own.EffectiveUser && !isPrivileged)
                error = Errno.EPERM;
            else if (nice < thread.Scheduling.Nice && !isPrivileged && !MayBe(thread.Process, nice))
                error = Errno.EACCES;
            else
                thread.Scheduling = thread.Scheduling with { Nice = nice };
        }
        return error;
    }

    /// <summary>ioprio_set(2): the class in the upper bits, the level in the lower. Kept and told: nothing here waits for a disk.</summary>
    public static CallResult IoprioSet(CallContext call, int which, int who, int priority)
    {
        const int realTime = 1, bestEffort = 2, idle = 3;
        int kind = priority >> 13 & 7, level = priority & 7;
        switch (kind)
        {
            case realTime when !call.Thread.Credentials.Has(Capability.Administer) && !call.Thread.Credentials.Has(Capability.Nice):
                return Errno.EPERM;
            case realTime or bestEffort or idle:
                break;
            case 0 when level == 0:
                break;
            default:
                return Errno.EINVAL;
        }
        Errno error = FindOwners(call, which - 1, who, out List<GuestThread> threads);
        if (error != Errno.None)
            return error;
        foreach (GuestThread thread in threads)
        {
            if (!MayManage(call, thread))
                return Errno.EPERM;
            thread.Scheduling = thread.Scheduling with { IoPriority = priority & 0xFFFF };
        }
        return 0;
    }

    /// <summary>The best of those asked for; 0 where none was set.</summary>
    public static CallResult IoprioGet(CallContext call, int which, int who)
    {
        Errno error = FindOwners(call, which - 1, who, out List<GuestThread> threads);
        return error != Errno.None ? error : threads.Min(static thread => thread.Scheduling.IoPriority);
    }

    /// <summary>Threads named by PRIO_PROCESS 0, PRIO_PGRP 1, PRIO_USER 2; 0 names the caller's own.</summary>
    private static Errno FindOwners(CallContext call, int which, int who, out List<GuestThread> threads)
    {
        const int oneThread = 0, oneGroup = 1, oneUser = 2;
        threads = [];
        if (which is not (oneThread or oneGroup or oneUser))
            return Errno.EINVAL;
        if (which == oneThread)
        {
            if (Find(call, who) is { } thread)
                threads.Add(thread);
            return threads.Count == 0 ? Errno.ESRCH : Errno.None;
        }
        int group = who == 0 ? call.Process.Group : call.Pids.Outside(who);
        uint user = who == 0 ? call.Thread.Credentials.User : (uint)who;
        foreach (Process process in call.World.Processes())
        {
            if (call.Pids.Contains(process) && (which == oneGroup ? process.Group == group : process.Credentials.User == user))
                threads.AddRange(process.Threads);
        }
        return threads.Count == 0 ? Errno.ESRCH : Errno.None;
    }

    /// <summary>
    /// membarrier(2). One worker runs a world, so every thread has seen every store when another runs: barriers have nothing to do, but
    /// expedited ones must be registered for first.
    /// </summary>
    public static CallResult Membarrier(CallContext call, int command, uint flags, int cpu)
    {
        const int query = 0, global = 1, globalExpedited = 2, getRegistrations = 512, restartable = 128, all = 0x3FF, registrations = 4 | 16 | 64 | 256;
        const uint onProcessor = 1;
        if (command == restartable ? (flags & ~onProcessor) != 0 : flags != 0)
            return Errno.EINVAL;
        Process process = call.Process;
        switch (command)
        {
            case query:
                return all;
            case global or globalExpedited:
                return 0;
            case getRegistrations:
                return process.Barriers;
            case 4 or 16 or 64 or 256:
                process.Barriers |= command & registrations;
                return 0;
            case 8 or 32 or restartable:
                return (process.Barriers & (command << 1)) != 0 ? 0 : Errno.EPERM;
            default:
                return Errno.EINVAL;
        }
    }

    private static GuestThread? Find(CallContext call, int id) => id == 0 ? call.Thread : call.FindThread(id);
}
