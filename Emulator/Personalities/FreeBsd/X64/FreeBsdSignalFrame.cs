using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd.X64;

/// <summary>The signal frame of amd64 (struct sigframe, sendsig in sys/amd64/amd64/exec_machdep.c).</summary>
internal static class FreeBsdSignalFrame
{
    private const ulong RedZone = 128;
    private const ulong ClearedFlags = 1 << 8 | 1 << 10;

    /// <summary>What sigreturn(2) may change (PSL_USERCHANGE).</summary>
    private const ulong RestorableFlags = 0x40DD5 | 1 << 8 | 1 << 21;

    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[X64Registers.Rsp];
        bool isOn = BsdStack.IsOn(thread, stack);
        ulong top = action.UsesAlternateStack && thread.AlternateStackSize != 0 && !isOn
            ? thread.AlternateStack.Value + thread.AlternateStackSize
            : stack - RedZone;
        ulong at = (top - (ulong)Unsafe.SizeOf<FreeBsdSigFrame>()) & ~15UL;
        var frame = new FreeBsdSigFrame
        {
            Handler = action.Handler,
            Context = new FreeBsdContext
            {
                Mask = SigSetBits.Of(thread.SavedMask ?? thread.Blocked),
                Machine = MachineContext.Of(state, thread, isOn),
                Stack = BsdStack.Of(thread, stack),
            },
            Info = FreeBsdSigInfo.Of(info, thread.Trap.Number),
        };
        FxImage.Write(state, frame.Context.Machine.FloatingPoint);
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        FxImage.Initialize(ref state);
        state.Registers[X64Registers.Rdi] = (ulong)frame.Info.Signal;
        state.Registers[X64Registers.Rsi] = (action.RawFlags & BsdActionFlags.SigInfo) != 0 ? at + (ulong)Unsafe.SizeOf<FreeBsdSigFrame>() - (ulong)Unsafe.SizeOf<FreeBsdSigInfo>() : (ulong)frame.Info.Code;
        state.Registers[X64Registers.Rdx] = at + FreeBsdSigFrame.ContextOffset;
        state.Registers[X64Registers.Rcx] = info.IsFault ? info.Value : 0;
        state.Registers[X64Registers.Rsp] = at;
        state.Flags &= ~ClearedFlags;
        state.Pc = FreeBsdSharedPage.Address;
        return true;
    }

    /// <summary>sigreturn(2): EFAULT when the context cannot be read, EINVAL when it sets what no program may.</summary>
    public static Errno Leave(GuestThread thread, GuestAddress context)
    {
        if (!thread.Process.Memory.TryRead(context, out FreeBsdContext frame))
            return Errno.EFAULT;
        ref CpuState state = ref thread.Cpu.State;
        if ((frame.Machine.Flags & MachineContext.HasFloatingPoint) != 0 && !FxImage.TryRead(ref state, frame.Machine.FloatingPoint))
            return Errno.EINVAL;
        frame.Machine.RestoreTo(ref state, RestorableFlags);
        thread.SavedMask = null;
        thread.Blocked = frame.Mask.ToNeutral() & ~Signal.Unstoppable;
        return Errno.None;
    }
}

[StructLayout(LayoutKind.Sequential)]
internal struct FreeBsdSigFrame
{
    public const byte ContextOffset = 16;

    public ulong Handler;
    private ulong _padding;
    public FreeBsdContext Context;
    public FreeBsdSigInfo Info;
}

/// <summary>ucontext_t.</summary>
[StructLayout(LayoutKind.Sequential, Size = 880)]
internal struct FreeBsdContext
{
    public SigSetBits Mask;
    public MachineContext Machine;
    public ulong Link;
    public BsdStack Stack;
    public int Flags;
}

/// <summary>mcontext_t of amd64.</summary>
[StructLayout(LayoutKind.Sequential, Size = 800)]
internal struct MachineContext
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

    public static MachineContext Of(in CpuState state, GuestThread thread, bool isOnStack) => new()
    {
        OnStack = isOnStack ? 1UL : 0,
        Di = state.Registers[X64Registers.Rdi], Si = state.Registers[X64Registers.Rsi], Dx = state.Registers[X64Registers.Rdx], Cx = state.Registers[X64Registers.Rcx],
        R8 = state.Registers[X64Registers.R8], R9 = state.Registers[X64Registers.R9], Ax = state.Registers[X64Registers.Rax], Bx = state.Registers[X64Registers.Rbx],
        Bp = state.Registers[X64Registers.Rbp], R10 = state.Registers[X64Registers.R10], R11 = state.Registers[X64Registers.R11], R12 = state.Registers[X64Registers.R12],
        R13 = state.Registers[X64Registers.R13], R14 = state.Registers[X64Registers.R14], R15 = state.Registers[X64Registers.R15],
        Trap = (uint)FreeBsdSigInfo.TrapNumber(thread.Trap.Number), Address = thread.Trap.Address, Flags = HasFloatingPoint, Error = thread.Trap.Error,
        Ip = state.Pc, CodeSegment = UserCode, RFlags = state.Flags, Sp = state.Registers[X64Registers.Rsp], StackSegment = UserData,
        Length = (ulong)Unsafe.SizeOf<MachineContext>(), Format = FormatXmm, Owned = OwnedByThread, FsBase = state.FsBase, GsBase = state.GsBase,
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
