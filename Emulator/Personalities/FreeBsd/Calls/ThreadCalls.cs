using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.FreeBsd.Umtx;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSignals = Vivarium.Emulator.Personalities.Linux.Calls.SignalCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Threads: thr_new(2), thr_exit(2), sysarch(2).</summary>
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
        long id = FreeBsdThreadId.Of(thread!);
        if (given.ChildId != 0)
            call.Memory.TryWrite(new GuestAddress(given.ChildId), id);
        if (given.ParentId != 0)
            call.Memory.TryWrite(new GuestAddress(given.ParentId), id);
        ref CpuState state = ref thread!.Cpu.State;
        BsdArchitecture architecture = BsdPersonality.ArchitectureOf(call);
        ((IFreeBsdArchitecture)architecture).SetThreadStart(ref state, given.Start, given.Argument, given.StackBase + given.StackSize);
        architecture.Return(ref state, given.Argument, isError: false);
        architecture.ThreadPointer(ref state) = given.TlsBase;
        call.World.FollowNew(call.Thread, thread, Kernel.Tracing.TraceEvent.Clone);
        return CallResult.Ok();
    }

    /// <summary>The word at <paramref name="state"/> becomes 1 and its waiters are woken; the last thread takes the process with it.</summary>
    public static CallResult ThrExit(CallContext call, GuestAddress state)
    {
        if (call.World.TellThreadEnd(call))
            return call.Wait();
        if (!state.IsNull && call.Memory.TryWrite(state, 1L))
            _ = UmtxWord.Wake(call, state, int.MaxValue, isPrivate: false);
        call.Process.ExitThread(call.Thread, 0);
        return CallResult.NoReturn;
    }

    public static CallResult ThrSelf(CallContext call, GuestAddress id) =>
        call.Memory.TryWrite(id, (long)FreeBsdThreadId.Of(call.Thread)) ? CallResult.Ok() : Errno.EFAULT;

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
            return FreeBsdThreadId.Find(call, id) is { } found ? LinuxSignals.Tgkill(call, pid, call.Pids.Inside(found.Id), neutral) : Errno.ESRCH;
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
        if (FreeBsdThreadId.Find(call, id) is not { } thread || thread.Process != call.Process)
            return Errno.ESRCH;
        thread.Name = text[..Math.Min(text.Length, longest)];
        return CallResult.Ok();
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
