using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Loops that end when a register, to which each round adds a constant, equals a constant or another register, which stays: a look ahead tells whether that
/// comes before the rounds of the unrolled loop are over. If it does not, they run without comparisons in between, and the register moves once for all of
/// them, like other pointers (<see cref="PlanStrides"/>). Otherwise the rounds with comparisons run.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The rounds without comparisons are emitted.</summary>
    private bool _isCounted;

    private bool _hasCounter;

    /// <summary>The register that tells how many rounds are to come.</summary>
    private Stride _lookAhead;

    /// <summary>Where the code behind the look ahead begins.</summary>
    private nint _behindLookAhead;

    /// <summary>Rounds for which a look ahead pays.</summary>
    private const int FewestCounted = 3;

    /// <summary>The displacement of the jump to the rounds without comparisons, or 0.</summary>
    private int _countedJumpAt;

    private int LastInstruction => _block.InstructionCount - 1;

    private void PlanCounter(int copies)
    {
        (_isCounted, _hasCounter, _countedJumpAt) = (false, false, 0);
        if (copies < FewestCounted || FindCounter(copies) is not { } counter || !IsOnlyAddress(counter.Register, counter.Instruction, LastInstruction))
            return;
        (_hasCounter, _lookAhead) = (true, counter);
        _strides.Add(counter);
    }

    /// <summary>The register that ends a loop which computes, loads and stores only, if it is for one of constant steps to come to a certain value.</summary>
    private Stride? FindCounter(int rounds)
    {
        if (!_extendsLater || !IsLoop || _pollAt is not (0 or Nowhere) || OpsOf(LastInstruction) is not
            [{ Size: 3, Destination: MicroOp.Discard, Code: OpCode.Subtract or OpCode.SubtractImmediate } comparison, { Code: OpCode.Branch, C: ConditionNotEqual }])
            return null;
        for (int i = 0; i < LastInstruction; i++)
        {
            foreach (ref readonly MicroOp op in OpsOf(i))
            {
                if ((!BlockSimplifier.IsPure(op) && op.Code is not (OpCode.Load or OpCode.LoadSigned or OpCode.Store)) || IsStackMove(op))
                    return null;
            }
        }
        bool isConstant = comparison.Code == OpCode.SubtractImmediate;
        return CounterOf(comparison.A, isConstant ? NoRegister : comparison.B, rounds) ?? (isConstant ? null : CounterOf(comparison.B, comparison.A, rounds));
    }

    private Stride? CounterOf(byte counter, byte goal, int rounds)
    {
        int at = Nowhere;
        for (int i = 0; i < LastInstruction; i++)
        {
            ReadOnlySpan<MicroOp> ops = OpsOf(i);
            if (ops is [{ Code: OpCode.AddImmediate, Size: 3 } add] && add.Destination == counter && add.A == counter && add.Immediate != 0
                && Math.Abs(add.Immediate) * rounds < StructureReach && at == Nowhere)
            {
                at = i;
                continue;
            }
            foreach (ref readonly MicroOp op in ops)
            {
                if (op.Code != OpCode.Store && (op.Destination == counter || (goal != NoRegister && op.Destination == goal)))
                    return null;
            }
        }
        if (at == Nowhere || goal == counter || (goal != NoRegister && goal >= Registers) || !MayBeNarrow(counter))
            return null;
        return new Stride(counter, (byte)at, (int)OpsOf(at)[0].Immediate, IsCounter: true);
    }

    /// <summary>RISC-V's.</summary>
    private const int Registers = 32;

    /// <summary>Behind the look at the budget: jumps to the rounds without comparisons if the way to the goal is longer than all but one of them.</summary>
    private void LookAhead()
    {
        Stride counter = _lookAhead;
        MicroOp comparison = OpsOf(LastInstruction)[0];
        bool isConstant = comparison.Code == OpCode.SubtractImmediate;
        byte goal = comparison.A == counter.Register ? comparison.B : comparison.A;
        if (counter.By < 0)
            _asm.Move(RegisterMap.Work, Use(counter.Register, RegisterMap.Work, 0));
        else if (isConstant)
            _asm.Move(RegisterMap.Work, comparison.Immediate);
        else
            _asm.Move(RegisterMap.Work, Use(goal, RegisterMap.Work, 0));
        if (counter.By > 0)
            _asm.Alu(0x2A, (int)RegisterMap.Work, Place(counter.Register), 3); // SUB
        else if (isConstant)
            _asm.AluImmediate(GroupSubtract, Operand.Of(RegisterMap.Work), (int)comparison.Immediate, 3);
        else
            _asm.Alu(0x2A, (int)RegisterMap.Work, Place(goal), 3);
        if (!_hasRounds)
            _countedJumpAt = JumpIfMore(_copies - 1);
        else
        {
            foreach (byte rounds in RoundsTogether)
            {
                if (rounds >= _copies)
                    _togetherJumps.Add((rounds, JumpIfMore(rounds - 1)));
            }
        }
        _behindLookAhead = _asm.RunAddress;
    }

    /// <summary>The work register has how far the counter is from its goal.</summary>
    private int JumpIfMore(int rounds)
    {
        _asm.AluImmediate(GroupCompare, Operand.Of(RegisterMap.Work), rounds * Math.Abs(_lookAhead.By), 3);
        return JumpAside(ConditionAbove);
    }

    /// <summary>A look ahead's jump comes here: what is known is what was when the block began.</summary>
    private void LandAhead(int jumpAt)
    {
        _asm.Land(jumpAt);
        ForgetChecks();
        (_narrow, _words, _nextNarrow, _zeroAbove32, _zeroAbove64, _boxed) = (0, 0, 0, 0, 0, 0);
    }

    /// <summary>Whether an instruction is the comparison at the end of a round that needs none.</summary>
    private bool IsLeftOut(int instruction) => _isCounted && !_isLastCopy && instruction == LastInstruction;
}
