using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd.X64;

/// <summary>struct reg of amd64 (x86/reg.h).</summary>
internal sealed class FreeBsdX64TraceLayout : BsdX64TraceLayout
{
    private const ulong UserCode = 0x43, UserData = 0x3B;

    public override int GeneralSize => Unsafe.SizeOf<Registers>();

    protected override void Read(GuestThread thread, ulong counter, Span<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        var registers = new Registers
        {
            R15 = state.Registers[15], R14 = state.Registers[14], R13 = state.Registers[13], R12 = state.Registers[12],
            R11 = state.Registers[11], R10 = state.Registers[10], R9 = state.Registers[9], R8 = state.Registers[8],
            Rdi = state.Registers[X64Registers.Rdi], Rsi = state.Registers[X64Registers.Rsi], Rbp = state.Registers[X64Registers.Rbp], Rbx = state.Registers[X64Registers.Rbx],
            Rdx = state.Registers[X64Registers.Rdx], Rcx = state.Registers[X64Registers.Rcx], Rax = state.Registers[X64Registers.Rax],
            Trap = (uint)FreeBsdSigInfo.TrapNumber(thread.Trap.Number), Error = (uint)thread.Trap.Error,
            Rip = counter, Cs = UserCode, Flags = ShownFlags(thread), Rsp = state.Registers[X64Registers.Rsp], Ss = UserData,
        };
        MemoryMarshal.Write(set, registers);
    }

    protected override ulong? Write(GuestThread thread, ReadOnlySpan<byte> set)
    {
        Registers given = MemoryMarshal.Read<Registers>(set);
        if (!IsAllowed(thread, given.Flags, given.Cs == UserCode))
            return null;
        ref CpuState state = ref thread.Cpu.State;
        ReadOnlySpan<ulong> values =
        [
            given.Rax, given.Rcx, given.Rdx, given.Rbx, given.Rsp, given.Rbp, given.Rsi, given.Rdi,
            given.R8, given.R9, given.R10, given.R11, given.R12, given.R13, given.R14, given.R15,
        ];
        for (int i = 0; i < values.Length; i++)
            state.Registers[i] = values[i];
        SetFlags(ref state, given.Flags);
        return given.Rip;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Registers
    {
        public ulong R15, R14, R13, R12, R11, R10, R9, R8, Rdi, Rsi, Rbp, Rbx, Rdx, Rcx, Rax;
        public uint Trap;
        public ushort Fs, Gs;
        public uint Error;
        public ushort Es, Ds;
        public ulong Rip, Cs, Flags, Rsp, Ss;
    }
}
