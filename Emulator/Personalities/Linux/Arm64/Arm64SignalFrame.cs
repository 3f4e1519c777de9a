using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>
/// The signal frame of AArch64: struct rt_sigframe (siginfo, then ucontext; asm/sigcontext.h), and above it a frame record, so that unwinders find
/// the interrupted function.
/// </summary>
internal static class Arm64SignalFrame
{
    private const int FramePointer = 29;

    /// <summary>SA_RESTORER.</summary>
    private const ulong HasRestorer = 0x0400_0000;

    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        RestartableSequences.Interrupt(thread);
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[Arm64State.StackPointer];
        bool isOnAlternate = thread.IsOnAlternateStack(stack);
        ulong top = action.UsesAlternateStack && thread.AlternateStackSize != 0 && !isOnAlternate ? thread.AlternateStack.Value + thread.AlternateStackSize : stack;
        ulong record = (top & ~15ul) - (ulong)Unsafe.SizeOf<FrameRecord>();
        ulong at = (record - (ulong)Unsafe.SizeOf<RtSigFrame>()) & ~15ul;
        if (isOnAlternate && !thread.IsOnAlternateStack(at))
            return false;
        AddressSpace memory = thread.Process.Memory;
        var link = new FrameRecord { FramePointer = state.Registers[FramePointer], LinkRegister = state.Registers[Arm64State.LinkRegister] };
        if (!memory.TryWrite(new GuestAddress(record), link) || !memory.TryWrite(new GuestAddress(at), FrameOf(thread, info, stack)))
            return false;
        if ((thread.AlternateStackFlags & SigAltStack.AutoDisarm) != 0)
            thread.DisableAlternateStack();
        state.Registers[0] = (ulong)info.Signal;
        state.Registers[1] = at;
        state.Registers[2] = at + (ulong)Unsafe.SizeOf<SigInfo>();
        state.Registers[FramePointer] = record;
        state.Registers[Arm64State.LinkRegister] = (action.RawFlags & HasRestorer) != 0 ? action.Restorer : thread.Process.Layout.VdsoStart + VdsoImage.TextStart;
        state.Registers[Arm64State.StackPointer] = at;
        state.Registers[Arm64State.Monitor] = ulong.MaxValue;
        state.Pc = action.Handler;
        return true;
    }

    private static RtSigFrame FrameOf(GuestThread thread, in SignalInfo info, ulong stack)
    {
        ref CpuState state = ref thread.Cpu.State;
        var frame = new RtSigFrame
        {
            Info = SigInfo.Of(info),
            Stack = thread.AlternateStackAsSeen(stack),
            Mask = (thread.SavedMask ?? thread.Blocked).Bits,
            FaultAddress = info is { IsFault: true, Signal: Signal.Segment or Signal.Bus } ? info.Value : 0,
            StackPointer = stack,
            Pc = state.Pc,
            State = Arm64State.GetFlags(state),
            FloatMagic = RtSigFrame.FloatContext,
            FloatSize = RtSigFrame.FloatContextSize,
            Status = Arm64State.GetStatus(state),
            Control = Arm64State.GetControl(state),
        };
        for (int i = 0; i < RegisterFile.Count; i++)
            frame.Registers[i] = state.Registers[i];
        for (int i = 0; i < Vectors.Count; i++)
            frame.Vectors[i] = state.Vectors[Arm64State.VectorOf(i)];
        return frame;
    }

    /// <summary>Undoes <see cref="Enter"/> with what the handler left in the frame; false when the frame cannot be read or is none.</summary>
    public static bool Leave(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong at = state.Registers[Arm64State.StackPointer];
        if ((at & 15) != 0 || !thread.Process.Memory.TryRead(new GuestAddress(at), out RtSigFrame frame)
            || frame.FloatMagic != RtSigFrame.FloatContext || frame.FloatSize != RtSigFrame.FloatContextSize)
            return false;
        state.Pc = frame.Pc;
        for (int i = 0; i < RegisterFile.Count; i++)
            state.Registers[i] = frame.Registers[i];
        state.Registers[Arm64State.StackPointer] = frame.StackPointer;
        state.Registers[Arm64State.Monitor] = ulong.MaxValue;
        for (int i = 0; i < Vectors.Count; i++)
            state.Vectors[Arm64State.VectorOf(i)] = frame.Vectors[i];
        Arm64State.SetFlags(ref state, (uint)frame.State);
        Arm64State.SetStatus(ref state, frame.Status);
        Arm64State.SetControl(ref state, frame.Control);
        thread.SavedMask = null;
        thread.Blocked = new SignalSet(frame.Mask) & ~Signal.Unstoppable;
        thread.SetAlternateStack(frame.Stack, state.Registers[Arm64State.StackPointer]);
        return true;
    }

    [InlineArray(Count)]
    private struct RegisterFile
    {
        public const int Count = 31;

        private ulong _first;
    }

    [InlineArray(Count)]
    private struct Vectors
    {
        public const int Count = 32;

        private Vector128<byte> _first;
    }

    /// <summary>What is left of 1024 bits of signals, and the gap before the machine context, which is aligned to 16 bytes.</summary>
    [InlineArray(16)]
    private struct UnusedMask
    {
        private ulong _first;
    }

    /// <summary>The record that ends the context's extensions, and the rest of their 4096 bytes.</summary>
    [InlineArray((4096 - (int)RtSigFrame.FloatContextSize) / sizeof(ulong))]
    private struct Reserved
    {
        private ulong _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FrameRecord
    {
        public ulong FramePointer;
        public ulong LinkRegister;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RtSigFrame
    {
        /// <summary>FPSIMD_MAGIC and the size of struct fpsimd_context.</summary>
        public const uint FloatContext = 0x4650_8001;
        public const uint FloatContextSize = 528;

        public SigInfo Info;
        public ulong Flags;
        public ulong Link;
        public SigAltStack Stack;
        public ulong Mask;
        public UnusedMask Unused;
        public ulong FaultAddress;
        public RegisterFile Registers;
        public ulong StackPointer;
        public ulong Pc;

        /// <summary>PSTATE, of which NZCV may be restored.</summary>
        public ulong State;
        private ulong _gap;
        public uint FloatMagic;
        public uint FloatSize;
        public uint Status;
        public uint Control;
        public Vectors Vectors;
        public Reserved Reserved;
    }
}
