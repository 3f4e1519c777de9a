using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Bsd.Arm64;

/// <summary>
/// How calls return on arm64 in FreeBSD and NetBSD: arguments in x0 to x7, results in x0 and x1, and the carry flag says that x0 is an error. How they
/// are numbered is each system's own.
/// </summary>
internal abstract class BsdArm64Architecture : BsdArchitecture
{
    protected const int MostCalls = 1024, MostArguments = 8;

    /// <summary>Length of <c>svc</c>: the registers still hold the call that is to run again.</summary>
    protected const int Instruction = 4;

    /// <summary>C of PSTATE, in NZCV's place.</summary>
    protected const uint Carry = 1u << 29;

    public override Architecture Architecture => Architecture.Arm64;

    public override ushort ElfMachine => 183;

    /// <summary>Begins a call whose arguments are in x0 and what follows it.</summary>
    /// <param name="skipped">How many of these registers belong to syscall(2) itself.</param>
    protected static void Begin(GuestThread thread, int number, int tableBase, int skipped)
    {
        Span<ulong> arguments = stackalloc ulong[MostArguments];
        arguments.Clear();
        for (int i = skipped; i < MostArguments; i++)
            arguments[i - skipped] = thread.Cpu.State.Registers[i];
        thread.Call.Begin((uint)number < MostCalls ? tableBase + number : -1, number, arguments);
    }

    public override void Return(ref CpuState state, ulong value, bool isError)
    {
        state.Registers[0] = value;
        uint flags = Arm64State.GetFlags(state);
        Arm64State.SetFlags(ref state, isError ? flags | Carry : flags & ~Carry);
    }

    public override void Rewind(GuestThread thread) => thread.Cpu.State.Pc -= Instruction;

    public override ref ulong SecondResult(ref CpuState state) => ref state.Registers[1];

    public override ref ulong StackPointer(ref CpuState state) => ref state.Registers[Arm64State.StackPointer];

    public override ref ulong ThreadPointer(ref CpuState state) => ref state.Registers[Arm64State.ThreadPointer];

    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit)
    {
        const int illegalOpcode = 1, breakpoint = 1, badAlignment = 1;
        ulong pc = thread.Cpu.State.Pc;
        thread.Trap = default;
        return exit.Reason switch
        {
            ExitReason.MemoryFault => FaultSignals.OfMemory(exit.Fault),
            ExitReason.Breakpoint => FaultSignals.Of(Signal.Trap, breakpoint, pc),
            ExitReason.SingleStep => FaultSignals.Of(Signal.Trap, FaultSignals.Stepped, pc),
            ExitReason.Misaligned => FaultSignals.Of(Signal.Bus, badAlignment, pc),
            _ => FaultSignals.Of(Signal.Illegal, illegalOpcode, pc),
        };
    }
}
