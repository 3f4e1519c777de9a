using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Arm64;
using Vivarium.Emulator.Personalities.NetBsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Arm64;

/// <summary>NetBSD on arm64: the number of a call in the instruction, or with 0 there in x17 (sys/arch/aarch64/aarch64/syscall.c, sig_machdep.c).</summary>
internal sealed class NetBsdArm64Architecture : BsdArm64Architecture, INetBsdArchitecture
{
    private const int NumberRegister = 17, ContextRegister = 28;

    public override Bsd.Tracing.BsdTraceLayout Trace { get; } = new NetBsdArm64TraceLayout();

    public string MachineName => "evbarm";

    public string MachineArchitecture => "aarch64";

    public override void Decode(GuestThread thread, int tableBase, Func<int, int> argumentCount)
    {
        ref CpuState state = ref thread.Cpu.State;
        // SVC has its immediate in bits 20:5 (Arm ARM, C6.2); the instruction was just run, so it is there.
        thread.Process.Memory.TryRead(new GuestAddress(state.Pc - Instruction), out uint instruction);
        int number = (int)(instruction >> 5 & 0xFFFF);
        if (number == 0)
            number = unchecked((int)(uint)state.Registers[NumberRegister]);
        // __syscall(2).
        bool isIndirect = number == 198;
        Begin(thread, isIndirect ? unchecked((int)(uint)state.Registers[0]) : number, tableBase, isIndirect ? 1 : 0);
    }

    protected override void SetFirstRegisters(ref CpuState state, ulong stack, ulong strings)
    {
        state.Registers[2] = strings;
        state.Registers[Arm64State.StackPointer] = stack;
    }

    /// <summary>struct sigframe_siginfo: the handler returns to the trampoline it was set with, which calls setcontext(2) with x28.</summary>
    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong top = FrameTop(thread, action, StackPointer(ref state), redZone: 0);
        ulong at = (top - (ulong)Unsafe.SizeOf<Frame>()) & ~15UL, context = at + (ulong)Unsafe.SizeOf<NetBsdSigInfo>();
        var frame = new Frame
        {
            Info = NetBsdSigInfo.Of(info, 0),
            Context = NetBsdArm64Context.Of(thread, thread.SavedMask ?? thread.Blocked),
        };
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        state.Registers[0] = (ulong)frame.Info.Signal;
        state.Registers[1] = at;
        state.Registers[2] = context;
        state.Registers[ContextRegister] = context;
        state.Registers[Arm64State.LinkRegister] = action.Restorer;
        state.Registers[Arm64State.StackPointer] = at;
        state.Pc = action.Handler;
        return true;
    }

    public override int ContextSize => Unsafe.SizeOf<NetBsdArm64Context>();

    public override Errno SaveContext(GuestThread thread, GuestAddress address) =>
        thread.Process.Memory.TryWrite(address, NetBsdArm64Context.Of(thread, thread.Blocked)) ? Errno.None : Errno.EFAULT;

    public override Errno RestoreContext(GuestThread thread, GuestAddress address)
    {
        if (!thread.Process.Memory.TryRead(address, out NetBsdArm64Context context))
            return Errno.EFAULT;
        context.RestoreTo(thread);
        return Errno.None;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Frame
    {
        public NetBsdSigInfo Info;
        public NetBsdArm64Context Context;
    }
}
