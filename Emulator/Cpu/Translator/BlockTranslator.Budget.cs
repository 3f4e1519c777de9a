using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// The budget: a block pays for its instructions in segments, runs of them without a way out but faults, each at its start. A block
/// that may be part of a loop looks at what is left: where an instruction changes all flags and cannot fault, by a subtraction and a
/// jump, elsewhere by a probe.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int Nowhere = int.MaxValue;

    /// <summary>The condition S of a jump.</summary>
    private const int IfNegative = 8;

    private int _segmentStart;
    private int _segmentEnd;
    private int _chargeAt;

    /// <summary>The payment is also a look at the budget: an instruction that sets the flags.</summary>
    private bool _chargeLooks;

    /// <summary>Up to which instruction is paid for.</summary>
    private int _paidTo;

    private int _instruction;

    private bool _polls;

    /// <summary>The instruction in front of which the block looks at the budget while it pays, or <see cref="Nowhere"/>.</summary>
    private int _pollAt;

    /// <summary>The displacement of the jump for a budget that is spent, and up to where was paid then.</summary>
    private int _pollJumpAt;
    private int _pollPaidTo;

    /// <summary>
    /// Who goes round in a circle must jump to where its block began or before that, or to a place that is not known: all other ways lead to
    /// higher addresses. Where the stack pointer moves is looked at too, which bounds its way without a check (<see cref="SettleStackPointer"/>).
    /// </summary>
    private void PlanPoll()
    {
        _polls = false;
        bool movesStack = false;
        foreach (ref MicroOp op in _ops.AsSpan(0, _opCount))
        {
            _polls |= op.Code == OpCode.JumpRegister || (op.Code is >= OpCode.Jump and <= OpCode.BranchIfBitSet && (ulong)op.Immediate <= _block.Pc);
            movesStack |= op.Destination == _map.StackPointer && op.Code is OpCode.Add or OpCode.AddImmediate or OpCode.Subtract or OpCode.SubtractImmediate;
        }
        _pollAt = _polls || movesStack ? FindPoll() : Nowhere;
        _polls |= _pollAt != Nowhere;
        _pollJumpAt = 0;
    }

    /// <summary>Whether the block has looked at the budget on the way to the present instruction.</summary>
    private bool HasPolled => _polls && (_pollAt == Nowhere || _pollJumpAt != 0);

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

    private void BeginSegment(int first)
    {
        InstructionStart[] instructions = _block.Instructions;
        int end = first;
        while (end < _block.InstructionCount)
        {
            int nextOp = ++end < _block.InstructionCount ? instructions[end].Op : _opCount;
            if (nextOp > 0 && _ops[nextOp - 1].Code is >= OpCode.Branch and <= OpCode.BranchIfBitSet)
                break;
        }
        (_segmentStart, _segmentEnd, _chargeAt, _paidTo) = (first, end, _asm.Offset, first);
        _chargeLooks = false;
        if (_pollAt >= first && _pollAt < end)
            return;
        Charge(end - first);
        _paidTo = end;
    }

    /// <summary>Pays for the segment, and leaves when the budget was spent. The flags are free: the instruction that comes overwrites them.</summary>
    private void EmitPoll()
    {
        // Once in an unrolled loop.
        _chargeLooks = _pollJumpAt == 0;
        _chargeAt = _asm.Offset;
        Charge(_segmentEnd - _segmentStart);
        _paidTo = _segmentEnd;
        if (!_chargeLooks)
            return;
        _asm.Byte(0x0F); // JS
        _asm.Byte(0x80 | IfNegative);
        _pollJumpAt = _asm.Offset;
        _asm.Int32(0);
        _pollPaidTo = _segmentEnd;
    }

    /// <summary>The interpreter runs the one instruction that makes the flags again: the state is a precise one then.</summary>
    private void EmitPollExit(byte* code)
    {
        if (_pollJumpAt == 0)
            return;
        _asm.Land(code + _pollJumpAt);
        _chargeLooks = false;
        Charge(_pollAt - _pollPaidTo);
        Exchange();
        EmitExit(_block.Instructions[_pollAt].Pc, ExitKind.Interpret);
    }

    /// <summary>Corrects the payment for a segment that ends early.</summary>
    private void EndSegmentAt(int instruction)
    {
        if (_paidTo == _segmentStart)
        {
            // It was to be paid for further on.
            if (instruction > _segmentStart)
                Charge(instruction - _segmentStart);
            for (int i = _starts.Count - 1; i >= 0 && _starts[i].Instruction == instruction; i--)
                _starts[i] = _starts[i] with { Offset = _asm.Offset, PaidTo = instruction };
            return;
        }
        int end = _asm.Offset;
        _asm.Offset = _chargeAt;
        Charge(instruction - _segmentStart);
        _asm.Offset = end;
        if (_pollPaidTo == _segmentEnd)
            _pollPaidTo = instruction;
        for (int i = _starts.Count - 1; i >= 0 && _starts[i].PaidTo == _segmentEnd && _starts[i].Instruction >= _segmentStart; i--)
            _starts[i] = _starts[i] with { PaidTo = instruction };
    }

    /// <summary>Takes instructions off the budget, in an instruction of fixed length.</summary>
    private void Charge(int instructions)
    {
        // SUB R14, n or LEA R14, [R14 - n]
        _asm.Byte(_chargeLooks ? 0x49 : 0x4D);
        _asm.Byte(_chargeLooks ? 0x81 : 0x8D);
        _asm.Byte(_chargeLooks ? 0xEE : 0xB6);
        _asm.Int32((_chargeLooks ? instructions : -instructions) << RegisterMap.BudgetShift);
    }
}
