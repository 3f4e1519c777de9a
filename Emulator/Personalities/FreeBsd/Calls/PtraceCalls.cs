using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>ptrace(2).</summary>
public static class PtraceCalls
{
    private const int TraceMe = 0, ReadText = 1, ReadData = 2, WriteText = 4, WriteData = 5, Continue = 7, Kill = 8, Step = 9, Attach = 10, Detach = 11, Transfer = 12;
    private const int ThreadInfo = 13, CountThreads = 14, ListThreads = 15, ClearStep = 16, SetStep = 17, Suspend = 18, Resume = 19, ToEntry = 20, ToExit = 21, ToCall = 22;
    private const int FollowFork = 23, ThreadEvents = 24, GetEvents = 25, SetEvents = 26, GetArguments = 27, GetResult = 28;
    private const int GetGeneral = 33, SetGeneral = 34, GetFloats = 35, SetFloats = 36, GetDebug = 37, SetDebug = 38, MapTimestamp = 40, MapEntry = 41, GetSet = 42, SetSet = 43;

    /// <summary>PT_GETFSBASE and the three behind it, of amd64 alone.</summary>
    private const int GetFsBase = 71, SetFsBase = 72, GetGsBase = 73, SetGsBase = 74;

    private static FreeBsdPersonality System => FreeBsdPersonality.Instance;

