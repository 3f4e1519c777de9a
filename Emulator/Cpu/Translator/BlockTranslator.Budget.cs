using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// The budget: a block pays once, for all its instructions; who leaves it earlier is paid back on the way (<see cref="EmitExits"/>). A
/// block that may be part of a loop looks at what is left: where an instruction changes all flags and cannot fault, by a subtraction and
/// a jump, in the look-up of a jump through a register, elsewhere by a probe.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int Nowhere = int.MaxValue;

    /// <summary>The condition S of a jump.</summary>
    private const int IfNegative = 8;

    /// <summary>How many instructions the block pays for, and how many it has paid for so far.</summary>
    private int _toPay;
    private int _paid;

    /// <summary>How many come before the present copy of an unrolled loop.</summary>
    private int _before;

    private int _chargeAt;

    private int _instruction;

    private bool _polls;

    /// <summary>The look-up of a jump through a register is the look (<see cref="Assembler.JumpThroughTable"/>).</summary>
    private bool _looksAtEnd;

    /// <summary>The instruction in front of which the block looks at the budget while it pays, or <see cref="Nowhere"/>.</summary>
    private int _pollAt;

    /// <summary>The displacement of the jump for a budget that is spent.</summary>
    private int _pollJumpAt;

    /// <summary>
    /// Who goes round in a circle must jump to where its block began or before that, or to a place that is not known: all other ways lead to
    /// higher addresses. Where the stack pointer moves is looked at too, which bounds its way without a check (<see cref="SettleStackPointer"/>).
    /// </summary>
    private void PlanPoll()
    {
        _polls = false;
        (_movesStack, _defersStack) = (false, false);
        foreach (ref MicroOp op in _ops.AsSpan(0, _opCount))
        {
            _polls |= op.Code is >= OpCode.Jump and <= OpCode.BranchIfBitSet && (ulong)op.Immediate <= _block.Pc;
            _movesStack |= op.Destination == _map.StackPointer && op.Code is OpCode.Add or OpCode.AddImmediate or OpCode.Subtract or OpCode.SubtractImmediate;
        }
        bool endsAnywhere = _opCount > 0 && _ops[_opCount - 1].Code == OpCode.JumpRegister;
        _pollAt = _polls || endsAnywhere || _movesStack ? FindPoll() : Nowhere;
        _looksAtEnd = endsAnywhere && !_polls && _pollAt == Nowhere;
        _polls |= endsAnywhere || _pollAt != Nowhere;
        _pollJumpAt = 0;
    }

    /// <summary>Whether the block has looked at the budget on the way to the present instruction, or does at once.</summary>
    private bool HasPolled => _polls && (_looksAtEnd ? _instruction + 1 == _block.InstructionCount : _pollAt == Nowhere || _pollJumpAt != 0);

    /// <summary>The first instruction that leaves no flag as it was and cannot fault.</summary>
    private int FindPoll()
    {
        for (int i = 0; i < _block.InstructionCount; i++)
        {
            int first = _block.Instructions[i].Op, end = i + 1 < _block.InstructionCount ? _block.Instructions[i + 1].Op : _opCount;
            FlagMask live = _block.Flags;
            for (int op = end - 1; op >= first; op--)
                live = FlagUse.LiveBefore(_ops[op], live, _block.Flags);
            if (live == FlagMask.None)
                return i;
        }
        return Nowhere;
    }

    /// <summary>Up to which instruction of the present copy is paid for.</summary>
    private int PaidTo => _paid - _before;

    /// <summary>At the head of the block: pays for all of it, unless a look at the budget further on does.</summary>
    private void BeginPayment(int copies)
    {
        (_paid, _toPay, _before, _chargeAt) = (0, copies * _block.InstructionCount, 0, Nowhere);
        if (_pollAt == Nowhere)
            Pay(looks: false);
    }

    private void Pay(bool looks)
    {
        _chargeAt = _asm.Offset;
        Charge(_toPay, looks);
        _paid = _toPay;
    }

    /// <summary>Pays for the block, and leaves when the budget was spent. The flags are free: the instruction that comes overwrites them.</summary>
    private void EmitPoll()
    {
        _pollStackMove = _stackMove;
        Pay(looks: true);
        _narrowAtPoll = _narrow;
        _asm.Byte(0x0F); // JS
        _asm.Byte(0x80 | IfNegative);
        _pollJumpAt = _asm.Offset;
        _asm.Int32(0);
    }

    /// <summary>The interpreter runs the one instruction that makes the flags again: the state is a precise one then.</summary>
    private void EmitPollExit(byte* code)
    {
        if (_pollJumpAt == 0)
            return;
        _asm.Land(code + _pollJumpAt);
        Charge(_pollAt - _paid);
        if (_pollStackMove != 0)
            AddToStack(_pollStackMove);
        Widen(_narrowAtPoll);
        CatchUp(_pollAt);
        Exchange();
        EmitExit(_block.Instructions[_pollAt].Pc, ExitKind.Interpret);
    }

    /// <summary>The block ends early, in front of an instruction: corrects its payment.</summary>
    private void EndPaymentAt(int instruction)
    {
        int done = _before + instruction;
        if (_chargeAt == Nowhere)
        {
            // It was to be paid for further on.
            if (done > 0)
                Charge(done);
            _paid = done;
            for (int i = _starts.Count - 1; i >= 0 && _starts[i].Instruction == instruction; i--)
                _starts[i] = _starts[i] with { Offset = _asm.Offset, PaidTo = instruction };
            return;
        }
        int end = _asm.Offset;
        bool looks = _pollJumpAt != 0;
        _asm.Offset = _chargeAt;
        Charge(done, looks);
        _asm.Offset = end;
        int less = _paid - done;
        _paid = done;
        for (int i = _starts.Count - 1; i >= 0 && _starts[i].Offset > _chargeAt; i--)
            _starts[i] = _starts[i] with { PaidTo = _starts[i].PaidTo - less };
    }

    /// <summary>Takes instructions off the budget, in an instruction of <see cref="ChargeLength"/>; with a look at what is left it sets the flags.</summary>
    private void Charge(int instructions, bool looks = false)
    {
        // SUB R14, n or LEA R14, [R14 - n]
        _asm.Byte(looks ? 0x49 : 0x4D);
        _asm.Byte(looks ? 0x81 : 0x8D);
        _asm.Byte(looks ? 0xEE : 0xB6);
        _asm.Int32((looks ? instructions : -instructions) << RegisterMap.BudgetShift);
    }

    public const int ChargeLength = 7;
}
