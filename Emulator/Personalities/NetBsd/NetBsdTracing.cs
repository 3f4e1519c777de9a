using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using Vivarium.Emulator.Personalities.NetBsd.Abi;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>Requests of ptrace(2) that each processor has numbers of its own for (machine/ptrace.h).</summary>
internal enum MachineRequest : byte
{
    None,
    Step,
    GetGeneral,
    SetGeneral,
    GetFloats,
    SetFloats,
    GetDebug,
    SetDebug,
    SetStep,
    ClearStep,
}

/// <summary>What NetBSD tells tracers of threads and stops.</summary>
internal static class NetBsdTracing
{
    private const int First = 32;

    private static ReadOnlySpan<byte> OfX64 =>
    [
        (byte)MachineRequest.Step, (byte)MachineRequest.GetGeneral, (byte)MachineRequest.SetGeneral, (byte)MachineRequest.GetFloats, (byte)MachineRequest.SetFloats,
        (byte)MachineRequest.GetDebug, (byte)MachineRequest.SetDebug, (byte)MachineRequest.SetStep, (byte)MachineRequest.ClearStep,
    ];

    private static ReadOnlySpan<byte> OfArm64 =>
    [
        (byte)MachineRequest.GetGeneral, (byte)MachineRequest.SetGeneral, (byte)MachineRequest.GetFloats, (byte)MachineRequest.SetFloats,
        (byte)MachineRequest.Step, (byte)MachineRequest.SetStep, (byte)MachineRequest.ClearStep,
    ];

    public static MachineRequest OfMachine(Architecture architecture, int request)
    {
        ReadOnlySpan<byte> requests = architecture == Architecture.X64 ? OfX64 : OfArm64;
        return (uint)(request - First) < (uint)requests.Length ? (MachineRequest)requests[request - First] : MachineRequest.None;
    }

    /// <summary>PTRACE_FORK, VFORK, VFORK_DONE, LWP_CREATE, LWP_EXIT; POSIX_SPAWN (32) is a call that there is none of here.</summary>
    private static readonly (int Own, TraceEvents Neutral)[] Bits =
    [
        (1, TraceEvents.Fork), (2, TraceEvents.Vfork), (4, TraceEvents.VforkDone), (8, TraceEvents.ThreadStart), (16, TraceEvents.ThreadEnd),
    ];

    /// <summary>Events that the mask does not choose.</summary>
    public const TraceEvents Unmasked = TraceEvents.Execute | TraceEvents.CallEntry | TraceEvents.CallExit;

    public static int Mask(TraceEvents events)
    {
        int mask = 0;
        foreach ((int own, TraceEvents neutral) in Bits)
            mask |= (events & neutral) != 0 ? own : 0;
        return mask;
    }

    public static TraceEvents FromMask(int mask)
    {
        TraceEvents events = TraceEvents.None;
        foreach ((int own, TraceEvents neutral) in Bits)
            events |= (mask & own) != 0 ? neutral : TraceEvents.None;
        return events;
    }

    /// <summary>struct ptrace_state: the event, and the other process or the thread.</summary>
    public static ulong StateOf(in TraceStop stop) => Mask(stop.Events) is not 0 and var mask ? (uint)mask | (stop.Message << 32) : 0;

    /// <summary>The thread with this number, 0 for the process's first: ESRCH.</summary>
    public static Errno FindThread(CallContext call, ProcessTrace trace, int number, out Tracee tracee)
    {
        GuestThread? thread = number == 0 ? trace.Process.MainThread : call.FindThread(number);
        tracee = thread?.Tracee!;
        return thread is not null && ReferenceEquals(thread.Process, trace.Process) ? Errno.None : Errno.ESRCH;
    }

    /// <summary>The thread behind this one in the process's list, its first for 0; null behind the last. ESRCH.</summary>
    private static Errno FindNext(CallContext call, ProcessTrace trace, int number, out GuestThread? next)
    {
        next = null;
        IReadOnlyList<GuestThread> threads = trace.Process.Threads;
        int index = -1;
        for (int i = 0; number != 0 && i < threads.Count; i++)
            index = call.Pids.Inside(threads[i].Id) == number ? i : index;
        if (number != 0 && index < 0)
            return Errno.ESRCH;
        next = index + 1 < threads.Count ? threads[index + 1] : null;
        return Errno.None;
    }