    public static CallResult Ptrace(CallContext call, int request, int pid, GuestAddress address, int data)
    {
        if (request == TraceMe)
            return BsdTracing.BeginBySelf(call, tellsAtExit: true);
        if (CheckInput(call, request, address, data) is not Errno.None and var wrong)
            return wrong;
        GuestThread? named = FreeBsdThreadId.Find(call, pid);
        Process? process = pid <= FreeBsdThreadId.LargestProcess ? call.FindProcess(pid) : named?.Process;
        if (process is null or { IsZombie: true })
            return Errno.ESRCH;
        if (!process.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        if (request == Attach)
            return Begin(call, process);
        // A thread may stop its own stepping.
        if (request == ClearStep && ReferenceEquals(named ?? process.MainThread, call.Thread))
            return 0;
        Errno error = BsdTracing.Find(call, process, mayRun: false, out ProcessTrace trace);
        if (error != Errno.None)
            return error;
        return Control(call, trace, (named ?? trace.Reporter!.Thread).Tracee!, request, address, data);
    }

    /// <summary>What is read of the caller is read before anything else is looked at.</summary>
    private static Errno CheckInput(CallContext call, int request, GuestAddress address, int data)
    {
        Span<byte> bytes = stackalloc byte[BsdTraceLayout.Largest];
        BsdTraceLayout own = BsdPersonality.ArchitectureOf(call).Trace;
        int size = request switch
        {
            SetGeneral => own.GeneralSize,
            SetFloats => own.FloatSize,
            SetDebug => own.DebugSize,
            Transfer => Unsafe.SizeOf<TraceTransfer>(),
            MapEntry => Unsafe.SizeOf<TraceArea>(),
            GetSet or SetSet => 2 * sizeof(ulong),
            SetEvents when data == sizeof(int) => sizeof(int),
            _ => 0,
        };
        if (request == SetEvents && data != sizeof(int))
            return Errno.EINVAL;
        return call.Memory.TryRead(address, bytes[..size]) ? Errno.None : Errno.EFAULT;
    }

    private static Errno Begin(CallContext call, Process process)
    {
        if (ReferenceEquals(process, call.Process))
            return Errno.EINVAL;
        if (process.IsTraced)
            return Errno.EBUSY;
        if (call.Process.IsTraced && IsAbove(process, call.Process))
            return Errno.EINVAL;
        Errno error = call.World.Trace(process, call.Process, tellsAtExit: true);
        const int fromKernel = 0x80;
        if (error == Errno.None)
            call.World.Halt(process.Trace!, new SignalInfo(Signal.Stop, fromKernel));
        return error;
    }

    /// <summary>The parents of what is traced are its tracers.</summary>
    private static bool IsAbove(Process process, Process below)
    {
        const int most = 100_000;
        Process? above = below.Trace?.Tracer ?? below.Parent;
        for (int i = 0; above is not null && i < most; i++)
        {
            if (ReferenceEquals(above, process))
                return true;
            above = above.Trace?.Tracer ?? above.Parent;
        }
        return false;
    }

    private static CallResult Control(CallContext call, ProcessTrace trace, Tracee tracee, int request, GuestAddress address, int data)
    {
        switch (request)
        {
            case Continue or Step or ToEntry or ToExit or ToCall or Detach:
                return GoOn(call, trace, tracee, request, address, data);
            case Kill:
                call.World.Send(trace.Process, new SignalInfo(Signal.Kill));
                return 0;
            case ReadText or ReadData:
                return trace.Process.Memory.TryPeek(address, out int word) ? word : Errno.ENOMEM;
            case WriteText or WriteData:
                return trace.Process.Memory.TryPoke(address, BitConverter.GetBytes(data)) ? 0 : Errno.ENOMEM;
            case Transfer:
                return MoveBytes(call, trace.Process, address);
            case ThreadInfo:
                return TellThread(call, trace, tracee, address, data);
            case CountThreads:
                return trace.Process.Threads.Count;
            case ListThreads:
                return TellThreads(call, trace.Process, address, data);
            case SetStep or ClearStep:
                tracee.Mode = request == SetStep ? TraceMode.Step : TraceMode.Continue;
                return 0;
            case Suspend or Resume:
                tracee.IsHeld = request == Suspend;
                return 0;
            case FollowFork or ThreadEvents:
                TraceEvents chosen = request == FollowFork ? TraceEvents.Fork | TraceEvents.Vfork : TraceEvents.ThreadStart | TraceEvents.ThreadEnd;
                trace.Events = data != 0 ? trace.Events | chosen : trace.Events & ~chosen;
                return 0;
            case GetEvents:
                return data != sizeof(int) ? Errno.EINVAL : call.Memory.TryWrite(address, FreeBsdTraceEvents.Mask(trace.Events)) ? 0 : Errno.EFAULT;
            case SetEvents:
                if (!call.Memory.TryRead(address, out int mask) || FreeBsdTraceEvents.FromMask(mask) is not { } events)
                    return Errno.EINVAL;
                trace.Events = events;
                return 0;
            case GetArguments:
                return TellArguments(call, tracee, address, data);
            case GetResult:
                return TellResult(call, tracee, address, data);
            case MapTimestamp:
                return FreeBsdTraceMap.Timestamp(trace.Process.Memory);
            case MapEntry:
                return FreeBsdTraceMap.Tell(call, trace.Process, address);
            default:
                return OfRegisters(call, tracee, request, address, data);
        }
    }

    private static CallResult GoOn(CallContext call, ProcessTrace trace, Tracee tracee, int request, GuestAddress address, int data)
    {
        int signal = System.Numbers.ToNeutral(data);
        const int lastSignal = 128;
        if (data is < 0 or > lastSignal)
            return Errno.EINVAL;
        // Where it goes on, or 1 for where it is.
        if (request is not (Step or Detach) && address.Value != 1)
        {
            if (System.ArchitectureFor(tracee.Thread) is not { } architecture)
                return Errno.EINVAL;
            architecture.Trace.SetCounter(tracee, address.Value);
        }
        trace.Events |= request switch
        {
            ToEntry => TraceEvents.CallEntry,
            ToExit => TraceEvents.CallExit,
            ToCall => TraceEvents.CallEntry | TraceEvents.CallExit,
            _ => TraceEvents.None,
        };
        if (request == Step)
            tracee.Mode = TraceMode.Step;
        if (signal != 0)
            BsdTracing.Give(call, tracee, signal);
        if (request == Detach)
            call.World.Untrace(trace);
        else
            call.World.Resume(trace);
        return 0;
    }

    private static CallResult MoveBytes(CallContext call, Process process, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out TraceTransfer transfer))
            return Errno.EFAULT;
        if (!transfer.IsOfMemory)
            return Errno.EINVAL;
        Errno error = BsdTracing.Move(call, process.Memory, ref transfer);
        return error != Errno.None ? error : call.Memory.TryWrite(address, transfer) ? 0 : Errno.EFAULT;
    }

    private static CallResult TellThread(CallContext call, ProcessTrace trace, Tracee tracee, GuestAddress address, int size)
    {
        if (size <= 0 || size > Unsafe.SizeOf<TraceThreadInfo>())
            return Errno.EINVAL;
        GuestThread thread = tracee.Thread;
        var info = new TraceThreadInfo
        {
            Thread = FreeBsdThreadId.Of(thread, call),
            Blocked = BsdSigSet.Of(thread.Blocked, System.Numbers),
            Pending = BsdSigSet.Of(thread.Pending.Set, System.Numbers),
        };
        thread.Name.AsSpan(0, Math.Min(thread.Name.Length, 19)).CopyTo(info.Name);
        if (tracee.Stop is { } stop)
        {
            info.Event = TraceThreadInfo.EventSignal;
            info.Flags = FreeBsdTraceEvents.Flags(stop.Events);
            if (stop.Kind == TraceStopKind.Signal && size >= TraceThreadInfo.SignalEnd)
            {
                info.Flags |= TraceThreadInfo.HasSignal;
                info.Signal = FreeBsdSigInfo.Of(stop.Info, FreeBsdSigInfo.TrapNumber(thread.Trap.Number));
            }
            if ((stop.Events & (TraceEvents.Fork | TraceEvents.Vfork)) != 0)
                info.ChildProcess = (int)stop.Message;
            if (stop.Kind is TraceStopKind.CallEntry or TraceStopKind.CallExit && trace.Process.Personality is BsdPersonality system)
                (info.Call, info.Arguments) = ((uint)thread.Call.Asked, (uint)system.ArgumentsOf(thread.Call.Number));
        }
        return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(new Span<TraceThreadInfo>(ref info))[..size]) ? 0 : Errno.EFAULT;
    }

    private static CallResult TellThreads(CallContext call, Process process, GuestAddress address, int room)
    {
        if (room <= 0)
            return Errno.EINVAL;
        int count = Math.Min(room, process.Threads.Count);
        int[] ids = new int[count];
        for (int i = 0; i < count; i++)
            ids[i] = FreeBsdThreadId.Of(process.Threads[i], call);
        return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(ids.AsSpan())) ? count : Errno.EFAULT;
    }

    /// <summary>A word each; what is behind those the call takes is 0.</summary>
    private static CallResult TellArguments(CallContext call, Tracee tracee, GuestAddress address, int room)
    {
        if (tracee.Stop?.Kind is not (TraceStopKind.CallEntry or TraceStopKind.CallExit))
            return Errno.EINVAL;
        CallContext made = tracee.Thread.Call;
        Span<ulong> words = stackalloc ulong[made.Arguments.Length];
        words.Clear();
        int count = tracee.Thread.Process.Personality is BsdPersonality system ? Math.Min(system.ArgumentsOf(made.Number), words.Length) : words.Length;
        made.Arguments[..count].CopyTo(words);
        Span<byte> bytes = MemoryMarshal.AsBytes(words);
        return call.Memory.TryWrite(address, bytes[..(int)Math.Min((uint)room, (uint)bytes.Length)]) ? 0 : Errno.EFAULT;
    }

    /// <summary>Below 0: ERESTART for a call that runs again, EJUSTRETURN for one that sets no result.</summary>
    private static CallResult TellResult(CallContext call, Tracee tracee, GuestAddress address, int room)
    {
        const int restart = -1, noReturn = -2;
        if (tracee.Stop?.Kind is not TraceStopKind.CallExit)
            return Errno.EINVAL;
        CallResult left = tracee.LeftResult;
        var result = new TraceCallResult
        {
            Error = left.Outcome switch
            {
                CallOutcome.NoReturn => noReturn,
                CallOutcome.Interrupted when left.Restart != RestartKind.Never => restart,
                CallOutcome.Interrupted => System.Numbers.ErrorNumber(Errno.EINTR),
                _ => BsdTracing.ErrorOf(System, left),
            },
        };
        if (result.Error == 0 && System.ArchitectureFor(tracee.Thread) is { } architecture)
            (result.First, result.Second) = ((ulong)left.Value, architecture.SecondResult(ref tracee.Thread.Cpu.State));
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<TraceCallResult>(ref result));
        return call.Memory.TryWrite(address, bytes[..(int)Math.Min((uint)room, (uint)bytes.Length)]) ? 0 : Errno.EFAULT;
    }

    /// <summary>EINVAL for a request that there is none of, or for a processor that this system does not run on.</summary>
    private static CallResult OfRegisters(CallContext call, Tracee tracee, int request, GuestAddress address, int data)
    {
        if (System.ArchitectureFor(tracee.Thread) is not { } architecture || architecture.Architecture != call.Thread.Cpu.Architecture)
            return Errno.EINVAL;
        BsdTraceLayout layout = architecture.Trace;
        return request switch
        {
            GetGeneral or SetGeneral => BsdTracing.General(call, layout, tracee, address, request == SetGeneral),
            GetFloats or SetFloats => BsdTracing.Floats(call, layout, tracee.Thread, address, request == SetFloats),
            GetSet => FreeBsdRegisterSets.Read(call, architecture, tracee, data, address),
            SetSet => FreeBsdRegisterSets.Write(call, architecture, tracee, data, address),
            GetDebug or SetDebug => BsdTracing.Debug(call, layout, tracee.Thread, address, request == SetDebug),
            GetFsBase or SetFsBase when architecture.Architecture == Architecture.X64 => Base(call, ref tracee.Thread.Cpu.State.FsBase, address, request == SetFsBase),
            GetGsBase or SetGsBase when architecture.Architecture == Architecture.X64 => Base(call, ref tracee.Thread.Cpu.State.GsBase, address, request == SetGsBase),
            _ => Errno.EINVAL,
        };
    }

    private static Errno Base(CallContext call, ref ulong place, GuestAddress address, bool writes)
    {
        const ulong userLimit = 0x8000_0000_0000;
        if (!writes)
            return call.Memory.TryWrite(address, place) ? Errno.None : Errno.EFAULT;
        if (!call.Memory.TryRead(address, out ulong value))
            return Errno.EFAULT;
        if (value >= userLimit)
            return Errno.EINVAL;
        place = value;
        return Errno.None;
    }
}
