using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Turns a block's micro-ops into host code. The guest's arithmetic flags live in the host's, so code between two flag-setting
/// micro-ops leaves the host's flags alone: LEA and BMI2 instead of arithmetic, and probes instead of compares (see
/// <see cref="Probe"/>). Within an instruction nothing that the guest can see changes before its last possible fault, so that a
/// fault is simply answered by running the instruction again in the interpreter. Micro-ops without a translation end the
/// host code before their instruction, which the interpreter then runs.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private readonly Assembler _asm = new();
    private readonly Gate _gate;
    private readonly LinkTable _links;
    private readonly List<int> _starts = [];
    private readonly List<PendingExit> _exits = [];

    private Block _block = null!;
    private MicroOp[] _ops = [];
    private FlagMask[] _live = [];

    /// <summary>Where the present instruction's micro-ops end.</summary>
    private int _end;

    public BlockTranslator(Gate gate, LinkTable links) => (_gate, _links) = (gate, links);

    /// <summary>A jump out of the block, to be written behind it: the displacement of its jump instruction and its target.</summary>
    private readonly record struct PendingExit(int DisplacementAt, ulong Target);

    /// <summary>The most bytes a block's code can take.</summary>
    public static int SizeLimit(Block block) => 1024 + (block.Ops.Length * 160);

    /// <summary>Translates a block into a place of <see cref="SizeLimit"/> bytes.</summary>
    public Translation Translate(Block block, byte* place, nint runOffset)
    {
        _block = block;
        _ops = block.Ops;
        _starts.Clear();
        _exits.Clear();
        _live = FlagLiveness(_ops);
        ForgetChecks();
        _asm.Begin(place, runOffset);
        nint entry = _asm.RunAddress;
        if (NeedsPoll(_ops[^1], block))
            Probe(RegisterMap.Budget);
        int charged = _asm.Offset;
        Charge(block.Instructions.Length);
        int done = EmitInstructions();
        if (done < block.Instructions.Length)
            Recharge(charged, done);
        Link[] links = EmitExits();
        var translation = new Translation(block, entry, _asm.Offset, [.. _starts], done, links);
        foreach (Link link in links)
            link.Owner = translation;
        return translation;
    }

    /// <summary>Emits instructions up to the first that has no translation; returns how many.</summary>
    private int EmitInstructions()
    {
        InstructionStart[] instructions = _block.Instructions;
        for (int i = 0; i < instructions.Length; i++)
        {
            int start = _asm.Offset, exits = _exits.Count;
            _starts.Add(start);
            _end = i + 1 < instructions.Length ? instructions[i + 1].Op : _ops.Length;
            BeginInstruction(instructions[i].Op, _end);
            var stack = (_checks[RegisterMap.StackPointer], _stackTouched);
            // A fault at the check must find the last instruction not begun.
            if (_end == _ops.Length && EndsInControl)
                SettleStackPointer();
            if (TryEmit(instructions[i].Op))
                continue;
            _asm.Offset = start;
            (_checks[RegisterMap.StackPointer], _stackTouched) = stack;
            _exits.RemoveRange(exits, _exits.Count - exits);
            SettleStackPointer();
            EmitExit(instructions[i].Pc, ExitKind.Interpret);
            return i;
        }
        if (!EndsInControl)
        {
            // Behind the last instruction, which has run when the check faults.
            _starts.Add(_asm.Offset);
            SettleStackPointer();
            ExitTo(_block.End);
        }
        return instructions.Length;
    }

    private bool EndsInControl => _ops.Length > 0 && _ops[^1].Code is >= OpCode.Jump and < OpCode.VectorLoad;

    private bool TryEmit(int at)
    {
        while (at < _end)
        {
            int used = EmitPattern(at);
            if (used == 0)
                used = EmitOne(at);
            if (used == 0)
                return false;
            at += used;
        }
        return true;
    }

    /// <summary>Emits the micro-op at an index, with those behind it that it covers; returns how many, 0 for none.</summary>
    private int EmitOne(int at)
    {
        ref MicroOp op = ref _ops[at];
        if (!IsSymbolic(op))
            FlushLoads(at);
        return op.Code switch
        {
            OpCode.Nop => EmitNothing(op, at),
            >= OpCode.VectorLoad => EmitVector(at),
            >= OpCode.Jump => EmitControl(at),
            >= OpCode.Load => EmitMemory(at),
            >= OpCode.Multiply => EmitWide(at),
            >= OpCode.Add => EmitArithmetic(at),
            _ => EmitMove(at),
        };
    }

    /// <summary>A comparison whose flags nobody reads: its loads may still fault.</summary>
    private int EmitNothing(in MicroOp op, int at)
    {
        foreach (byte operand in (ReadOnlySpan<byte>)[op.A, op.B])
        {
            if (IsTemporary(operand) && _values[operand].Kind == Kind.Load)
                Materialize(operand, at);
        }
        return 1;
    }

    /// <summary>Only noted, not emitted: what later micro-ops fold into themselves.</summary>
    private static bool IsSymbolic(in MicroOp op) => op.Destination >= FirstTemporary && op.Destination != MicroOp.Discard
        && op.Code is OpCode.MoveImmediate or OpCode.AddressOf or OpCode.AddThreadBase or OpCode.Load or OpCode.LoadSigned or OpCode.Nop;

    // ---- the budget ------------------------------------------------------------------------------------------------

    /// <summary>A block that may be part of a loop looks at the budget: one that jumps back, or to a place that is not known.</summary>
    private static bool NeedsPoll(in MicroOp last, Block block) => last.Code switch
    {
        OpCode.Jump or OpCode.Branch or OpCode.BranchIfZero or OpCode.BranchIfNotZero => (ulong)last.Immediate < block.End,
        OpCode.JumpRegister => true,
        _ => false,
    };

    /// <summary>Takes instructions off the budget, in an instruction of fixed length.</summary>
    private void Charge(int instructions)
    {
        _asm.Byte(0x4D); // LEA R14, [R14 - n]
        _asm.Byte(0x8D);
        _asm.Byte(0xB6);
        _asm.Int32(-(instructions << RegisterMap.BudgetShift));
    }

    /// <summary>Corrects the charge of a block that ends early.</summary>
    private void Recharge(int at, int instructions)
    {
        int end = _asm.Offset;
        _asm.Offset = at;
        Charge(instructions);
        _asm.Offset = end;
    }

    // ---- flags -----------------------------------------------------------------------------------------------------

    /// <summary>The flags that something reads behind each micro-op; a possible fault or exit reads all.</summary>
    private static FlagMask[] FlagLiveness(MicroOp[] ops)
    {
        var live = new FlagMask[ops.Length];
        FlagMask now = FlagMask.All;
        for (int i = ops.Length - 1; i >= 0; i--)
        {
            live[i] = now;
            now = FlagUse.LiveBefore(ops[i], now);
        }
        return live;
    }

    private bool MustKeepFlags(int at) => _ops[at].Flags == FlagMask.None && _live[at] != FlagMask.None;

    /// <summary>Puts the flags aside; what follows may change them, but not the accumulator's slot.</summary>
    private void SaveFlags()
    {
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), HostRegister.Rax, 3);
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Operand.Of(HostRegister.Rax)); // SETO AL
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedFlags), HostRegister.Rax, 3);
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), 3);
    }

    private void RestoreFlags()
    {
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), HostRegister.Rax, 3);
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedFlags), 3);
        _asm.AluImmediate(0, Operand.Of(HostRegister.Rax), 0x7F, 0); // overflows again if AL was 1
        _asm.Byte(0x9E); // SAHF
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), 3);
    }
}
