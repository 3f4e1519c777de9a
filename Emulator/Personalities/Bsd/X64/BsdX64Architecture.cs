using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.X64;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Personalities.Bsd.X64;

/// <summary>
/// How FreeBSD's and NetBSD's calls arrive and return on amd64: as Linux's, but further arguments are on the stack behind the return
/// address, the carry flag says that RAX is an error, and RDX may hold a second result.
/// </summary>
internal abstract class BsdX64Architecture : BsdArchitecture
{
    protected const ulong Carry = 1;

    private const int MostCalls = 1024, MostArguments = 8, InRegisters = 6;

    /// <summary>Length of <c>syscall</c>: the registers still hold the call that is to run again.</summary>
    private const int Instruction = 2;

    /// <summary>Flags that a handler starts without: TF, DF.</summary>
    protected const ulong ClearedFlags = 1 << 8 | 1 << 10;

    /// <summary>Flags that a program may set (PSL_USERCHANGE).</summary>
    protected const ulong RestorableFlags = 0x40DD5 | 1 << 8 | 1 << 21;

    /// <summary>What the ABI lets leaf functions use below the stack pointer.</summary>
    protected const ulong RedZone = 128;

    public override Architecture Architecture => Architecture.X64;

    public override ushort ElfMachine => 62;

    public override void Decode(GuestThread thread, int tableBase, Func<int, int> argumentCount)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments =
        [
            state.Registers[X64Registers.Rdi], state.Registers[X64Registers.Rsi], state.Registers[X64Registers.Rdx],
            state.Registers[X64Registers.R10], state.Registers[X64Registers.R8], state.Registers[X64Registers.R9], 0, 0, 0,
        ];
        // The instruction itself saves these (SDM Vol. 2, SYSCALL).
        state.Registers[X64Registers.Rcx] = state.Pc;
        state.Registers[X64Registers.R11] = state.Flags;
        int number = unchecked((int)(uint)state.Registers[X64Registers.Rax]);
        // syscall(2) and __syscall(2): the number is the first argument.
        int skipped = number is 0 or 198 ? 1 : 0;
        if (skipped != 0)
            number = unchecked((int)(uint)arguments[0]);
        int asked = number;
        number = (uint)number < MostCalls ? tableBase + number : -1;
        int onStack = argumentCount(number) + skipped - InRegisters;
        if (onStack > 0)
            thread.Process.Memory.TryRead(new GuestAddress(state.Registers[X64Registers.Rsp] + 8), MemoryMarshal.AsBytes(arguments.Slice(InRegisters, Math.Min(onStack, arguments.Length - InRegisters))));
        thread.Call.Begin(number, asked, arguments.Slice(skipped, MostArguments));
    }

    public override void Return(ref CpuState state, ulong value, bool isError)
    {
        state.Registers[X64Registers.Rax] = value;
        state.Flags = isError ? state.Flags | Carry : state.Flags & ~Carry;
    }

    public override void Rewind(GuestThread thread) => thread.Cpu.State.Pc -= Instruction;

    public override ref ulong SecondResult(ref CpuState state) => ref state.Registers[X64Registers.Rdx];

    public override ref ulong StackPointer(ref CpuState state) => ref state.Registers[X64Registers.Rsp];

    public override ref ulong ThreadPointer(ref CpuState state) => ref state.FsBase;

    /// <summary>What SIGTRAP says of a stop by a debug register.</summary>
    protected abstract int WatchedCode { get; }

    /// <summary>The signal of #SS and #GP.</summary>
    protected abstract SignalInfo OfSegment(GuestThread thread);

    /// <summary>As Linux's, but for the codes of SIGTRAP and where it happened, and for segments (trap in sys/amd64/amd64/trap.c of both).</summary>
    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit)
    {
        const int breakpoint = 1;
        SignalInfo info = X64Faults.ToSignal(thread, exit);
        ulong pc = thread.Cpu.State.Pc;
        return exit.Reason switch
        {
            ExitReason.Breakpoint => info with { Code = breakpoint, Value = pc },
            ExitReason.DebugRegister => info with { Code = WatchedCode, Value = pc },
            _ when thread.Trap.Number is CanonicalFaults.StackFault or CanonicalFaults.GeneralProtection => OfSegment(thread),
            _ => info,
        };
    }
}
