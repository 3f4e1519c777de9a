using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using Vivarium.Emulator.Personalities.NetBsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>ptrace(2).</summary>
public static class PtraceCalls
{
    private const int TraceMe = 0, ReadText = 1, ReadData = 2, WriteText = 4, WriteData = 5, Continue = 7, Kill = 8, Attach = 9, Detach = 10, Transfer = 11;
    private const int ThreadInfo = 13, ToCall = 14, EmulateCall = 15, SetEvents = 16, GetEvents = 17, GetState = 18, SetSignal = 19, GetSignal = 20, Resume = 21, Suspend = 22;
    private const int Stop = 23, ThreadStatus = 24, NextThread = 25, SetPassed = 26, GetPassed = 27, FirstOfMachine = 32;

    private static NetBsdPersonality System => NetBsdPersonality.Instance;

    public static CallResult Ptrace(CallContext call, int request, int pid, GuestAddress address, int data)
    {
        if (request == TraceMe)
            return BsdTracing.BeginBySelf(call, tellsAtExit: false);
        if (call.FindProcess(pid) is not { IsZombie: false } process)
            return Errno.ESRCH;
        if (request == Attach)
            return Begin(call, process);
        MachineRequest machine = NetBsdTracing.OfMachine(call.Thread.Cpu.Architecture, request);
        if (request is not (>= ReadText and <= GetPassed and not (3 or 6 or 12)) && machine == MachineRequest.None)
            return Errno.EINVAL;
        Errno error = BsdTracing.Find(call, process, mayRun: request is Kill or Stop, out ProcessTrace trace);
        if (error == Errno.None && !process.MayBeInspectedBy(call.Thread))
            error = Errno.EPERM;
        if (error != Errno.None)
            return error;
        return machine == MachineRequest.None ? Control(call, trace, request, address, data) : OfMachine(call, trace, machine, address, data);
    }

    private static Errno Begin(CallContext call, Process process)
    {
        if (ReferenceEquals(process, call.Process))
            return Errno.EINVAL;
        if (process.IsTraced)
            return Errno.EBUSY;
        // A parent that waits after vfork would wait for its tracer.
        if (!process.MayBeInspectedBy(call.Thread) || (call.Process.HoldsParent && ReferenceEquals(call.Process.Parent, process)))
            return Errno.EPERM;
        Errno error = call.World.Trace(process, call.Process, tellsAtExit: false);
        if (error == Errno.None)
            call.World.Halt(process.Trace!, Own(call, Signal.Stop));
        return error;
    }

    private static SignalInfo Own(CallContext call, int signal) => new(signal) { SenderProcess = call.ProcessNumber, SenderUser = call.Thread.Credentials.EffectiveUser };

    private static CallResult Control(CallContext call, ProcessTrace trace, int request, GuestAddress address, int data)
    {
        switch (request)
        {
            case Continue or ToCall or Detach:
                return GoOn(call, trace, request, steps: false, address, data);
            case Kill:
                call.World.Send(trace.Process, new SignalInfo(Signal.Kill));
                return 0;
            case Stop:
                StopAgain(call, trace);
                return 0;
            case ReadText or ReadData:
                return trace.Process.Memory.TryPeek(address, out int word) ? word : Errno.EFAULT;
            case WriteText or WriteData:
                return trace.Process.Memory.TryPoke(address, BitConverter.GetBytes(data)) ? 0 : Errno.EFAULT;
            case Transfer:
                return MoveBytes(call, trace.Process, address, data);
            case EmulateCall:
                if (trace.Reporter!.Stop is not { Kind: TraceStopKind.CallEntry })
                    return Errno.EINVAL;
                call.World.CancelCall(trace.Reporter);
                return 0;
            case SetEvents or GetEvents:
                return EventMask(call, trace, address, data, request == SetEvents);
            case GetState:
                return data != 2 * sizeof(int) ? Errno.EINVAL : call.Memory.TryWrite(address, NetBsdTracing.StateOf(trace.Reporter!.Stop!.Value)) ? 0 : Errno.EFAULT;
            case GetSignal or SetSignal:
                return SignalOf(call, trace.Reporter!, address, data, request == SetSignal);
            case Resume or Suspend:
                return NetBsdTracing.FindThread(call, trace, data, out Tracee held) is not Errno.None and var missing ? missing : Hold(held, request == Suspend);
            case ThreadInfo:
                return NetBsdTracing.TellThreadInfo(call, trace, address, data);
            case ThreadStatus or NextThread:
                return NetBsdTracing.TellThreadStatus(call, trace, address, data, request == NextThread);
            default:
                return Passed(call, trace, address, data, request == SetPassed);
        }
    }

