using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd.X64;

/// <summary>The signal frame of amd64 (struct sigframe).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FreeBsdX64Frame
{
    public const byte ContextOffset = 16;

    public ulong Handler;
    private ulong _padding;
    public FreeBsdX64Context Context;
    public FreeBsdSigInfo Info;
}

/// <summary>ucontext_t.</summary>
[StructLayout(LayoutKind.Sequential, Size = 880)]
internal struct FreeBsdX64Context
{
    public BsdSigSet Mask;
    public FreeBsdX64Machine Machine;
    public ulong Link;
    public BsdStack Stack;
    public int Flags;

    public static FreeBsdX64Context Of(GuestThread thread, SignalSet mask)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[X64Registers.Rsp];
        var context = new FreeBsdX64Context
        {
            Mask = BsdSigSet.Of(mask, FreeBsdPersonality.Instance.Numbers),
            Machine = FreeBsdX64Machine.Of(state, thread, BsdStack.IsOn(thread, stack)),
            Stack = BsdStack.Of(thread, stack),
        };
        FxImage.Write(state, context.Machine.FloatingPoint);
        return context;
    }
}

/// <summary>mcontext_t of amd64.</summary>
[StructLayout(LayoutKind.Sequential, Size = 800)]
internal struct FreeBsdX64Machine
{
    /// <summary>_MC_HASSEGS, _MC_HASBASES; here: the floating-point image is the program's.</summary>
    public const uint HasFloatingPoint = 0x4;
    private const ulong UserCode = 0x43;
    private const ulong UserData = 0x3B;
    private const ulong FormatXmm = 0x10002;
    private const ulong OwnedByThread = 0x20001;

    public ulong OnStack, Di, Si, Dx, Cx, R8, R9, Ax, Bx, Bp, R10, R11, R12, R13, R14, R15;
    public uint Trap;
    public ushort Fs, Gs;
    public ulong Address;
    public uint Flags;
    public ushort Es, Ds;
    public ulong Error, Ip, CodeSegment, RFlags, Sp, StackSegment;
    public ulong Length, Format, Owned;
    public FxBytes FloatingPoint;
    public ulong FsBase, GsBase;

    public static FreeBsdX64Machine Of(in CpuState state, GuestThread thread, bool isOnStack) => new()
    {
        OnStack = isOnStack ? 1UL : 0,
        Di = state.Registers[X64Registers.Rdi], Si = state.Registers[X64Registers.Rsi], Dx = state.Registers[X64Registers.Rdx], Cx = state.Registers[X64Registers.Rcx],
        R8 = state.Registers[X64Registers.R8], R9 = state.Registers[X64Registers.R9], Ax = state.Registers[X64Registers.Rax], Bx = state.Registers[X64Registers.Rbx],
        Bp = state.Registers[X64Registers.Rbp], R10 = state.Registers[X64Registers.R10], R11 = state.Registers[X64Registers.R11], R12 = state.Registers[X64Registers.R12],
        R13 = state.Registers[X64Registers.R13], R14 = state.Registers[X64Registers.R14], R15 = state.Registers[X64Registers.R15],
        Trap = (uint)FreeBsdSigInfo.TrapNumber(thread.Trap.Number), Address = thread.Trap.Number == CanonicalFaults.PageFault ? thread.Trap.Address : 0, Flags = HasFloatingPoint, Error = thread.Trap.Error,
        Ip = state.Pc, CodeSegment = UserCode, RFlags = state.Flags, Sp = state.Registers[X64Registers.Rsp], StackSegment = UserData,
        Length = (ulong)Unsafe.SizeOf<FreeBsdX64Machine>(), Format = FormatXmm, Owned = OwnedByThread, FsBase = state.FsBase, GsBase = state.GsBase,
    };

    public readonly void RestoreTo(ref CpuState state, ulong restorableFlags)
    {
        ReadOnlySpan<ulong> values = [Ax, Cx, Dx, Bx, Sp, Bp, Si, Di, R8, R9, R10, R11, R12, R13, R14, R15];
        for (int i = 0; i < values.Length; i++)
            state.Registers[i] = values[i];
        state.Pc = Ip;
        state.Flags = (state.Flags & ~restorableFlags) | (RFlags & restorableFlags);
    }
}

[InlineArray(FxImage.Length)]
internal struct FxBytes
{
    private byte _first;
}
