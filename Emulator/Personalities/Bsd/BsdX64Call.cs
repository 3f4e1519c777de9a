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

    private const int MostCalls = 1024, MostArguments = 8, InRegisters = 6;

    /// <summary>Length of <c>syscall</c>: the registers still hold the call that is to run again.</summary>
    private const int Instruction = 2;

    /// <summary>Reads number and arguments; those that no register has, and are not on the stack either, are 0.</summary>
    /// <param name="tableBase">What is added to the system's own numbers.</param>
    /// <param name="argumentCount">From the table: how many arguments a call has.</param>
    public static void Begin(GuestThread thread, int tableBase, Func<int, int> argumentCount)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments =
        [
            state.Registers[X64Registers.Rdi], state.Registers[X64Registers.Rsi], state.Registers[X64Registers.Rdx],
            state.Registers[X64Registers.R10], state.Registers[X64Registers.R8], state.Registers[X64Registers.R9], 0, 0, 0,
        ];
        // The instruction itself saves these (SDM Vol. 2, SYSCALL).
        state.Registers[X64Registers.Rcx] = state.Pc;
        state.Registers[X64Registers.R11] = state.Flags;
        int number = unchecked((int)(uint)state.Registers[X64Registers.Rax]);
        // syscall(2) and __syscall(2): the number is the first argument.
        int skipped = number is 0 or 198 ? 1 : 0;
        if (skipped != 0)
            number = unchecked((int)(uint)arguments[0]);
        number = (uint)number < MostCalls ? tableBase + number : -1;
        int onStack = argumentCount(number) + skipped - InRegisters;
        if (onStack > 0)
            thread.Process.Memory.TryRead(new GuestAddress(state.Registers[X64Registers.Rsp] + 8), MemoryMarshal.AsBytes(arguments.Slice(InRegisters, Math.Min(onStack, arguments.Length - InRegisters))));
        thread.Call.Begin(number, arguments.Slice(skipped, MostArguments));
    }

    public static void Rewind(GuestThread thread) => thread.Cpu.State.Pc -= Instruction;

    public static void Leave(GuestThread thread, in CallResult result, BsdNumbers numbers)
    {
        ref CpuState state = ref thread.Cpu.State;
        bool isError = result.Outcome == CallOutcome.Error;
        state.Registers[X64Registers.Rax] = isError ? (ulong)numbers.ErrorNumber(result.Error) : unchecked((ulong)result.Value);
        state.Flags = isError ? state.Flags | Carry : state.Flags & ~Carry;
    }

    public static void SetSecond(GuestThread thread, ulong value) => thread.Cpu.State.Registers[X64Registers.Rdx] = value;
}
