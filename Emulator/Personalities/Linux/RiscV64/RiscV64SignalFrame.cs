using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.RiscV64;

/// <summary>The signal frame of RISC-V (struct rt_sigframe: siginfo, then ucontext; asm/ucontext.h, asm/sigcontext.h).</summary>
internal static class RiscV64SignalFrame
{
    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[RiscVState.StackPointer];
        ulong at = (thread.StackFor(action, stack) - (ulong)Unsafe.SizeOf<RtSigFrame>()) & ~15ul;
        // A frame does not leave the alternate stack downwards (get_sigframe).
        if (thread.IsOnAlternateStack(stack) && !thread.IsOnAlternateStack(at))
            return false;
        var frame = new RtSigFrame
        {
            Info = SigInfo.Of(info),
            Stack = thread.AlternateStackAsSeen(stack),
            Mask = (thread.SavedMask ?? thread.Blocked).Bits,
            Control = RiscVState.GetControl(state),
        };
        frame.Registers[0] = state.Pc;
        for (int i = 1; i < RegisterFile.Count; i++)
            frame.Registers[i] = state.Registers[i];
        for (int i = 0; i < RegisterFile.Count; i++)
            frame.Floats[i] = state.Vectors[RiscVState.VectorOf(i)].AsUInt64().ToScalar();
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        state.Registers[RiscVState.A0] = (ulong)info.Signal;
        state.Registers[RiscVState.A0 + 1] = at;
        state.Registers[RiscVState.A0 + 2] = at + (ulong)Unsafe.SizeOf<SigInfo>();
        state.Registers[RiscVState.ReturnAddress] = thread.Process.Layout.VdsoStart + VdsoImage.TextStart;
        state.Registers[RiscVState.StackPointer] = at;
        state.Pc = action.Handler;
        return true;
    }

    /// <summary>Undoes <see cref="Enter"/> with what the handler left in the frame; false when the frame cannot be read.</summary>
    public static bool Leave(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        if (!thread.Process.Memory.TryRead(new GuestAddress(state.Registers[RiscVState.StackPointer]), out RtSigFrame frame))
            return false;
        state.Pc = frame.Registers[0];
        for (int i = 1; i < RegisterFile.Count; i++)
            state.Registers[i] = frame.Registers[i];
        for (int i = 0; i < RegisterFile.Count; i++)
            state.Vectors[RiscVState.VectorOf(i)] = Vector128.CreateScalar(frame.Floats[i]).AsByte();
        RiscVState.SetControl(ref state, frame.Control);
        thread.LeaveHandler(frame.Mask, frame.Stack, state.Registers[RiscVState.StackPointer]);
        return true;
    }

    [InlineArray(Count)]
    private struct RegisterFile
    {
        public const int Count = 32;

        private ulong _first;
    }

    /// <summary>What is left of 1024 bits of signals; the machine context behind it is aligned to 16 bytes.</summary>
    [InlineArray(16)]
    private struct UnusedMask
    {
        private ulong _first;
    }

    /// <summary>The room of quad-precision registers that doubles do not need.</summary>
    [InlineArray(33)]
    private struct UnusedFloats
    {
        private ulong _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RtSigFrame
    {
        public SigInfo Info;
        public ulong Flags;
        public ulong Link;
        public SigAltStack Stack;
        public ulong Mask;
        public UnusedMask Unused;

        /// <summary>The program counter, then x1..x31.</summary>
        public RegisterFile Registers;
        public RegisterFile Floats;
        public uint Control;
        private uint _padding;
        public UnusedFloats UnusedFloats;
    }
}
