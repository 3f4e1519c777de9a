using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.X64;
using Vivarium.Emulator.Personalities.NetBsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.X64;

/// <summary>The signal frame of amd64 (struct sigframe_siginfo, sendsig_siginfo): the handler returns to the trampoline it was set with, which calls setcontext(2).</summary>
internal static class NetBsdSignalFrame
{
    private const ulong RedZone = 128;
    private const ulong ClearedFlags = 1 << 8 | 1 << 10;

    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[X64Registers.Rsp];
        ulong top = action.UsesAlternateStack && thread.AlternateStackSize != 0 && !BsdStack.IsOn(thread, stack)
            ? thread.AlternateStack.Value + thread.AlternateStackSize
            : stack - RedZone;
        ulong at = ((top - (ulong)Unsafe.SizeOf<Frame>()) & ~15UL) - 8;
        var frame = new Frame
        {
            ReturnAddress = action.Restorer,
            Info = NetBsdSigInfo.Of(info, thread.Trap.Number),
            Context = NetBsdContext.Of(thread, thread.SavedMask ?? thread.Blocked),
        };
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        FxImage.Initialize(ref state);
        ulong context = at + (ulong)Unsafe.SizeOf<Frame>() - (ulong)Unsafe.SizeOf<NetBsdContext>();
        state.Registers[X64Registers.Rdi] = (ulong)frame.Info.Signal;
        state.Registers[X64Registers.Rsi] = at + sizeof(ulong);
        state.Registers[X64Registers.Rdx] = context;
        state.Registers[X64Registers.R15] = context;
        state.Registers[X64Registers.Rsp] = at;
        state.Flags &= ~ClearedFlags;
        state.Pc = action.Handler;
        return true;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Frame
    {
        public ulong ReturnAddress;
        public NetBsdSigInfo Info;
        public NetBsdContext Context;
    }
}
