using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Debugging;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ptrace(2), as debuggers and strace use it.</summary>
public static class PtraceCalls
{
    private const int TraceMe = 0, PeekText = 1, PeekData = 2, PeekUser = 3, PokeText = 4, PokeData = 5, PokeUser = 6, Continue = 7, Kill = 8, SingleStep = 9;
    private const int GetRegisters = 12, SetRegisters = 13, GetFloats = 14, SetFloats = 15, Attach = 16, Detach = 17, SystemCall = 24;
    private const int SetOptions = 0x4200, GetMessage = 0x4201, GetSignal = 0x4202, SetSignal = 0x4203, GetSet = 0x4204, SetSet = 0x4205, Seize = 0x4206, Interrupt = 0x4207;
    private const int Listen = 0x4208, GetMask = 0x420A, SetMask = 0x420B, GetCallInformation = 0x420E;

    private const int GeneralSet = 1, FloatSet = 2;

    /// <summary>NT_386_IOPERM, and NT_X86_XSTATE, which a processor without XSAVE has not.</summary>
    private const int PortSet = 0x201, ExtendedSet = 0x202;
    private const uint KnownOptions = 0x003000FF;

    public static CallResult Ptrace(CallContext call, int request, int pid, GuestAddress address, GuestAddress data)
    {
        if (request == TraceMe)
            return call.Process.Parent is { } parent && AccessDomain.MayTrace(parent.Domain, call.Thread.Domain)
                ? call.World.Trace(call.Thread, parent, isSeized: false, TraceOptions.None) : Errno.EPERM;
        if (call.FindThread(pid) is not { } thread)
            return Errno.ESRCH;
        if (request is Attach or Seize)
            return Begin(call, thread, request == Seize, address, data);
        if (thread.Tracee is not { Session: null } tracee || tracee.Tracer != call.Process)
            return Errno.ESRCH;
        switch (request)
        {
            case Interrupt:
                return InterruptTracee(call, tracee);
            case Kill:
                thread.Process.Exit(WaitStatus.OfSignal(Signal.Kill, dumpedCore: false));
                return 0;
        }
        return tracee.Stop is { } stop ? Control(call, tracee, stop, request, address, data) : Errno.ESRCH;
    }

    private static Errno Begin(CallContext call, GuestThread thread, bool isSeized, GuestAddress address, GuestAddress data)
    {
        if (isSeized && (!address.IsNull || (data.Value & ~(ulong)KnownOptions) != 0))
            return Errno.EIO;
        Credentials own = call.Thread.Credentials, other = thread.Credentials;
        bool isSame = own.User == other.User && own.User == other.EffectiveUser && own.Group == other.Group && own.Group == other.EffectiveGroup;
        if ((!isSame && !own.Has(Capability.Trace)) || !AccessDomain.MayTrace(call.Thread.Domain, thread.Domain))
            return Errno.EPERM;
        Errno error = call.World.Trace(thread, call.Process, isSeized, isSeized ? (TraceOptions)(uint)data.Value : TraceOptions.None);
        if (error != Errno.None || isSeized)
            return error;
        if (thread.Process.IsStopped)
            call.World.StopForGroup(thread.Tracee!);
        else
            call.World.Send(thread, new SignalInfo(Signal.Stop) { SenderProcess = call.ProcessNumber });
        return Errno.None;
    }

    private static Errno InterruptTracee(CallContext call, Tracee tracee)
    {
        if (!tracee.IsSeized)
            return Errno.EIO;
        call.World.Interrupt(tracee);
        return Errno.None;
    }

