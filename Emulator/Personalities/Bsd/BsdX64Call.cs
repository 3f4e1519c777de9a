using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>
/// How FreeBSD's and NetBSD's calls arrive and return on amd64: as Linux's, but further arguments are on the stack behind the return
/// address, the carry flag says that RAX is an error, and RDX may hold a second result.
/// </summary>
internal static class BsdX64Call
{
    private const ulong Carry = 1;

    /// <summary>What the instruction itself changes (SDM Vol. 2, SYSCALL).</summary>
    public static void Enter(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        state.Registers[X64Registers.Rcx] = state.Pc;
        state.Registers[X64Registers.R11] = state.Flags;
    }

    /// <summary>Reads the arguments that no register has; what is not there is 0.</summary>
    public static void ReadStack(GuestThread thread, Span<ulong> arguments, int count)
    {
        if (count > 0)
            thread.Process.Memory.TryRead(new GuestAddress(thread.Cpu.State.Registers[X64Registers.Rsp] + 8), MemoryMarshal.AsBytes(arguments[..Math.Min(count, arguments.Length)]));
    }

    public static void Leave(GuestThread thread, in CallResult result, BsdNumbers numbers)
    {
        ref CpuState state = ref thread.Cpu.State;
        bool isError = result.Outcome == CallOutcome.Error;
        state.Registers[X64Registers.Rax] = isError ? (ulong)numbers.ErrorNumber(result.Error) : unchecked((ulong)result.Value);
        state.Flags = isError ? state.Flags | Carry : state.Flags & ~Carry;
    }

    public static void SetSecond(GuestThread thread, ulong value) => thread.Cpu.State.Registers[X64Registers.Rdx] = value;
}