    private static Errno Hold(Tracee tracee, bool holds)
    {
        tracee.IsHeld = holds;
        return Errno.None;
    }

    /// <summary>A process that stands still is told to have stopped for this once more.</summary>
    private static void StopAgain(CallContext call, ProcessTrace trace)
    {
        if (trace.Reporter is not null)
            trace.Renew(Signal.Stop);
        else
            call.World.Halt(trace, Own(call, Signal.Stop));
    }

    /// <summary>Below 0: one thread alone goes on. EDEADLK when all that would go on are held.</summary>
    private static CallResult GoOn(CallContext call, ProcessTrace trace, int request, bool steps, GuestAddress address, int data)
    {
        const int signals = 64;
        int thread = data == int.MinValue || (data > 0 && !steps) ? 0 : Math.Abs(data), signal = data > 0 && !steps ? data : 0;
        if (data == int.MinValue)
            return Errno.ESRCH;
        if (thread != 0 && request == Detach)
            return Errno.EINVAL;
        Tracee chosen = trace.Process.MainThread.Tracee!;
        if (thread != 0)
        {
            if (NetBsdTracing.FindThread(call, trace, thread, out chosen) != Errno.None)
                return Errno.ESRCH;
        }
        if (signal >= signals)
            return Errno.EINVAL;
        Tracee? only = data < 0 ? chosen : null;
        if (only is not null || steps ? chosen.IsHeld : trace.Process.Threads.All(static all => all.Tracee!.IsHeld))
            return Errno.EDEADLK;
        if (address.IsNull)
            return Errno.EINVAL;
        if (address.Value != 1)
        {
            if (System.ArchitectureFor(chosen.Thread) is not { } architecture)
                return Errno.EINVAL;
            architecture.Trace.SetCounter(chosen, address.Value);
        }
        SetModes(trace, steps ? chosen : null);
        TraceEvents calls = TraceEvents.CallEntry | TraceEvents.CallExit;
        trace.Events = request == ToCall ? trace.Events | calls : trace.Events & ~calls;
        return LetGo(call, trace, only, request == Detach, System.Numbers.ToNeutral(signal));
    }

    private static void SetModes(ProcessTrace trace, Tracee? stepped)
    {
        foreach (GuestThread thread in trace.Process.Threads)
            thread.Tracee!.Mode = thread.Tracee == stepped || thread.Tracee!.StepsAlways ? TraceMode.Step : TraceMode.Continue;
    }

    private static CallResult LetGo(CallContext call, ProcessTrace trace, Tracee? only, bool ends, int signal)
    {
        // A signal that stops leaves it where it is, and is told.
        if (Signal.Stops.Contains(signal) && !ends)
        {
            trace.Renew(signal);
            return 0;
        }
        if (signal != 0)
            BsdTracing.Give(call, trace.Reporter!, signal);
        if (ends)
            call.World.Untrace(trace);
        else
            call.World.Resume(trace, only);
        return 0;
    }

    private static CallResult MoveBytes(CallContext call, Process process, GuestAddress address, int size)
    {
        if (size != 0 && size != Unsafe.SizeOf<TraceTransfer>())
            return Errno.EINVAL;
        if (!call.Memory.TryRead(address, out TraceTransfer transfer))
            return Errno.EFAULT;
        if (transfer.Length == 0 || !(transfer.IsOfMemory || transfer.Operation == TraceTransfer.ReadAuxiliary))
            return Errno.EINVAL;
        Errno error;
        if (transfer.Operation == TraceTransfer.ReadAuxiliary)
        {
            ReadOnlySpan<byte> auxiliary = process.Layout.AuxiliaryVector;
            if (transfer.Remote > (ulong)auxiliary.Length)
                return Errno.EIO;
            auxiliary = auxiliary[(int)transfer.Remote..];
            auxiliary = auxiliary[..(int)Math.Min(transfer.Length, (ulong)auxiliary.Length)];
            transfer.Length = (ulong)auxiliary.Length;
            error = call.Memory.TryWrite(new GuestAddress(transfer.Local), auxiliary) ? Errno.None : Errno.EFAULT;
        }
        else
        {
            error = BsdTracing.Move(call, process.Memory, ref transfer);
        }
        return error != Errno.None ? error : call.Memory.TryWrite(address, transfer) ? 0 : Errno.EFAULT;
    }