    private static CallResult Control(CallContext call, Tracee tracee, in TraceStop stop, int request, GuestAddress address, GuestAddress data)
    {
        GuestThread thread = tracee.Thread;
        LinuxArchitecture architecture = LinuxArchitecture.Of(thread);
        if (architecture.Trace is not { } layout || (!layout.HasUserArea && request is PeekUser or PokeUser or GetRegisters or SetRegisters or GetFloats or SetFloats) || (!layout.CanStep && request == SingleStep))
            return Errno.EIO;
        switch (request)
        {
            case PeekText or PeekData:
                return thread.Process.Memory.TryPeek(address, out ulong word) ? Give(call, data, word) : Errno.EIO;
            case PokeText or PokeData:
                return thread.Process.Memory.TryPoke(address, BitConverter.GetBytes(data.Value)) ? 0 : Errno.EIO;
            case PeekUser:
                return PeekRegister(call, tracee, address, data);
            case PokeUser:
                return PokeRegister(tracee, address, data.Value);
            case GetRegisters:
                return call.Memory.TryWrite(data, TraceRegisters.Of(tracee)) ? 0 : Errno.EFAULT;
            case SetRegisters:
                if (!call.Memory.TryRead(data, out TraceRegisters registers))
                    return Errno.EFAULT;
                registers.ApplyTo(tracee);
                return 0;
            case GetFloats or SetFloats:
                return Floats(call, thread, layout, data, layout.FloatSize, request == SetFloats);
            case GetSet or SetSet:
                return RegisterSet(call, tracee, layout, (int)address.Value, data, request == SetSet);
            case Continue or SingleStep or SystemCall or Detach:
                return Resume(call, tracee, stop, request, data.Value);
            case SetOptions:
                if ((data.Value & ~(ulong)KnownOptions) != 0)
                    return Errno.EINVAL;
                tracee.Options = (TraceOptions)(uint)data.Value;
                return 0;
            case GetMessage:
                return Give(call, data, tracee.Message);
            case GetSignal:
                return stop.Kind == TraceStopKind.Group && !tracee.IsSeized ? Errno.EINVAL : call.Memory.TryWrite(data, SigInfo.Of(stop.Info)) ? 0 : Errno.EFAULT;
            case SetSignal:
                if (!call.Memory.TryRead(data, out SigInfo given))
                    return Errno.EFAULT;
                tracee.ReplaceSignal(given.ToSignal(stop.Info.Signal));
                return 0;
            case Listen:
                return call.World.Listen(tracee) ? 0 : Errno.EIO;
            case GetMask when address.Value == sizeof(ulong):
                return Give(call, data, (thread.SavedMask ?? thread.Blocked).Bits);
            case SetMask when address.Value == sizeof(ulong):
                if (!call.Memory.TryRead(data, out ulong mask))
                    return Errno.EFAULT;
                thread.Blocked = new SignalSet(mask) & ~Signal.Unstoppable;
                return 0;
            case GetMask or SetMask:
                return Errno.EINVAL;
            case GetCallInformation:
                return CallInformation(call, tracee, architecture, stop, address.Value, data);
            default:
                return Errno.EIO;
        }
    }

    private static CallResult Give(CallContext call, GuestAddress at, ulong value) => call.Memory.TryWrite(at, value) ? 0 : Errno.EFAULT;

    private static CallResult Resume(CallContext call, Tracee tracee, in TraceStop stop, int request, ulong signal)
    {
        if (signal > Signal.Last)
            return Errno.EIO;
        if (signal != 0 && stop.Kind == TraceStopKind.Signal)
        {
            bool isSame = (int)signal == stop.Info.Signal;
            tracee.Injected = isSame ? stop.Info : new SignalInfo((int)signal) { SenderProcess = call.ProcessNumber, SenderUser = call.Thread.Credentials.User };
        }
        else if (signal != 0 && stop.Kind is TraceStopKind.CallEntry or TraceStopKind.CallExit)
        {
            call.World.Send(tracee.Thread, new SignalInfo((int)signal) { SenderProcess = call.ProcessNumber });
        }
        tracee.Mode = request switch { SystemCall => TraceMode.Calls, SingleStep => TraceMode.Step, _ => TraceMode.Continue };
        call.World.Resume(tracee, ends: request == Detach);
        return 0;
    }

