using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Arm64;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Arm64;

/// <summary>The signal frame of arm64 (struct sigframe).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FreeBsdArm64Frame
{
    /// <summary>SF_UC.</summary>
    public const int ContextOffset = 80;

    public FreeBsdSigInfo Info;
    public FreeBsdArm64Context Context;
}

/// <summary>ucontext_t of arm64: mask, mcontext_t (struct gpregs, struct fpregs, flags), link, stack.</summary>
[StructLayout(LayoutKind.Sequential, Size = 960)]
internal struct FreeBsdArm64Context
{
    private const uint HasFloatingPoint = 1;

    /// <summary>What a program may set of SPSR: N, Z, C and V.</summary>
    private const uint ConditionBits = 0xF000_0000;

    public BsdSigSet Mask;
    public GeneralRegisters General;
    public ulong LinkRegister, StackPointer, Pc;
    public uint Flags;
    private int _padding1;
    public Arm64VectorBytes Vectors;
    public uint Status, Control;
    private int _floatingFlags, _padding2;
    public uint MachineFlags;
    private int _padding3;
    private SpareWords _spare;
    public ulong Link;
    public BsdStack Stack;
    private int _contextFlags;

    public static FreeBsdArm64Context Of(GuestThread thread, SignalSet mask)
    {
        ref CpuState state = ref thread.Cpu.State;
        var context = new FreeBsdArm64Context
        {
            Mask = BsdSigSet.Of(mask, FreeBsdPersonality.Instance.Numbers),
            LinkRegister = state.Registers[Arm64State.LinkRegister],
            StackPointer = state.Registers[Arm64State.StackPointer],
            Pc = state.Pc,
            Flags = Arm64State.GetFlags(state),
            Vectors = Arm64VectorBytes.Of(state),
            Status = Arm64State.GetStatus(state),
            Control = Arm64State.GetControl(state),
            MachineFlags = HasFloatingPoint,
            Stack = BsdStack.Of(thread, state.Registers[Arm64State.StackPointer]),
        };
        for (int i = 0; i < GeneralRegisters.Count; i++)
            context.General[i] = state.Registers[i];
        return context;
    }

    public readonly void RestoreTo(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < GeneralRegisters.Count; i++)
            state.Registers[i] = General[i];
        state.Registers[Arm64State.LinkRegister] = LinkRegister;
        state.Registers[Arm64State.StackPointer] = StackPointer;
        state.Pc = Pc;
        Arm64State.SetFlags(ref state, Flags & ConditionBits);
        if ((MachineFlags & HasFloatingPoint) != 0)
        {
            Vectors.RestoreTo(ref state);
            Arm64State.SetStatus(ref state, Status);
            Arm64State.SetControl(ref state, Control);
        }
        thread.Blocked = Mask.ToNeutral(FreeBsdPersonality.Instance.Numbers) & ~Signal.Unstoppable;
    }

    /// <summary>x0 to x29.</summary>
    [InlineArray(Count)]
    internal struct GeneralRegisters
    {
        public const int Count = 30;

        private ulong _first;
    }

    /// <summary>mc_spare, and what aligns mcontext_t to 16.</summary>
    [InlineArray(9)]
    private struct SpareWords
    {
        private ulong _first;
    }
}