    /// <summary>struct ptrace_event; what is no event is dropped.</summary>
    private static CallResult EventMask(CallContext call, ProcessTrace trace, GuestAddress address, int size, bool sets)
    {
        if (size != sizeof(int))
            return Errno.EINVAL;
        if (!sets)
            return call.Memory.TryWrite(address, NetBsdTracing.Mask(trace.Events)) ? 0 : Errno.EFAULT;
        if (!call.Memory.TryRead(address, out int mask))
            return Errno.EFAULT;
        trace.Events = (trace.Events & NetBsdTracing.Unmasked) | NetBsdTracing.FromMask(mask);
        return 0;
    }

    /// <summary>struct ptrace_siginfo: the information and the thread that it is for, 0 for the process.</summary>
    private static CallResult SignalOf(CallContext call, Tracee tracee, GuestAddress address, int size, bool sets)
    {
        if (size != Unsafe.SizeOf<TraceSignal>())
            return Errno.EINVAL;
        if (!sets)
            return call.Memory.TryWrite(address, NetBsdTracing.SignalOf(call, tracee)) ? 0 : Errno.EFAULT;
        if (!call.Memory.TryRead(address, out TraceSignal given))
            return Errno.EFAULT;
        int neutral = System.Numbers.ToNeutral(given.Info.Signal);
        const int signals = 64;
        if (given.Info.Signal is < 0 or >= signals)
            return Errno.EINVAL;
        tracee.ReplaceSignal(new SignalInfo(neutral, given.Info.Code)
        {
            Error = given.Info.Error, SenderProcess = (int)given.Info.First, SenderUser = (uint)(given.Info.First >> 32), Value = given.Info.Second,
        });
        return 0;
    }

    private static CallResult Passed(CallContext call, ProcessTrace trace, GuestAddress address, int size, bool sets)
    {
        BsdSigSet set = BsdSigSet.Of(trace.Passed, System.Numbers);
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<BsdSigSet>(ref set));
        if (size <= 0 || size > bytes.Length)
            return Errno.EINVAL;
        if (!sets)
            return call.Memory.TryWrite(address, bytes[..size]) ? 0 : Errno.EFAULT;
        bytes.Clear();
        if (!call.Memory.TryRead(address, bytes[..size]))
            return Errno.EFAULT;
        trace.Passed = set.ToNeutral(System.Numbers) & ~Signal.Unstoppable;
        return 0;
    }

    /// <summary>Requests that each processor numbers for itself: of registers, of the thread that <paramref name="data"/> names, and steps.</summary>
    private static CallResult OfMachine(CallContext call, ProcessTrace trace, MachineRequest request, GuestAddress address, int data)
    {
        if (request == MachineRequest.Step)
            return GoOn(call, trace, FirstOfMachine, steps: true, address, data);
        if (NetBsdTracing.FindThread(call, trace, data, out Tracee tracee) is not Errno.None and var missing)
            return missing;
        if (System.ArchitectureFor(tracee.Thread) is not { } architecture || architecture.Architecture != call.Thread.Cpu.Architecture)
            return Errno.EINVAL;
        switch (request)
        {
            case MachineRequest.GetGeneral or MachineRequest.SetGeneral:
                return BsdTracing.General(call, architecture.Trace, tracee, address, request == MachineRequest.SetGeneral);
            case MachineRequest.GetFloats or MachineRequest.SetFloats:
                return BsdTracing.Floats(call, architecture.Trace, tracee.Thread, address, request == MachineRequest.SetFloats);
            case MachineRequest.GetDebug or MachineRequest.SetDebug:
                return BsdTracing.Debug(call, architecture.Trace, tracee.Thread, address, request == MachineRequest.SetDebug);
            default:
                tracee.StepsAlways = request == MachineRequest.SetStep;
                return 0;
        }
    }
}
