using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>
/// struct user_pt_regs: x0 to x30, sp, pc, pstate; struct user_fpsimd_state: v0 to v31, fpsr, fpcr (arch/arm64/include/uapi/asm/ptrace.h).
/// At a call's two stops x7 says which of them it is, and what is put there is lost (report_syscall); x8 is not the call's number any more.
/// </summary>
internal sealed class Arm64TraceLayout : TraceLayout
{
    private const int Registers = 31, Stack = 31, Pc = 32, Flags = 33, StopRegister = 7, NumberRegister = 8, Vectors = 32, VectorSize = 16, CallInstruction = 4;

    public static Arm64TraceLayout Instance { get; } = new();

    public override bool CanStep => true;

    public override int GeneralSize => (Flags + 1) * sizeof(ulong);

    public override int FloatItem => sizeof(uint);

    public override TraceSet? FindSet(int type) => Arm64TraceSets.Find(type);

    public override int FloatSize => (Vectors * VectorSize) + (4 * sizeof(uint));

    /// <summary>A signal that interrupts a call finds it ready to run again: the counter is at the call (do_signal).</summary>
    public override ulong Counter(Tracee tracee) => tracee.Thread.Cpu.State.Pc - (IsInterrupted(tracee) ? CallInstruction : 0ul);

    private static bool IsInterrupted(Tracee tracee) => tracee.Thread.InCall && tracee.Stop?.Kind is TraceStopKind.Signal or TraceStopKind.Group;

    public override void ReadGeneral(Tracee tracee, Span<byte> set)
    {
        ref CpuState state = ref tracee.Thread.Cpu.State;
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        for (int i = 0; i < Registers; i++)
            words[i] = state.Registers[i];
        if (tracee.Stop?.Kind is TraceStopKind.CallEntry or TraceStopKind.CallExit)
            words[StopRegister] = tracee.Stop?.Kind == TraceStopKind.CallExit ? 1u : 0;
        words[Stack] = state.Registers[Arm64State.StackPointer];
        words[Pc] = Counter(tracee);
        words[Flags] = Arm64State.GetFlags(state);
    }

    public override void WriteGeneral(Tracee tracee, ReadOnlySpan<byte> set)
    {
        GuestThread thread = tracee.Thread;
        ref CpuState state = ref thread.Cpu.State;
        Span<byte> before = stackalloc byte[GeneralSize];
        ReadGeneral(tracee, before);
        if (set.SequenceEqual(before))
            return;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(set);
        ulong kept = state.Registers[StopRegister];
        int number = thread.InCall ? thread.Call.Asked : 0;
        for (int i = 0; i < Registers; i++)
            state.Registers[i] = words[i];
        bool isAtCall = tracee.Stop?.Kind is TraceStopKind.CallEntry or TraceStopKind.CallExit;
        if (isAtCall)
            state.Registers[StopRegister] = kept;
        state.Registers[Arm64State.StackPointer] = words[Stack];
        Arm64State.SetFlags(ref state, (uint)words[Flags]);
        if (thread.InCall && tracee.IsBeforeCall)
        {
            LinuxArchitecture architecture = LinuxArchitecture.Of(thread);
            state.Registers[NumberRegister] = (ulong)number;
            architecture.Decode(thread);
            state.Registers[NumberRegister] = words[NumberRegister];
        }
        else if (IsInterrupted(tracee))
        {
            // It runs again by its instruction, with what the registers hold now.
            thread.DropCall();
        }
        state.Pc = words[Pc];
    }

    public override void ReadFloats(GuestThread thread, Span<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Vectors; i++)
            MemoryMarshal.Write(set[(i * VectorSize)..], state.Vectors[Arm64State.VectorOf(i)]);
        Span<uint> control = MemoryMarshal.Cast<byte, uint>(set[(Vectors * VectorSize)..FloatSize]);
        (control[0], control[1], control[2], control[3]) = (Arm64State.GetStatus(state), Arm64State.GetControl(state), 0, 0);
    }

    public override bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Vectors; i++)
            state.Vectors[Arm64State.VectorOf(i)] = MemoryMarshal.Read<System.Runtime.Intrinsics.Vector128<byte>>(set[(i * VectorSize)..]);
        ReadOnlySpan<uint> control = MemoryMarshal.Cast<byte, uint>(set[(Vectors * VectorSize)..FloatSize]);
        Arm64State.SetStatus(ref state, control[0]);
        Arm64State.SetControl(ref state, control[1]);
        return true;
    }

    public override ulong Result(in CpuState state) => state.Registers[0];
}
