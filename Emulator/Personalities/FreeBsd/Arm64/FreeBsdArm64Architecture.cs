using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Arm64;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Arm64;

/// <summary>FreeBSD on arm64: the number of a call in x8 (sys/arm64/arm64/exec_machdep.c, locore.S).</summary>
internal sealed class FreeBsdArm64Architecture : BsdArm64Architecture, IFreeBsdArchitecture
{
    private const int NumberRegister = 8;

    public override Bsd.Tracing.BsdTraceLayout Trace { get; } = new FreeBsdArm64TraceLayout();

    public string MachineName => "arm64";

    public string MachineArchitecture => "aarch64";

    public ulong Capabilities => Arm64Features.Capabilities;

    public ReadOnlySpan<byte> SignalCode =>
    [
        0x00, 0x01, 0x3F, 0xD6, // blr x8
        0xE0, 0x03, 0x00, 0x91, // mov x0, sp
        0x00, 0x40, 0x01, 0x91, // add x0, x0, #ContextOffset
        0x28, 0x34, 0x80, 0xD2, // mov x8, #417
        0x01, 0x00, 0x00, 0xD4, // svc #0
        0x00, 0x00, 0x00, 0x00, // udf #0: it does not return
    ];

    /// <summary>syscall(2) and __syscall(2), 0 and 198, have the number as their first argument.</summary>
    public override void Decode(GuestThread thread, int tableBase, Func<int, int> argumentCount)
    {
        ref CpuState state = ref thread.Cpu.State;
        int number = unchecked((int)(uint)state.Registers[NumberRegister]);
        bool isIndirect = number is 0 or 198;
        Begin(thread, isIndirect ? unchecked((int)(uint)state.Registers[0]) : number, tableBase, isIndirect ? 1 : 0);
    }

    protected override void SetFirstRegisters(ref CpuState state, ulong stack, ulong strings)
    {
        state.Registers[0] = stack;
        state.Registers[Arm64State.StackPointer] = stack & ~15UL;
        state.Registers[Arm64State.LinkRegister] = state.Pc;
    }

    public void SetThreadStart(ref CpuState state, ulong start, ulong argument, ulong top)
    {
        state.Pc = start;
        state.Registers[0] = argument;
        state.Registers[29] = 0;
        state.Registers[Arm64State.LinkRegister] = 0;
        state.Registers[Arm64State.StackPointer] = top & ~15UL;
    }

    /// <summary>sendsig: the handler is called by <see cref="SignalCode"/>.</summary>
    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong top = FrameTop(thread, action, StackPointer(ref state), redZone: 0);
        ulong at = (top - (ulong)Unsafe.SizeOf<FreeBsdArm64Frame>()) & ~15UL;
        var frame = new FreeBsdArm64Frame
        {
            Info = FreeBsdSigInfo.Of(info, 0),
            Context = FreeBsdArm64Context.Of(thread, thread.SavedMask ?? thread.Blocked),
        };
        if (!thread.Process.Memory.TryWrite(new GuestAddress(at), frame))
            return false;
        state.Registers[0] = (ulong)frame.Info.Signal;
        state.Registers[1] = at;
        state.Registers[2] = at + FreeBsdArm64Frame.ContextOffset;
        state.Registers[8] = action.Handler;
        state.Registers[Arm64State.StackPointer] = at;
        state.Pc = FreeBsdSharedPage.Address;
        return true;
    }

    public override int ContextSize => Unsafe.SizeOf<FreeBsdArm64Context>();

    /// <summary>Who goes on with it finds that getcontext(2) returned 0 (GET_MC_CLEAR_RET).</summary>
    public override Errno SaveContext(GuestThread thread, GuestAddress address)
    {
        FreeBsdArm64Context context = FreeBsdArm64Context.Of(thread, thread.Blocked);
        context.General[0] = 0;
        context.Flags &= ~Carry;
        return thread.Process.Memory.TryWrite(address, context) ? Errno.None : Errno.EFAULT;
    }

    public override Errno RestoreContext(GuestThread thread, GuestAddress address)
    {
        if (!thread.Process.Memory.TryRead(address, out FreeBsdArm64Context context))
            return Errno.EFAULT;
        context.RestoreTo(thread);
        return Errno.None;
    }
}