    /// <summary>struct ptrace_lwpinfo: a thread's number and why it stopped; of the one behind the one given.</summary>
    public static CallResult TellThreadInfo(CallContext call, ProcessTrace trace, GuestAddress address, int size)
    {
        const int signal = 1, held = 2;
        if (size != 2 * sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(address, out int number))
            return Errno.EFAULT;
        if (FindNext(call, trace, number, out GuestThread? thread) is not Errno.None and var missing)
            return missing;
        Span<int> told = [0, 0];
        if (thread?.Tracee is { } tracee)
            (told[0], told[1]) = (call.Pids.Inside(thread.Id), tracee.IsHeld ? held : tracee == trace.Reporter ? signal : 0);
        return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(told)) ? 0 : Errno.EFAULT;
    }

    /// <summary>struct ptrace_lwpstatus, as much as there is room for.</summary>
    public static CallResult TellThreadStatus(CallContext call, ProcessTrace trace, GuestAddress address, int size, bool ofNext)
    {
        if (size < sizeof(int) || size > Unsafe.SizeOf<TraceThreadStatus>())
            return Errno.EINVAL;
        if (!call.Memory.TryRead(address, out int number))
            return Errno.EFAULT;
        GuestThread? thread;
        Errno error;
        if (ofNext)
        {
            error = FindNext(call, trace, number, out thread);
        }
        else
        {
            error = FindThread(call, trace, number, out Tracee tracee);
            thread = tracee?.Thread;
        }
        if (error != Errno.None)
            return error;
        TraceThreadStatus status = thread is null ? default : StatusOf(call, thread);
        return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(new Span<TraceThreadStatus>(ref status))[..size]) ? 0 : Errno.EFAULT;
    }

    private static TraceThreadStatus StatusOf(CallContext call, GuestThread thread)
    {
        NetBsdPersonality system = NetBsdPersonality.Instance;
        var status = new TraceThreadStatus
        {
            Thread = call.Pids.Inside(thread.Id),
            Pending = BsdSigSet.Of(thread.Pending.Set, system.Numbers),
            Blocked = BsdSigSet.Of(thread.Blocked, system.Numbers),
        };
        if (system.ArchitectureFor(thread) is { } architecture)
            status.Private = architecture.ThreadPointer(ref thread.Cpu.State);
        thread.Name.AsSpan(0, Math.Min(thread.Name.Length, 19)).CopyTo(status.Name);
        return status;
    }

    /// <summary>What a stop tells as a signal: SIGTRAP's codes for events and calls (siginfo(2)).</summary>
    public static TraceSignal SignalOf(CallContext call, Tracee tracee)
    {
        const int executed = 3, child = 4, thread = 5, callEntry = 7, callExit = 8;
        TraceStop stop = tracee.Stop!.Value;
        NetBsdPersonality system = NetBsdPersonality.Instance;
        int number = call.Pids.Inside(tracee.Thread.Id);
        var told = new TraceSignal { Info = NetBsdSigInfo.Of(stop.Info, tracee.Thread.Trap.Number), Thread = number };
        if (stop.Kind == TraceStopKind.Signal)
        {
            // One that was sent to the process is for no thread.
            told.Thread = stop.Info.IsFault || stop.Info.Code == ThreadKill ? number : 0;
            return told;
        }
        told.Info = new NetBsdSigInfo { Signal = system.Numbers.FromNeutral(Signal.Trap) };
        if (stop.Kind is TraceStopKind.CallEntry or TraceStopKind.CallExit)
        {
            told.Info.Code = stop.Kind == TraceStopKind.CallEntry ? callEntry : callExit;
            WriteCall(ref told, tracee);
        }
        else if ((stop.Events & TraceEvents.Execute) != 0)
        {
            told.Info.Code = executed;
        }
        else
        {
            told.Info.Code = (stop.Events & (TraceEvents.ThreadStart | TraceEvents.ThreadEnd)) != 0 ? thread : child;
            told.Info.First = StateOf(stop);
        }
        return told;
    }

    private const int ThreadKill = -6;

    /// <summary>_syscall: number, two results, error, arguments.</summary>
    private static void WriteCall(ref TraceSignal told, Tracee tracee)
    {
        NetBsdPersonality system = NetBsdPersonality.Instance;
        CallContext made = tracee.Thread.Call;
        Span<byte> reason = MemoryMarshal.AsBytes(new Span<NetBsdSigInfo>(ref told.Info))[16..];
        Span<int> words = MemoryMarshal.Cast<byte, int>(reason);
        words[0] = made.Asked;
        if (tracee.Stop!.Value.Kind == TraceStopKind.CallExit)
        {
            words[1] = (int)tracee.LeftResult.Value;
            words[3] = BsdTracing.ErrorOf(system, tracee.LeftResult);
            return;
        }
        Span<ulong> arguments = MemoryMarshal.Cast<byte, ulong>(reason[16..]);
        int count = Math.Min(Math.Min(system.ArgumentsOf(made.Number), made.Arguments.Length), arguments.Length);
        made.Arguments[..count].CopyTo(arguments);
    }
}
