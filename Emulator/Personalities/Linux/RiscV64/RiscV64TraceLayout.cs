using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux.RiscV64;

/// <summary>
/// struct user_regs_struct: pc, then x1 to x31; struct __riscv_d_ext_state: f0 to f31, then fcsr (arch/riscv/include/uapi/asm/ptrace.h).
/// A tracer is not shown the first argument that a call began with: at the entry it is a0, and what is put there then changes no argument.
/// </summary>
internal sealed class RiscV64TraceLayout : TraceLayout
{
    private const int Registers = 32, CallInstruction = 4;

    public static RiscV64TraceLayout Instance { get; } = new();

    public override int GeneralSize => Registers * sizeof(ulong);

    public override int FloatSize => (Registers + 1) * sizeof(ulong);

    /// <summary>A signal that interrupts a call finds it ready to run again: the counter is at the call (arch_do_signal_or_restart).</summary>
    public override ulong Counter(Tracee tracee) => tracee.Thread.Cpu.State.Pc - (IsInterrupted(tracee) ? CallInstruction : 0ul);

    private static bool IsInterrupted(Tracee tracee) => tracee.Thread.InCall && tracee.Stop?.Kind is TraceStopKind.Signal or TraceStopKind.Group;

    public override void ReadGeneral(Tracee tracee, Span<byte> set)
    {
        ref CpuState state = ref tracee.Thread.Cpu.State;
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        words[0] = Counter(tracee);
        for (int i = 1; i < Registers; i++)
            words[i] = state.Registers[i];
    }

    public override void WriteGeneral(Tracee tracee, ReadOnlySpan<byte> set)
    {
        GuestThread thread = tracee.Thread;
        ref CpuState state = ref thread.Cpu.State;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        bool isChanged = words[0] != Counter(tracee);
        for (int i = 1; i < Registers; i++)
        {
            isChanged |= state.Registers[i] != words[i];
            state.Registers[i] = words[i];
        }
        if (!isChanged)
            return;
        if (thread.InCall && tracee.IsBeforeCall)
        {
            ulong first = thread.Call.Arguments[0];
            int number = unchecked((int)(uint)words[RiscVState.A7]);
            tracee.SkipsCall = number == -1;
            thread.Call.Begin(
                LinuxTable.FromRiscV64(number), number,
                [first, words[RiscVState.A0 + 1], words[RiscVState.A0 + 2], words[RiscVState.A0 + 3], words[RiscVState.A0 + 4], words[RiscVState.A0 + 5]]);
        }
        else if (IsInterrupted(tracee))
        {
            // It runs again by its instruction, with what the registers hold now.
            thread.DropCall();
        }
        state.Pc = words[0];
    }

    public override void ReadFloats(GuestThread thread, Span<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        for (int i = 0; i < Registers; i++)
            words[i] = state.Vectors[RiscVState.VectorOf(i)].AsUInt64().ToScalar();
        words[Registers] = RiscVState.GetControl(state);
    }

    public override bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        for (int i = 0; i < Registers; i++)
            state.Vectors[RiscVState.VectorOf(i)] = Vector128.CreateScalar(words[i]).AsByte();
        RiscVState.SetControl(ref state, (uint)words[Registers]);
        return true;
    }

    public override ulong Result(in CpuState state) => state.Registers[RiscVState.A0];
}
