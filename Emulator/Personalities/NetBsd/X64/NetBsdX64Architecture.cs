using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.X64;
using Vivarium.Emulator.Personalities.Linux.X64;
using Vivarium.Emulator.Personalities.NetBsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.X64;

/// <summary>NetBSD on amd64 (sys/arch/amd64/amd64/machdep.c).</summary>
internal sealed class NetBsdX64Architecture : BsdX64Architecture, INetBsdArchitecture
{
    public override Bsd.Tracing.BsdTraceLayout Trace { get; } = new NetBsdX64TraceLayout();

    public string MachineName => "amd64";

    public string MachineArchitecture => "x86_64";

    /// <summary>TRAP_DBREG.</summary>
    protected override int WatchedCode => 6;

    /// <summary>SIGBUS with BUS_ADRERR or SIGSEGV with SEGV_ACCERR, where the last page fault was.</summary>
    protected override SignalInfo OfSegment(GuestThread thread) =>
        FaultSignals.Of(thread.Trap.Number == CanonicalFaults.StackFault ? Signal.Bus : Signal.Segment, 2, thread.Trap.Address);

    protected override void SetFirstRegisters(ref CpuState state, ulong stack, ulong strings)
    {
        state.Registers[X64Registers.Rbx] = strings;
        state.Registers[X64Registers.Rsp] = stack;
    }

    /// <summary>struct sigframe_siginfo: the handler returns to the trampoline it was set with, which calls setcontext(2).</summary>
    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong top = FrameTop(thread, action, state.Registers[X64Registers.Rsp], RedZone);
        ulong at = ((top - (ulong)Unsafe.SizeOf<Frame>()) & ~15UL) - 8;
        var frame = new Frame
        {
            ReturnAddress = action.Restorer,
            Info = NetBsdSigInfo.Of(info, thread.Trap.Number),
            Context = NetBsdX64Context.Of(thread, thread.SavedMask ?? thread.Blocked),
        };
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        FxImage.Initialize(ref state);
        ulong context = at + (ulong)Unsafe.SizeOf<Frame>() - (ulong)Unsafe.SizeOf<NetBsdX64Context>();
        state.Registers[X64Registers.Rdi] = (ulong)frame.Info.Signal;
        state.Registers[X64Registers.Rsi] = at + sizeof(ulong);
        state.Registers[X64Registers.Rdx] = context;
        state.Registers[X64Registers.R15] = context;
        state.Registers[X64Registers.Rsp] = at;
        state.Flags &= ~ClearedFlags;
        state.Pc = action.Handler;
        return true;
    }

    public override int ContextSize => Unsafe.SizeOf<NetBsdX64Context>();

    public override Errno SaveContext(GuestThread thread, GuestAddress address) =>
        thread.Process.Memory.TryWrite(address, NetBsdX64Context.Of(thread, thread.Blocked)) ? Errno.None : Errno.EFAULT;

    public override Errno RestoreContext(GuestThread thread, GuestAddress address) =>
        thread.Process.Memory.TryRead(address, out NetBsdX64Context context) ? context.RestoreTo(thread, RestorableFlags) : Errno.EFAULT;

    [StructLayout(LayoutKind.Sequential)]
    private struct Frame
    {
        public ulong ReturnAddress;
        public NetBsdSigInfo Info;
        public NetBsdX64Context Context;
    }
}
