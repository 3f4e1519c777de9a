using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Threads and what they wait for in memory: thr_new(2), thr_exit(2), _umtx_op(2), sysarch(2).</summary>
public static class ThreadCalls
{
    [StructLayout(LayoutKind.Sequential)]
    private struct Parameters
    {
        public ulong Start, Argument, StackBase, StackSize, TlsBase, TlsSize, ChildId, ParentId;
        public int Flags;
        private int _padding;
        public ulong Priority, Spare0, Spare1, Spare2;
    }

    public static CallResult ThrNew(CallContext call, GuestAddress parameters, int size)
    {
        if (size < 0 || size > Marshal.SizeOf<Parameters>())
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[Marshal.SizeOf<Parameters>()];
        bytes.Clear();
        if (!call.Memory.TryRead(parameters, bytes[..size]))
            return Errno.EFAULT;
        Parameters given = MemoryMarshal.Read<Parameters>(bytes);
        const CloneShares all = CloneShares.Memory | CloneShares.Files | CloneShares.FileContext | CloneShares.Actions | CloneShares.Process;
        Errno error = call.Process.Clone(call.Thread, all, 0, call.Process.Space, out GuestThread? thread);
        if (error != Errno.None)
            return error;
        long id = call.Pids.Inside(thread!.Id);
        if (given.ChildId != 0)
            call.Memory.TryWrite(new GuestAddress(given.ChildId), id);
        if (given.ParentId != 0)
            call.Memory.TryWrite(new GuestAddress(given.ParentId), id);
        ref CpuState state = ref thread.Cpu.State;
        BsdArchitecture architecture = BsdPersonality.ArchitectureOf(call);
        ((IFreeBsdArchitecture)architecture).SetThreadStart(ref state, given.Start, given.Argument, given.StackBase + given.StackSize);
        architecture.Return(ref state, given.Argument, isError: false);
        architecture.ThreadPointer(ref state) = given.TlsBase;
        return CallResult.Ok();
    }

    /// <summary>The word at <paramref name="state"/> becomes 1 and its waiters are woken; the last thread takes the process with it.</summary>
    public static CallResult ThrExit(CallContext call, GuestAddress state)
    {
        if (!state.IsNull && call.Memory.TryWrite(state, 1L))
            Wake(call, state, int.MaxValue, isPrivate: false);
        call.Process.ExitThread(call.Thread, 0);
        return CallResult.NoReturn;
    }

    public static CallResult ThrSelf(CallContext call, GuestAddress id) =>
        call.Memory.TryWrite(id, (long)call.Pids.Inside(call.Thread.Id)) ? CallResult.Ok() : Errno.EFAULT;

    public static CallResult ThrKill(CallContext call, long id, int signal) => Kill(call, call.Process, id, signal);

    public static CallResult ThrKill2(CallContext call, int pid, long id, int signal) =>
        call.FindProcess(pid) is { } process ? Kill(call, process, id, signal) : Errno.ESRCH;

    /// <summary>One thread of a process, or with -1 all but the caller.</summary>
    private static CallResult Kill(CallContext call, Process process, long id, int signal)
    {
        int neutral = FreeBsdPersonality.Instance.Numbers.ToNeutral(signal);
        if (signal != 0 && neutral == 0)
            return Errno.EINVAL;
        int pid = call.Pids.Inside(process.Id);
        if (id != -1)
            return LinuxSignals.Tgkill(call, pid, (int)id, neutral);
        CallResult result = Errno.ESRCH;
        foreach (GuestThread thread in process.Threads.ToArray())
        {
            if (thread != call.Thread)
                result = LinuxSignals.Tgkill(call, pid, call.Pids.Inside(thread.Id), neutral);
        }
        return result;
    }

    public static CallResult ThrSetName(CallContext call, long id, GuestAddress name)
    {
        const int longest = 19;
        byte[]? text = call.Memory.ReadCString(name, 256, out bool isTooLong);
        if (text is null || isTooLong)
            return text is null ? Errno.EFAULT : Errno.ENAMETOOLONG;
        if (call.FindThread((int)id) is not { } thread || thread.Process != call.Process)
            return Errno.ESRCH;
        thread.Name = text[..Math.Min(text.Length, longest)];
        return CallResult.Ok();
    }