    private static CallResult PeekRegister(CallContext call, Tracee tracee, GuestAddress offset, GuestAddress data)
    {
        if (offset.Value % sizeof(ulong) != 0 || offset.Value >= UserAreaSize)
            return Errno.EIO;
        TraceRegisters registers = TraceRegisters.Of(tracee);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(MemoryMarshal.AsBytes(new ReadOnlySpan<TraceRegisters>(in registers)));
        int index = (int)(offset.Value / sizeof(ulong));
        return Give(call, data, index < words.Length ? words[index] : offset.Value < DebugArea ? 0 : PeekDebug(tracee.Thread, (int)(offset.Value - DebugArea) / sizeof(ulong)));
    }

    /// <summary>sizeof(struct user), and where its u_debugreg begins: the last member.</summary>
    private const ulong UserAreaSize = 912, DebugArea = 848;

    private static ulong PeekDebug(GuestThread thread, int index)
    {
        DebugRegisters debug = thread.Debug ??= new DebugRegisters();
        return index switch { < DebugRegisters.Count => debug.Address(index), 6 => debug.Status, 7 => debug.Control, _ => 0 };
    }

    private static Errno PokeDebug(GuestThread thread, int index, ulong value)
    {
        DebugRegisters debug = thread.Debug ??= new DebugRegisters();
        switch (index)
        {
            case < DebugRegisters.Count:
                return debug.TrySetAddress(index, value) ? Errno.None : Errno.EINVAL;
            case 6:
                debug.Status = value;
                return Errno.None;
            case 7:
                return debug.TrySetControl(value) ? Errno.None : Errno.EINVAL;
            default:
                return Errno.EIO;
        }
    }

    private static CallResult PokeRegister(Tracee tracee, GuestAddress offset, ulong value)
    {
        if (offset.Value % sizeof(ulong) != 0 || offset.Value >= UserAreaSize)
            return Errno.EIO;
        TraceRegisters registers = TraceRegisters.Of(tracee);
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(MemoryMarshal.AsBytes(new Span<TraceRegisters>(ref registers)));
        int index = (int)(offset.Value / sizeof(ulong));
        if (index >= words.Length)
            return offset.Value >= DebugArea ? PokeDebug(tracee.Thread, (int)(offset.Value - DebugArea) / sizeof(ulong), value) : Errno.EIO;
        words[index] = value;
        registers.ApplyTo(tracee);
        return 0;
    }

    /// <summary>Registers as notes of core files lay them out.</summary>
    private static CallResult RegisterSet(CallContext call, Tracee tracee, TraceLayout layout, int set, GuestAddress vector, bool writes)
    {
        if (!call.Memory.TryRead(vector, out ulong at) || !call.Memory.TryRead(vector + 8, out ulong room))
            return Errno.EFAULT;
        TraceSet? further = layout.FindSet(set);
        bool isKnown = set is GeneralSet or FloatSet || further is not null || (layout.HasUserArea && set is PortSet or ExtendedSet);
        if (!isKnown || room % (ulong)(further?.Item ?? (set == FloatSet ? layout.FloatItem : sizeof(ulong))) != 0)
            return Errno.EINVAL;
        if (set == ExtendedSet)
            return Errno.ENODEV;
        if (set == PortSet)
            return Ports(call, tracee.Thread, new GuestAddress(at), vector, room, writes);
        int size = (int)Math.Min(room, (ulong)(further?.Size ?? (set == GeneralSet ? layout.GeneralSize : layout.FloatSize)));
        CallResult result = further is not null ? Further(call, tracee, further, new GuestAddress(at), size, writes)
            : set == GeneralSet ? General(call, tracee, layout, new GuestAddress(at), size, writes)
            : Floats(call, tracee.Thread, layout, new GuestAddress(at), size, writes);
        return result.Outcome == CallOutcome.Value && !call.Memory.TryWrite(vector + 8, (ulong)size) ? Errno.EFAULT : result;
    }

    /// <summary>The bitmap of ports (ioperm(2)), which tracers cannot change.</summary>
    private static CallResult Ports(CallContext call, GuestThread thread, GuestAddress at, GuestAddress vector, ulong room, bool writes)
    {
        if (writes)
            return Errno.EOPNOTSUPP;
        if (thread.Cpu.Ports is not { Denied.IsEmpty: false } ports)
            return Errno.ENXIO;
        int size = (int)Math.Min(room, (ulong)ports.Denied.Length);
        return call.Memory.TryWrite(at, ports.Denied[..size]) && call.Memory.TryWrite(vector + 8, (ulong)size) ? 0 : Errno.EFAULT;
    }

