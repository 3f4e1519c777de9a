using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>From a processor's exception to the signal Linux sends for it (arch/x86/kernel/traps.c as its manual pages tell: sigaction(2)).</summary>
internal static class X64Faults
{
    private const int FromKernel = 0x80;

    /// <summary>TASK_SIZE_MAX.</summary>
    private const ulong UserEnd = (1UL << 47) - GuestAddress.PageSize;

    private const int IllegalOperand = 2;
    private const int TrapTrace = 2;
    private const int TrapHardwareBreakpoint = 4;
    private const int IntegerDivide = 1;

    public static SignalInfo ToSignal(GuestThread thread, in EngineExit exit)
    {
        ulong pc = thread.Cpu.State.Pc;
        int exception = exit.Reason switch
        {
            ExitReason.MemoryFault => CanonicalFaults.ExceptionOf(thread.Cpu, thread.Process.Memory, exit.Fault),
            ExitReason.InvalidInstruction => 6,
            ExitReason.GeneralProtection => CanonicalFaults.GeneralProtection,
            ExitReason.Breakpoint => 3,
            ExitReason.SingleStep or ExitReason.DebugRegister => 1,
            ExitReason.DivideError => 0,
            _ => RaisedBySse(thread.Cpu.State) != 0 ? 19 : 16,
        };
        // CR2 is as the last page fault left it.
        thread.Trap = exception == CanonicalFaults.PageFault
            ? new TrapInfo(exception, ErrorCode(exit.Fault), exit.Fault.Address.Value) : new TrapInfo(exception, 0, thread.Trap.Address);
        return exit.Reason switch
        {
            ExitReason.MemoryFault when exception == CanonicalFaults.StackFault => FaultSignals.Of(Signal.Bus, FromKernel, 0),
            ExitReason.MemoryFault when exception == CanonicalFaults.GeneralProtection => FaultSignals.Of(Signal.Segment, FromKernel, 0),
            ExitReason.MemoryFault => FaultSignals.OfMemory(exit.Fault),
            ExitReason.InvalidInstruction => FaultSignals.Of(Signal.Illegal, IllegalOperand, pc),
            ExitReason.GeneralProtection => FaultSignals.Of(Signal.Segment, FromKernel, 0),
            ExitReason.Breakpoint => FaultSignals.Of(Signal.Trap, FromKernel, 0),
            ExitReason.SingleStep => FaultSignals.Of(Signal.Trap, TrapTrace, pc),
            ExitReason.DebugRegister => FaultSignals.Of(Signal.Trap, TrapHardwareBreakpoint, pc),
            ExitReason.DivideError => FaultSignals.Of(Signal.FloatingPoint, IntegerDivide, pc),
            _ => FaultSignals.Of(Signal.FloatingPoint, FloatingPointCode(thread.Cpu.State), pc),
        };
    }

    /// <summary>
    /// The page fault's error code: present 1, write 2, user 4, fetch 16 (SDM Vol. 3, 4.7). The kernel's part of the space always tells that it is there
    /// (set_signal_archinfo in arch/x86/mm/fault.c).
    /// </summary>
    private static ulong ErrorCode(in MemoryFault fault) => 4UL
        | (fault.Kind == FaultKind.Protection || fault.Address.Value >= UserEnd ? 1UL : 0)
        | (fault.Access == MemoryAccess.Write ? 2UL : 0)
        | (fault.Access == MemoryAccess.Execute ? 16UL : 0);

    private static uint RaisedBySse(in CpuState state) => state.Mxcsr & ~(state.Mxcsr >> 7) & 0x3F;

    /// <summary>The first unmasked exception of SSE or x87: FPE_FLTINV 7, FLTDIV 3, FLTOVF 4, FLTUND 5, FLTRES 6.</summary>
    private static int FloatingPointCode(in CpuState state)
    {
        uint raised = RaisedBySse(state);
        if (raised == 0)
            raised = (uint)(state.X87.Status & ~state.X87.Control) & 0x3F;
        if ((raised & 1) != 0)
            return 7;
        if ((raised & 4) != 0)
            return 3;
        if ((raised & 8) != 0)
            return 4;
        return (raised & 0x12) != 0 ? 5 : 6;
    }
}
