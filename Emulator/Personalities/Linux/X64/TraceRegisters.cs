using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>struct user_regs_struct.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceRegisters
{
    private const ulong NoCall = ulong.MaxValue;
    private const ulong CodeSegment = 0x33, StackSegment = 0x2B;
    private const ulong AlwaysSet = 0x202;

    /// <summary>What a tracer may change of the flags.</summary>
    private const ulong Changeable = 0x250DD5;

    /// <summary>-ENOSYS, which rax holds at the entry of a call, and -ERESTARTSYS, which it holds when a signal interrupts one.</summary>
    private const ulong AtEntry = unchecked((ulong)-38), Interrupted = unchecked((ulong)-512);

    public ulong R15, R14, R13, R12, Rbp, Rbx, R11, R10, R9, R8, Rax, Rcx, Rdx, Rsi, Rdi, OriginalRax, Rip, Cs, Flags, Rsp, Ss, FsBase, GsBase, Ds, Es, Fs, Gs;

    public static TraceRegisters Of(Tracee tracee) => Of(tracee.Thread, tracee.IsBeforeCall, tracee.LeftCall);

    /// <summary>Of a thread; <paramref name="leftCall"/> is the number of the call that it just left.</summary>
    public static TraceRegisters Of(GuestThread thread, bool isAtEntry = false, int? leftCall = null)
    {
        ref CpuState state = ref thread.Cpu.State;
        bool isPending = thread.InCall;
        return new TraceRegisters
        {
            R15 = state.Registers[15], R14 = state.Registers[14], R13 = state.Registers[13], R12 = state.Registers[12],
            Rbp = state.Registers[X64Registers.Rbp], Rbx = state.Registers[X64Registers.Rbx], R11 = state.Registers[11], R10 = state.Registers[10],
            R9 = state.Registers[9], R8 = state.Registers[8], Rcx = state.Registers[X64Registers.Rcx], Rdx = state.Registers[X64Registers.Rdx],
            Rsi = state.Registers[X64Registers.Rsi], Rdi = state.Registers[X64Registers.Rdi], Rsp = state.Registers[X64Registers.Rsp],
            Rax = !isPending ? state.Registers[X64Registers.Rax] : isAtEntry ? AtEntry : Interrupted,
            OriginalRax = thread.InCall ? (ulong)thread.Call.Asked : leftCall is { } left ? (ulong)left : NoCall,
            Rip = state.Pc, Cs = CodeSegment, Ss = StackSegment, Flags = state.Flags | AlwaysSet, FsBase = state.FsBase, GsBase = state.GsBase,
        };
    }

    public readonly void ApplyTo(Tracee tracee)
    {
        GuestThread thread = tracee.Thread;
        ref CpuState state = ref thread.Cpu.State;
        TraceRegisters before = Of(tracee);
        (state.Registers[15], state.Registers[14], state.Registers[13], state.Registers[12]) = (R15, R14, R13, R12);
        (state.Registers[X64Registers.Rbp], state.Registers[X64Registers.Rbx], state.Registers[11], state.Registers[10]) = (Rbp, Rbx, R11, R10);
        (state.Registers[9], state.Registers[8], state.Registers[X64Registers.Rcx], state.Registers[X64Registers.Rdx]) = (R9, R8, Rcx, Rdx);
        (state.Registers[X64Registers.Rsi], state.Registers[X64Registers.Rdi], state.Registers[X64Registers.Rsp]) = (Rsi, Rdi, Rsp);
        state.Pc = Rip;
        state.Flags = (state.Flags & ~Changeable) | (Flags & Changeable);
        (state.FsBase, state.GsBase) = (FsBase, GsBase);
        if (!thread.InCall || Rax != before.Rax || Rip != before.Rip)
            state.Registers[X64Registers.Rax] = Rax;
        if (!thread.InCall)
            return;
        if (tracee.IsBeforeCall)
        {
            int number = unchecked((int)OriginalRax);
            thread.Call.Begin(LinuxTable.FromX64(number), number, [Rdi, Rsi, Rdx, R10, R8, R9]);
            tracee.SkipsCall = number == -1;
            if (tracee.SkipsCall)
                state.Registers[X64Registers.Rax] = Rax;
        }
        else if (OriginalRax == NoCall || Rip != before.Rip)
            thread.DropCall();
    }
}
