using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Vector;

/// <summary>Lowers single instructions of the vector and x87 families and runs them with the interpreter.</summary>
internal sealed class FloatEmulation : IX86Emitter
{
    private const byte AddressSlot = 64;
    private readonly List<MicroOp> _ops = [];
    private readonly ulong _memory;
    private byte _nextTemporary;
    private (Register Register, byte Value)? _low16;
    private ConditionCode _condition;

    /// <param name="memory">The guest address of the memory operand.</param>
    public FloatEmulation(in Instruction instruction, ulong memory)
    {
        _memory = memory;
        _nextTemporary = AddressSlot + 1;
        IsSupported = SseLowering.TryLower(this, instruction) || X87Lowering.TryLower(this, instruction);
    }

    public bool IsSupported { get; }

    public void Emit(in MicroOp op) => _ops.Add(op);

    public (byte Register, long Displacement) Address(in Instruction instruction) => (AddressSlot, 0);

    public byte IntegerTemporary() => _nextTemporary++;

    public byte IntegerRegister(Register register) => (byte)(register.GetFullRegister() - Register.RAX);

    public void WriteLow16(Register register, byte value) => _low16 = (register, value);

    public byte Condition(ConditionCode condition)
    {
        _condition = condition;
        return IntegerTemporary();
    }

    /// <summary>Runs the instruction; null when it completed.</summary>
    public ExitReason? Run(ref CpuState state, AddressSpace memory)
    {
        state.Registers[AddressSlot] = _memory;
        if (_condition != ConditionCode.None)
            state.Registers[AddressSlot + 1] = Holds(_condition, state.Flags) ? 1UL : 0;
        foreach (var op in _ops)
        {
            if (!VectorInterpreter.Execute(ref state, memory, op, out var exit))
                return exit;
        }

        if (_low16 is { } write)
        {
            ref var target = ref state.Registers[write.Register.GetFullRegister() - Register.RAX];
            target = (target & ~0xFFFFUL) | (state.Registers[write.Value] & 0xFFFF);
        }

        return null;
    }

    private static bool Holds(ConditionCode condition, ulong flags)
    {
        bool carry = (flags & 1) != 0, parity = (flags & 4) != 0, zero = (flags & 0x40) != 0;
        return condition switch
        {
            ConditionCode.b => carry,
            ConditionCode.ae => !carry,
            ConditionCode.e => zero,
            ConditionCode.ne => !zero,
            ConditionCode.be => carry || zero,
            ConditionCode.a => !carry && !zero,
            ConditionCode.p => parity,
            _ => !parity,
        };
    }
}
