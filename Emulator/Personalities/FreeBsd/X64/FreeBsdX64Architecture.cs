using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.X64;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd.X64;

/// <summary>FreeBSD on amd64 (sys/amd64/amd64/exec_machdep.c).</summary>
internal sealed class FreeBsdX64Architecture : BsdX64Architecture, IFreeBsdArchitecture
{
    public override Bsd.Tracing.BsdTraceLayout Trace { get; } = new FreeBsdX64TraceLayout();

    public string MachineName => "amd64";

    public string MachineArchitecture => "amd64";

    /// <summary>CPUID leaf 1's EDX.</summary>
    public ulong Capabilities => 0x0788_8131;

    /// <summary>TRAP_TRACE.</summary>
    protected override int WatchedCode => 2;

    /// <summary>SIGBUS at the instruction: BUS_ADRERR, BUS_OBJERR.</summary>
    protected override SignalInfo OfSegment(GuestThread thread) =>
        FaultSignals.Of(Signal.Bus, thread.Trap.Number == CanonicalFaults.StackFault ? 2 : 3, thread.Cpu.State.Pc);

    public ReadOnlySpan<byte> SignalCode =>
    [
        0xFF, 0x14, 0x24, // call [rsp]
        0x48, 0x8D, 0x7C, 0x24, FreeBsdX64Frame.ContextOffset, // lea rdi, [rsp+ContextOffset]
        0x6A, 0x00, // push 0: what a return address would be
        0xB8, 0xA1, 0x01, 0x00, 0x00, // mov eax, 417
        0x0F, 0x05, // syscall
        0xF4, // hlt: it does not return
    ];

    protected override void SetFirstRegisters(ref CpuState state, ulong stack, ulong strings)
    {
        state.Registers[X64Registers.Rdi] = stack;
        state.Registers[X64Registers.Rsp] = ((stack - 8) & ~15UL) + 8;
    }

    public void SetThreadStart(ref CpuState state, ulong start, ulong argument, ulong top)
    {
        state.Pc = start;
        state.Registers[X64Registers.Rdi] = argument;
        state.Registers[X64Registers.Rsp] = (top & ~15UL) - 8;
        state.Registers[X64Registers.Rbp] = 0;
    }

    /// <summary>sendsig: the handler is called by <see cref="SignalCode"/>.</summary>
    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[X64Registers.Rsp];
        ulong at = (FrameTop(thread, action, stack, RedZone) - (ulong)Unsafe.SizeOf<FreeBsdX64Frame>()) & ~15UL;
        var frame = new FreeBsdX64Frame
        {
            Handler = action.Handler,
            Context = FreeBsdX64Context.Of(thread, thread.SavedMask ?? thread.Blocked),
            Info = FreeBsdSigInfo.Of(info, FreeBsdSigInfo.TrapNumber(thread.Trap.Number)),
        };
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        FxImage.Initialize(ref state);
        state.Registers[X64Registers.Rdi] = (ulong)frame.Info.Signal;
        state.Registers[X64Registers.Rsi] = (action.RawFlags & BsdActionFlags.SigInfo) != 0
            ? at + (ulong)Unsafe.SizeOf<FreeBsdX64Frame>() - (ulong)Unsafe.SizeOf<FreeBsdSigInfo>()
            : (ulong)frame.Info.Code;
        state.Registers[X64Registers.Rdx] = at + FreeBsdX64Frame.ContextOffset;
        state.Registers[X64Registers.Rcx] = info.IsFault ? info.Value : 0;
        state.Registers[X64Registers.Rsp] = at;
        state.Flags &= ~ClearedFlags;
        state.Pc = FreeBsdSharedPage.Address;
        return true;
    }

    public override int ContextSize => Unsafe.SizeOf<FreeBsdX64Context>();

    /// <summary>Who goes on with it finds that getcontext(2) returned 0 (GET_MC_CLEAR_RET).</summary>
    public override Errno SaveContext(GuestThread thread, GuestAddress address)
    {
        FreeBsdX64Context context = FreeBsdX64Context.Of(thread, thread.Blocked);
        context.Machine.Ax = context.Machine.Dx = 0;
        context.Machine.RFlags &= ~Carry;
        return thread.Process.Memory.TryWrite(address, context) ? Errno.None : Errno.EFAULT;
    }

    public override Errno RestoreContext(GuestThread thread, GuestAddress address)
    {
        if (!thread.Process.Memory.TryRead(address, out FreeBsdX64Context context))
            return Errno.EFAULT;
        ref CpuState state = ref thread.Cpu.State;
        if ((context.Machine.Flags & FreeBsdX64Machine.HasFloatingPoint) != 0 && !FxImage.TryRead(ref state, context.Machine.FloatingPoint))
            return Errno.EINVAL;
        context.Machine.RestoreTo(ref state, RestorableFlags);
        thread.Blocked = context.Mask.ToNeutral(FreeBsdPersonality.Instance.Numbers) & ~Signal.Unstoppable;
        return Errno.None;
    }
}
