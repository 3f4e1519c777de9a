using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What the system is and has: uname(2), sysinfo(2), getrandom(2), scheduling facts.</summary>
public static class SystemCalls
{
    private const int NameLength = 65;

    public static CallResult Uname(CallContext call, GuestAddress name)
    {
        Kernel.Files.Proc.SystemInfo system = call.World.System;
        Span<byte> all = stackalloc byte[6 * NameLength];
        all.Clear();
        string[] fields = [system.SystemName, system.HostName, system.Release, system.Version, "x86_64", "(none)"];
        for (int i = 0; i < fields.Length; i++)
            Encoding.UTF8.GetBytes(fields[i].AsSpan(0, Math.Min(fields[i].Length, NameLength - 1)), all[(i * NameLength)..]);
        return call.Memory.TryWrite(name, all) ? 0 : Errno.EFAULT;
    }

    public static CallResult Getrandom(CallContext call, GuestAddress buffer, ulong length, uint flags)
    {
        const uint nonBlocking = 1, random = 2, insecure = 4;
        if ((flags & ~(nonBlocking | random | insecure)) != 0 || (flags & (random | insecure)) == (random | insecure))
            return Errno.EINVAL;
        length = Math.Min(length, int.MaxValue);
        for (ulong done = 0; done < length;)
        {
            Span<byte> view = call.Memory.View(buffer + done, length - done, MemoryAccess.Write);
            if (view.IsEmpty)
                return done > 0 ? (long)done : Errno.EFAULT;
            call.World.Random.Fill(view);
            done += (ulong)view.Length;
        }
        return (long)length;
    }

    /// <summary>struct sysinfo: 112 bytes on 64-bit systems.</summary>
    public static CallResult Sysinfo(CallContext call, GuestAddress info)
    {
        Span<ulong> words = stackalloc ulong[14];
        words.Clear();
        Kernel.Files.Proc.SystemInfo system = call.World.System;
        words[0] = (ulong)call.World.Clock.Monotonic / 1_000_000_000;
        words[4] = system.TotalMemory;
        words[5] = system.TotalMemory - Math.Min(system.TotalMemory, system.UsedMemory());
        words[10] = (ushort)call.World.Processes().Count;
        words[13] = 1;
        return call.Memory.TryWrite(info, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)) ? 0 : Errno.EFAULT;
    }

    /// <summary>A world is run by one worker, but shows as many processors as it was given.</summary>
    public static CallResult SchedGetaffinity(CallContext call, int pid, uint length, GuestAddress mask)
    {
        int processors = call.World.System.Processors;
        int bytes = (processors + 63) / 64 * 8;
        if (length < bytes || length % 8 != 0)
            return Errno.EINVAL;
        if (pid != 0 && call.World.FindThread(pid) is null)
            return Errno.ESRCH;
        Span<byte> set = stackalloc byte[bytes];
        set.Clear();
        for (int i = 0; i < processors; i++)
            set[i / 8] |= (byte)(1 << (i % 8));
        return call.Memory.TryWrite(mask, set) ? bytes : Errno.EFAULT;
    }

    public static CallResult SchedSetaffinity(CallContext call, int pid, uint length, GuestAddress mask)
    {
        if (pid != 0 && call.World.FindThread(pid) is null)
            return Errno.ESRCH;
        Span<byte> set = stackalloc byte[128];
        set.Clear();
        if (!call.Memory.TryRead(mask, set[..(int)Math.Min(length, 128)]))
            return Errno.EFAULT;
        for (int i = 0; i < call.World.System.Processors; i++)
        {
            if ((set[i / 8] & (1 << (i % 8))) != 0)
                return 0;
        }
        return Errno.EINVAL;
    }

    public static CallResult SchedGetscheduler(CallContext call, int pid) => Thread(call, pid) is null ? Errno.ESRCH : 0;

    public static CallResult SchedGetparam(CallContext call, int pid, GuestAddress parameters) =>
        Thread(call, pid) is null ? Errno.ESRCH : call.Memory.TryWrite(parameters, 0) ? 0 : Errno.EFAULT;

    /// <summary>Only SCHED_OTHER, SCHED_BATCH and SCHED_IDLE, whose priority is 0; real-time policies need a privilege nobody has here.</summary>
    public static CallResult SchedSetscheduler(CallContext call, int pid, int policy, GuestAddress parameters)
    {
        if (!call.Memory.TryRead(parameters, out int priority))
            return Errno.EFAULT;
        if (Thread(call, pid) is null)
            return Errno.ESRCH;
        return policy switch
        {
            0 or 3 or 5 => priority == 0 ? 0 : Errno.EINVAL,
            1 or 2 => priority is >= 1 and <= 99 ? Errno.EPERM : Errno.EINVAL,
            _ => Errno.EINVAL,
        };
    }

    public static CallResult SchedSetparam(CallContext call, int pid, GuestAddress parameters) => SchedSetscheduler(call, pid, 0, parameters);

    public static CallResult SchedGetPriorityMax(CallContext call, int policy) => policy switch { 1 or 2 => 99, 0 or 3 or 5 or 6 => 0, _ => Errno.EINVAL };

    public static CallResult SchedGetPriorityMin(CallContext call, int policy) => policy switch { 1 or 2 => 1, 0 or 3 or 5 or 6 => 0, _ => Errno.EINVAL };

    public static CallResult Getcpu(CallContext call, GuestAddress processor, GuestAddress node, GuestAddress unused)
    {
        if (!processor.IsNull && !call.Memory.TryWrite(processor, 0))
            return Errno.EFAULT;
        return node.IsNull || call.Memory.TryWrite(node, 0) ? 0 : Errno.EFAULT;
    }

    /// <summary>One worker runs a world, so every thread has seen every store when another runs: barriers have nothing to do.</summary>
    public static CallResult Membarrier(CallContext call, int command, uint flags, int cpu)
    {
        const int supported = 0x1FF;
        if (flags != 0)
            return Errno.EINVAL;
        return command == 0 ? supported : (command & supported) == command && (command & (command - 1)) == 0 ? 0 : Errno.EINVAL;
    }

    private static GuestThread? Thread(CallContext call, int id) => id == 0 ? call.Thread : call.World.FindThread(id);
}
