using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Debugging;

/// <summary>Runs a thread instruction by instruction, as its debug registers or a tracer want it; repeated string instructions turn by turn.</summary>
internal sealed class Stepper
{
    private const int LongestInstruction = 15;
    private const int Count = Register.RCX - Register.RAX;
    private const ulong ZeroFlag = 1 << 6;

    /// <summary>RFLAGS.RF: the next instruction does not stop at its own breakpoint.</summary>
    private const ulong ResumeFlag = 1 << 16;

    private readonly Interpreter.Interpreter _interpreter = new(BlockCache.Shared);
    private readonly DataAccesses _accesses = new();
    private readonly byte[] _bytes = new byte[LongestInstruction];

    /// <summary>Runs one instruction, or up to the budget until a debug register stops the thread.</summary>
    public EngineExit Run(GuestCpu cpu, AddressSpace memory, DebugRegisters debug, bool isSingle, ref long budget)
    {
        while (budget > 0)
        {
            EngineExit exit = RunOne(cpu, memory, debug, isSingle, ref budget);
            if (isSingle || exit.Reason != ExitReason.Budget)
                return exit;
        }
        return new EngineExit(ExitReason.Budget);
    }

    private EngineExit RunOne(GuestCpu cpu, AddressSpace memory, DebugRegisters debug, bool isSingle, ref long budget)
    {
        if (cpu.Architecture != Architecture.X64)
            return RunPlain(cpu, memory, ref budget);
        ref CpuState state = ref cpu.State;
        ulong hits = (state.Flags & ResumeFlag) == 0 ? debug.ExecutionAt(state.Pc) : 0;
        if (hits != 0)
        {
            state.Flags |= ResumeFlag;
            debug.Note(hits);
            return new EngineExit(ExitReason.DebugRegister);
        }
        int length = memory.Fetch(state.Pc, _bytes, out _);
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(_bytes, 0, length), state.Pc);
        decoder.Decode(out Instruction instruction);
        bool isRepeated = instruction.IsStringInstruction && (instruction.HasRepPrefix || instruction.HasRepnePrefix);
        if (debug.IsArmed && !(isRepeated && state.Registers[Count] == 0))
        {
            _accesses.Foresee(instruction, state);
            hits = _accesses.Hits(debug);
        }
        EngineExit exit = isRepeated && state.Registers[Count] > 1 ? TakeTurn(cpu, memory, instruction, ref budget) : _interpreter.Step(cpu, memory, ref budget);
        cpu.Instructions++;
        if (exit.Reason != ExitReason.Budget)
            return exit;
        state.Flags &= ~ResumeFlag;
        if (hits == 0 && !isSingle)
            return exit;
        debug.Note(hits | (isSingle ? DebugRegisters.Stepped : 0));
        return new EngineExit(isSingle ? ExitReason.SingleStep : ExitReason.DebugRegister);
    }

    /// <summary>One instruction of an architecture that repeats none; its debug registers cannot be set.</summary>
    private EngineExit RunPlain(GuestCpu cpu, AddressSpace memory, ref long budget)
    {
        EngineExit exit = _interpreter.Step(cpu, memory, ref budget);
        cpu.Instructions++;
        return exit.Reason == ExitReason.Budget ? new EngineExit(ExitReason.SingleStep) : exit;
    }

    /// <summary>One turn of a repeated string instruction: as its last, and then back to it if there are more.</summary>
    private EngineExit TakeTurn(GuestCpu cpu, AddressSpace memory, in Instruction instruction, ref long budget)
    {
        ref CpuState state = ref cpu.State;
        ulong count = state.Registers[Count];
        state.Registers[Count] = 1;
        EngineExit exit = _interpreter.Step(cpu, memory, ref budget);
        bool isDone = exit.Reason == ExitReason.Budget;
        state.Registers[Count] = isDone ? count - 1 : count;
        bool compares = instruction.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq or Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq;
        bool hasMet = compares && (state.Flags & ZeroFlag) != 0 == instruction.HasRepnePrefix;
        if (isDone && !hasMet)
            state.Pc = instruction.IP;
        return exit;
    }
}
