using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// Executes micro-ops in portable C#: the reference the translator is checked against, and the engine of hosts it knows not.
/// Simple on purpose: one switch for each family, blocks found by address, the budget looked at between blocks.
/// </summary>
public sealed partial class Interpreter(BlockCache cache) : IEngine
{
    /// <summary>Longest run of guest bytes looked at for one block.</summary>
    private const int FetchLength = 1024;

    /// <summary>Blocks of one instruction.</summary>
    private readonly BlockCache _singles = new();

    /// <summary>The state of one <see cref="Run(GuestCpu, AddressSpace, ref long)"/>: what the exception handler needs after a fault.</summary>
    private struct Progress
    {
        public Block Block;
        public int Op;
    }

    public EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget)
    {
        long before = budget;
        EngineExit exit = Run(cpu, memory, CodeMap.Of(memory), ref budget, alone: false);
        cpu.Instructions += (ulong)(before - budget);
        return exit;
    }

    /// <summary>
    /// Runs one instruction (of a repeated string instruction, a part), without counting it in <see cref="GuestCpu.Instructions"/>.
    /// Ends with Budget when it was done.
    /// </summary>
    internal EngineExit Step(GuestCpu cpu, AddressSpace memory, ref long budget) => Step(cpu, memory, null, ref budget);

    /// <summary>The same.</summary>
    /// <param name="single">The block of that instruction, when the caller knows that its bytes are still the same; else null.</param>
    internal EngineExit Step(GuestCpu cpu, AddressSpace memory, Block? single, ref long budget)
    {
        long one = 1;
        EngineExit exit = Run(cpu, memory, null, ref one, alone: true, single);
        budget -= 1 - one;
        return exit;
    }

    private EngineExit Run(GuestCpu cpu, AddressSpace memory, CodeMap? map, ref long left, bool alone, Block? first = null)
    {
        Progress progress = default;
        while (true)
        {
            try
            {
                return RunBlocks(cpu, memory, map, alone, first, ref left, ref progress);
            }
            catch (Exception exception) when (exception is NullReferenceException or GuestFaultException)
            {
                if (!memory.TakeFault(exception, out MemoryFault fault))
                    throw;
                StopAt(cpu, ref progress, ref left);
                if (fault.Kind != FaultKind.Retry)
                    return new EngineExit(ExitReason.MemoryFault, fault);
                // An instruction that writes to its own page must not have that page watched again before it is done.
                (alone, first) = (true, null);
            }
        }
    }

    /// <param name="alone">Run the first instruction as a block of its own that nobody keeps.</param>
    /// <param name="first">That block, or null to find it.</param>
    private EngineExit RunBlocks(GuestCpu cpu, AddressSpace memory, CodeMap? map, bool alone, Block? first, ref long left, ref Progress progress)
    {
        ref CpuState state = ref cpu.State;
        while (left > 0)
        {
            MemoryFault fault = default;
            Block? block = first ?? (alone || map is null ? LowerAlone(cpu, memory, out fault) : map.Find(state.Pc) ?? Lower(cpu, memory, map, out fault));
            (alone, first) = (false, null);
            if (block is null)
                return new EngineExit(ExitReason.MemoryFault, fault);
            progress.Block = block;
            left -= block.Instructions.Length;
            ExitReason exit = Execute(ref state, memory, block, ref progress.Op, cpu);
            if (exit == ExitReason.Budget)
                continue;
            if (exit == SideExit)
            {
                left += block.Instructions.Length - block.InstructionOf(progress.Op) - 1;
                continue;
            }
            if (exit == Restart)
            {
                StopAt(cpu, ref progress, ref left);
                // A string instruction's turn counts, so that an endless one cannot outrun the budget.
                left--;
                continue;
            }
            if (exit == ExitReason.SystemCall || (exit == ExitReason.Breakpoint && block.Ops[progress.Op].Immediate == 1))
                return new EngineExit(exit);
            StopAt(cpu, ref progress, ref left);
            return new EngineExit(exit);
        }
        return new EngineExit(ExitReason.Budget);
    }

    /// <summary>Not an exit: run the instruction of the current micro-op again.</summary>
    private const ExitReason Restart = (ExitReason)255;

    /// <summary>Puts the program counter at the instruction under way, and gives back the budget of those behind it.</summary>
    private static void StopAt(GuestCpu cpu, ref Progress progress, ref long left)
    {
        int instruction = progress.Block.InstructionOf(progress.Op);
        cpu.State.Pc = progress.Block.Instructions[instruction].Pc;
        left += progress.Block.Instructions.Length - instruction;
    }

    /// <summary>Micro-ops look at the whole state when they are run here: there is one lowering for all variants.</summary>
    private static ExecutionMode ModeOf(GuestCpu cpu) => new(cpu.Architecture, ExecutionMode.Interpreted);

    /// <summary>The block of the one instruction at the program counter; null when it cannot be fetched.</summary>
    internal Block? Single(GuestCpu cpu, AddressSpace memory) => LowerAlone(cpu, memory, out _);

    private Block? LowerAlone(GuestCpu cpu, AddressSpace memory, out MemoryFault fault)
    {
        ulong pc = cpu.State.Pc;
        const int longestInstruction = 15;
        Span<byte> code = stackalloc byte[longestInstruction];
        int length = memory.Fetch(pc, code, out fault);
        if (length == 0)
            return null;
        Block? block = BlockBuilder.Of(ModeOf(cpu)).FindOrLower(_singles, ModeOf(cpu), pc, code[..length], instructions: 1);
        if (block is null)
            memory.Fetch(pc + (ulong)length, code[..1], out fault);
        return block;
    }

    private Block? Lower(GuestCpu cpu, AddressSpace memory, CodeMap map, out MemoryFault fault)
    {
        ulong pc = cpu.State.Pc;
        Span<byte> code = stackalloc byte[FetchLength];
        int length = memory.Fetch(pc, code, out fault);
        if (length == 0)
            return null;
        code = code[..length];
        Block? block = BlockBuilder.Of(ModeOf(cpu)).FindOrLower(cache, ModeOf(cpu), pc, code);
        if (block is null)
        {
            // The first instruction continues on a page that cannot be fetched.
            memory.Fetch(pc + (ulong)length, code[..1], out fault);
            return null;
        }
        map.Add(block);
        return block;
    }
}
