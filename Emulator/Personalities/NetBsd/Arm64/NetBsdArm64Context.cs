using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Arm64;

namespace Vivarium.Emulator.Personalities.NetBsd.Arm64;

/// <summary>ucontext_t of arm64 (sys/arch/aarch64/include/mcontext.h).</summary>
[StructLayout(LayoutKind.Sequential, Size = 944)]
internal struct NetBsdArm64Context
{
    private const uint HasMask = 1, HasStack = 2, HasRegisters = 4, HasFloatingPoint = 8, HasTls = 0x80000;

    /// <summary>What a program may set of SPSR: N, Z, C and V.</summary>
    private const ulong ConditionBits = 0xF000_0000;

    public uint Flags;
    private uint _padding1;
    public ulong Link;
    public BsdSigSet Mask;
    public BsdStack Stack;
    private ulong _padding2;
    public GeneralRegisters General;
    public ulong Pc, Spsr, ThreadPointer;
    private ulong _padding3;
    public Arm64VectorBytes Vectors;
    public uint Control, Status;

    public static NetBsdArm64Context Of(GuestThread thread, SignalSet mask)
    {
        ref CpuState state = ref thread.Cpu.State;
        var context = new NetBsdArm64Context
        {
            Flags = HasMask | HasRegisters | HasFloatingPoint | HasTls,
            Mask = BsdSigSet.Of(mask, NetBsdPersonality.Instance.Numbers),
            Stack = BsdStack.Of(thread, state.Registers[Arm64State.StackPointer]),
            Pc = state.Pc,
            Spsr = Arm64State.GetFlags(state),
            ThreadPointer = state.Registers[Arm64State.ThreadPointer],
            Vectors = Arm64VectorBytes.Of(state),
            Control = Arm64State.GetControl(state),
            Status = Arm64State.GetStatus(state),
        };
        for (int i = 0; i < GeneralRegisters.Count; i++)
            context.General[i] = state.Registers[i];
        return context;
    }

    public readonly void RestoreTo(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        if ((Flags & HasFloatingPoint) != 0)
        {
            Vectors.RestoreTo(ref state);
            Arm64State.SetControl(ref state, Control);
            Arm64State.SetStatus(ref state, Status);
        }
        if ((Flags & HasRegisters) != 0)
        {
            for (int i = 0; i < GeneralRegisters.Count; i++)
                state.Registers[i] = General[i];
            state.Pc = Pc;
            Arm64State.SetFlags(ref state, (uint)(Spsr & ConditionBits));
        }
        if ((Flags & HasTls) != 0)
            state.Registers[Arm64State.ThreadPointer] = ThreadPointer;
        if ((Flags & HasMask) != 0)
            thread.Blocked = Mask.ToNeutral(NetBsdPersonality.Instance.Numbers) & ~Signal.Unstoppable;
    }

    /// <summary>x0 to x30 and the stack pointer.</summary>
    [InlineArray(Count)]
    internal struct GeneralRegisters
    {
        public const int Count = 32;

        private ulong _first;
    }
}