    public static CallResult UmtxOp(CallContext call, GuestAddress address, int operation, ulong value, GuestAddress first, GuestAddress second)
    {
        const int wait = 2, wake = 3, waitWord = 11, waitWordPrivate = 15, wakePrivate = 16, wakeManyPrivate = 21;
        switch (operation)
        {
            case wait:
                return Wait(call, address, value, isLong: true, isPrivate: false, first, second);
            case waitWord or waitWordPrivate:
                return Wait(call, address, (uint)value, isLong: false, operation == waitWordPrivate, first, second);
            case wake or wakePrivate:
                return Wake(call, address, (int)Math.Min(value, int.MaxValue), operation == wakePrivate);
            case wakeManyPrivate:
                return WakeMany(call, address, value);
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult Wake(CallContext call, GuestAddress address, int count, bool isPrivate)
    {
        if (call.Memory.FutexKey(address, isPrivate) is not { } key)
            return Errno.EFAULT;
        call.World.Futexes.Wake(key, count);
        return CallResult.Ok();
    }

    private static CallResult WakeMany(CallContext call, GuestAddress table, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            if (!call.Memory.TryRead(table + (8 * i), out ulong place))
                return Errno.EFAULT;
            CallResult result = Wake(call, new GuestAddress(place), int.MaxValue, isPrivate: true);
            if (result.Outcome == CallOutcome.Error)
                return result;
        }
        return CallResult.Ok();
    }

    /// <summary>Waits while the word is as expected; another word is no error (do_wait in kern_umtx.c).</summary>
    private static CallResult Wait(CallContext call, GuestAddress address, ulong expected, bool isLong, bool isPrivate, GuestAddress size, GuestAddress timeout)
    {
        FutexTable futexes = call.World.Futexes;
        if (call.State is FutexWaiter waiter)
        {
            if (waiter.IsWoken)
                return CallResult.Ok();
            if (call.DeadlinePassed)
            {
                futexes.Leave(waiter);
                return Errno.ETIMEDOUT;
            }
            return Park(call, waiter, timeout);
        }
        if (!timeout.IsNull && SetLimit(call, size.Value, timeout) is not Errno.None and var error)
            return error;
        if (call.Memory.FutexKey(address, isPrivate) is not { } key)
            return Errno.EFAULT;
        ulong word = 0;
        if (isLong ? !call.Memory.TryRead(address, out word) : !ReadWord(call, address, out word))
            return Errno.EFAULT;
        if (word != expected)
            return CallResult.Ok();
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        call.State = waiter = futexes.Wait(key, uint.MaxValue, call.Thread);
        return Park(call, waiter, timeout);
    }

    private static bool ReadWord(CallContext call, GuestAddress address, out ulong word)
    {
        bool isRead = call.Memory.TryRead(address, out uint value);
        word = value;
        return isRead;
    }

    private static CallResult Park(CallContext call, FutexWaiter waiter, GuestAddress timeout)
    {
        if (call.Interrupted)
        {
            call.World.Futexes.Leave(waiter);
            call.State = null;
        }
        return call.Wait(waiter.Source, timeout.IsNull ? RestartKind.IfHandlerAllows : RestartKind.Never);
    }

    /// <summary>A struct timespec, or by its larger size a struct _umtx_time with flags and a clock.</summary>
    private static Errno SetLimit(CallContext call, ulong size, GuestAddress timeout)
    {
        const ulong plainSize = 16;
        const uint isAbsolute = 1;
        Errno error = call.ReadTime(timeout, out long nanoseconds);
        if (error != Errno.None)
            return error;
        uint flags = 0, clock = 0;
        if (size > plainSize && (!call.Memory.TryRead(timeout + 16, out flags) || !call.Memory.TryRead(timeout + 20, out clock)))
            return Errno.EFAULT;
        if ((flags & isAbsolute) == 0)
            call.SetTimeout(nanoseconds);
        else
            call.SetDeadline(clock is 0 or 9 or 10 ? call.World.MonotonicOf(nanoseconds) : nanoseconds);
        return Errno.None;
    }

    /// <summary>sysarch(2): the bases of FS and GS.</summary>
    public static CallResult Sysarch(CallContext call, int operation, GuestAddress parameters)
    {
        const int getFs = 128, setFs = 129, getGs = 130, setGs = 131;
        const ulong userLimit = 0x7FFF_FFFF_F000;
        ref CpuState state = ref call.Thread.Cpu.State;
        switch (operation)
        {
            case getFs or getGs:
                return call.Memory.TryWrite(parameters, operation == getFs ? state.FsBase : state.GsBase) ? CallResult.Ok() : Errno.EFAULT;
            case setFs or setGs:
                if (!call.Memory.TryRead(parameters, out ulong value))
                    return Errno.EFAULT;
                if (value >= userLimit)
                    return Errno.EINVAL;
                if (operation == setFs)
                    state.FsBase = value;
                else
                    state.GsBase = value;
                return CallResult.Ok();
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>cpuset_getaffinity(2) of the calling thread or process: a set as large as the caller's buffer.</summary>
    public static CallResult CpusetGetaffinity(CallContext call, int level, int which, long id, ulong size, GuestAddress mask)
    {
        const int smallest = 8, largest = 128;
        if (size is < smallest or > largest)
            return Errno.ERANGE;
        Span<byte> set = stackalloc byte[(int)size];
        set.Clear();
        int processors = Math.Min(call.World.System.Processors, set.Length * 8);
        for (int i = 0; i < processors; i++)
        {
            if (call.Thread.Scheduling.Processors is not { } chosen || i >= 64 || (chosen >> i & 1) != 0)
                set[i / 8] |= (byte)(1 << (i % 8));
        }
        return call.Memory.TryWrite(mask, set) ? CallResult.Ok() : Errno.EFAULT;
    }
}