    private static CallResult Further(CallContext call, Tracee tracee, TraceSet set, GuestAddress at, int size, bool writes)
    {
        Span<byte> bytes = stackalloc byte[TraceLayout.Largest];
        bytes = bytes[..set.Size];
        set.Read(tracee, bytes);
        if (!writes)
            return call.Memory.TryWrite(at, bytes[..size]) ? 0 : Errno.EFAULT;
        return call.Memory.TryRead(at, bytes[..size]) ? set.Write(tracee, bytes, size) : Errno.EFAULT;
    }

    private static CallResult General(CallContext call, Tracee tracee, TraceLayout layout, GuestAddress at, int size, bool writes)
    {
        Span<byte> bytes = stackalloc byte[TraceLayout.Largest];
        bytes = bytes[..layout.GeneralSize];
        layout.ReadGeneral(tracee, bytes);
        if (!writes)
            return call.Memory.TryWrite(at, bytes[..size]) ? 0 : Errno.EFAULT;
        if (!call.Memory.TryRead(at, bytes[..size]))
            return Errno.EFAULT;
        layout.WriteGeneral(tracee, bytes);
        return 0;
    }

    private static CallResult Floats(CallContext call, GuestThread thread, TraceLayout layout, GuestAddress at, int size, bool writes)
    {
        Span<byte> bytes = stackalloc byte[TraceLayout.Largest];
        bytes = bytes[..layout.FloatSize];
        layout.ReadFloats(thread, bytes);
        if (!writes)
            return call.Memory.TryWrite(at, bytes[..size]) ? 0 : Errno.EFAULT;
        if (layout.HasWholeFloats && size != layout.FloatSize)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(at, bytes[..size]))
            return Errno.EFAULT;
        return layout.WriteFloats(thread, bytes) ? 0 : Errno.EINVAL;
    }

    /// <summary>struct ptrace_syscall_info, cut to what the caller has room for; returns its whole size.</summary>
    private static CallResult CallInformation(CallContext call, Tracee tracee, LinuxArchitecture architecture, in TraceStop stop, ulong room, GuestAddress data)
    {
        const int head = 24, entrySize = head + 56, filterSize = entrySize + sizeof(uint), exitSize = head + 9;
        const byte entry = 1, exit = 2, filter = 3;
        Span<byte> bytes = stackalloc byte[filterSize];
        bytes.Clear();
        GuestThread thread = tracee.Thread;
        MemoryMarshal.Write(bytes[4..], architecture.AuditArchitecture);
        MemoryMarshal.Write(bytes[8..], architecture.Trace!.Counter(tracee));
        MemoryMarshal.Write(bytes[16..], architecture.StackPointer(ref thread.Cpu.State));
        int size = head;
        if (tracee.IsBeforeCall)
        {
            bool isFilter = stop.Kind != TraceStopKind.CallEntry;
            bytes[0] = isFilter ? filter : entry;
            MemoryMarshal.Write(bytes[head..], (ulong)thread.Call.Asked);
            for (int i = 0; i < 6; i++)
                MemoryMarshal.Write(bytes[(head + 8 + (8 * i))..], thread.Call.Arguments[i]);
            MemoryMarshal.Write(bytes[entrySize..], isFilter ? (uint)tracee.Message : 0);
            size = isFilter ? filterSize : entrySize;
        }
        else if (stop.Kind == TraceStopKind.CallExit)
        {
            bytes[0] = exit;
            long value = (long)architecture.Trace.Result(thread.Cpu.State);
            MemoryMarshal.Write(bytes[head..], value);
            bytes[head + 8] = value is < 0 and >= -4095 ? (byte)1 : (byte)0;
            size = exitSize;
        }
        return call.Memory.TryWrite(data, bytes[..(int)Math.Min(room, (ulong)size)]) ? size : Errno.EFAULT;
    }
}
