using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>The signal frame of x86-64 (struct rt_sigframe; sigreturn(2), sigaltstack(2)).</summary>
internal static class X64SignalFrame
{
    private const ulong RedZone = 128;

    /// <summary>RFLAGS a handler starts without: trap, direction, resume.</summary>
    private const ulong ClearedFlags = 1 << 8 | 1 << 10 | 1 << 16;

    /// <summary>RFLAGS a guest may restore: CF PF AF ZF SF TF DF OF AC (FIX_EFLAGS).</summary>
    private const ulong RestorableFlags = 0x40DD5 | 1 << 8;

    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[X64Registers.Rsp];
        ulong top = thread.StackFor(action, stack - RedZone);
        ulong image = (top - FxImage.Length) & ~63UL;
        ulong at = ((image - (ulong)Unsafe.SizeOf<RtSigFrame>()) & ~15UL) - 8;
        // A frame does not leave the alternate stack downwards, be it in use already or from here on (get_sigframe).
        bool isAlternate = top != stack - RedZone || thread.IsOnAlternateStack(stack);
        if (isAlternate && !thread.IsWithinAlternateStack(at))
            return false;
        var frame = new RtSigFrame
        {
            ReturnAddress = action.Restorer,
            Context = new UContext
            {
                Flags = 6, // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
                Stack = thread.AlternateStackAsSeen(state.Registers[X64Registers.Rsp]),
                Machine = SigContext.Of(state, thread, image),
                Mask = (thread.SavedMask ?? thread.Blocked).Bits,
            },
            Info = SigInfo.Of(info),
        };
        Span<byte> floating = stackalloc byte[FxImage.Length];
        floating.Clear();
        FxImage.Write(state, floating);
        if (!thread.Process.Memory.TryWrite(new GuestAddress(image), floating) || !thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        FxImage.Initialize(ref state);
        state.Registers[X64Registers.Rdi] = (ulong)info.Signal;
        state.Registers[X64Registers.Rsi] = at + RtSigFrame.InfoOffset;
        state.Registers[X64Registers.Rdx] = at + RtSigFrame.ContextOffset;
        state.Registers[X64Registers.Rax] = 0;
        state.Registers[X64Registers.Rsp] = at;
        state.Flags &= ~ClearedFlags;
        state.Pc = action.Handler;
        return true;
    }

    /// <summary>Undoes <see cref="Enter"/> with what the handler left in the frame; false when the frame cannot be read.</summary>
    public static bool Leave(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        AddressSpace memory = thread.Process.Memory;
        // The handler's return popped the frame's first word.
        if (!memory.TryRead(new GuestAddress(state.Registers[X64Registers.Rsp] - 8), out RtSigFrame frame))
            return false;
        ref SigContext machine = ref frame.Context.Machine;
        if (machine.FloatingPoint != 0)
        {
            Span<byte> floating = stackalloc byte[FxImage.Length];
            if (!memory.TryRead(new GuestAddress(machine.FloatingPoint), floating) || !FxImage.TryRead(ref state, floating))
                return false;
        }
        machine.RestoreTo(ref state, RestorableFlags);
        thread.LeaveHandler(frame.Context.Mask, frame.Context.Stack, state.Registers[X64Registers.Rsp]);
        return true;
    }
}

[StructLayout(LayoutKind.Sequential)]
internal struct RtSigFrame
{
    public const ulong ContextOffset = 8;
    public const ulong InfoOffset = 312;

    public ulong ReturnAddress;
    public UContext Context;
    public SigInfo Info;
}

/// <summary>struct ucontext, without the extensible state that nothing here has.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UContext
{
    public ulong Flags;
    public ulong Link;
    public SigAltStack Stack;
    public SigContext Machine;
    public ulong Mask;
}

/// <summary>struct sigcontext_64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SigContext
{
    private const ulong UserCode = 0x33;
    private const ulong UserStack = 0x2B;

    public ulong R8, R9, R10, R11, R12, R13, R14, R15;
    public ulong Di, Si, Bp, Bx, Dx, Ax, Cx, Sp;
    public ulong Ip, Flags;

    /// <summary>cs, gs, fs, ss, 16 bits each.</summary>
    public ulong Segments;
    public ulong Error, Trap, OldMask, FaultAddress;
    public ulong FloatingPoint;
    public ulong Reserved0, Reserved1, Reserved2, Reserved3, Reserved4, Reserved5, Reserved6, Reserved7;

    public static SigContext Of(in CpuState state, GuestThread thread, ulong floatingPoint) => new()
    {
        R8 = state.Registers[X64Registers.R8], R9 = state.Registers[X64Registers.R9], R10 = state.Registers[X64Registers.R10], R11 = state.Registers[X64Registers.R11],
        R12 = state.Registers[X64Registers.R12], R13 = state.Registers[X64Registers.R13], R14 = state.Registers[X64Registers.R14], R15 = state.Registers[X64Registers.R15],
        Di = state.Registers[X64Registers.Rdi], Si = state.Registers[X64Registers.Rsi], Bp = state.Registers[X64Registers.Rbp], Bx = state.Registers[X64Registers.Rbx],
        Dx = state.Registers[X64Registers.Rdx], Ax = state.Registers[X64Registers.Rax], Cx = state.Registers[X64Registers.Rcx], Sp = state.Registers[X64Registers.Rsp],
        Ip = state.Pc, Flags = state.Flags, Segments = UserCode | UserStack << 48,
        Error = thread.Trap.Error, Trap = (ulong)thread.Trap.Number, OldMask = thread.Blocked.Bits, FaultAddress = thread.Trap.Address,
        FloatingPoint = floatingPoint,
    };

    public readonly void RestoreTo(ref CpuState state, ulong restorableFlags)
    {
        ReadOnlySpan<ulong> values = [Ax, Cx, Dx, Bx, Sp, Bp, Si, Di, R8, R9, R10, R11, R12, R13, R14, R15];
        for (int i = 0; i < values.Length; i++)
            state.Registers[i] = values[i];
        state.Pc = Ip;
        state.Flags = (state.Flags & ~restorableFlags) | (Flags & restorableFlags);
    }
}
