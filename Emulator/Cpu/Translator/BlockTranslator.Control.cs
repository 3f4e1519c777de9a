using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Ends of blocks: jumps to known places, which get linked, jumps through registers, exits.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private int EmitControl(int at)
    {
        MicroOp op = _ops[at];
        FlushStack();
        switch (op.Code)
        {
            case OpCode.Jump:
                SettleStackPointer();
                if (!IsLoop || at + 1 != _opCount)
                    ExitTo((ulong)op.Immediate);
                else if (_isLastCopy)
                    _asm.Jump(_head);
                return 1;
            case OpCode.Branch:
                SettleStackPointer();
                EmitBranch(op, at);
                return 1;
            case >= OpCode.BranchIfZero and <= OpCode.BranchIfBitSet:
                SettleStackPointer();
                EmitBranchOnCounter(op, at);
                return 1;
            case OpCode.JumpRegister:
                EmitJumpRegister(op, at);
                return 1;
            case OpCode.SystemCall:
                SettleStackPointer();
                Exchange();
                EmitExit(_block.End, ExitKind.SystemCall);
                return 1;
            default:
                return 0;
        }
    }

    /// <summary>Jcc: within a block a way out of it; at its end also a way on, or back.</summary>
    private void EmitBranch(in MicroOp op, int at)
    {
        bool isEnd = at + 1 == _opCount;
        if (!isEnd)
        {
            BranchTo(op.C, (ulong)op.Immediate);
            return;
        }
        if ((ulong)op.Immediate != _block.Pc)
        {
            BranchTo(op.C, (ulong)op.Immediate);
        }
        else if (_isLastCopy)
        {
            _asm.JumpIf(op.C, _head);
        }
        else
        {
            BranchTo(op.C ^ 1, _block.End);
            return;
        }
        ExitTo(_block.End);
    }

    private void ExitTo(ulong target)
    {
        Exchange();
        EmitLinkedJump();
        AddExit(target, isJump: true, isExchanged: true);
    }

    private void BranchTo(int condition, ulong target)
    {
        _asm.KeepInLine(offset: 2, sizeof(int));
        _asm.Byte(0x0F);
        _asm.Byte(0x80 | condition);
        _asm.Int32(0);
        AddExit(target, isJump: false, isExchanged: _exchanges.Count == 0 && _narrow == 0 && _flagsIn == 0 && _strides.Count == 0 && !_isInVector);
    }

    /// <summary>JMP to the next instruction, which can be sent elsewhere.</summary>
    private void EmitLinkedJump()
    {
        _asm.KeepInLine(offset: 0, Assembler.JumpLength);
        _asm.Byte(0xE9);
        _asm.Int32(0);
    }

    /// <summary>The jump that was just emitted leaves the block.</summary>
    private void AddExit(ulong target, bool isJump, bool isExchanged) =>
        _exits.Add(new PendingExit(_asm.Offset - sizeof(int), isJump, target, isExchanged, _before + _instruction + 1, _chargeAt != Nowhere, isJump ? 0 : _narrow, isJump ? (byte)0 : _flagsIn, !isJump && _isInVector));

    /// <summary>
    /// JRCXZ looks at the work register without touching the flags: it gets the register, or with PEXT the bit of it. Within a block a way out
    /// of it; at its end also a way on, or back.
    /// </summary>
    private void EmitBranchOnCounter(in MicroOp op, int at)
    {
        HostRegister value = Use(op.A, RegisterMap.Work, at);
        if (op.Code >= OpCode.BranchIfBitClear)
        {
            _asm.Move(RegisterMap.Spare, (long)(1ul << op.C));
            _asm.ExtractBits(RegisterMap.Work, value, Operand.Of(RegisterMap.Spare));
        }
        else if (op.Size == 2)
            _asm.Move32(RegisterMap.Work, value);
        else
            _asm.Move(RegisterMap.Work, value);
        bool ifZero = op.Code is OpCode.BranchIfZero or OpCode.BranchIfBitClear;
        ulong target = (ulong)op.Immediate;
        _asm.Byte(Assembler.JumpIfCounterIsZero);
        int displacementAt = _asm.Offset;
        _asm.Byte(0);
        if (!ifZero)
        {
            JumpOut(target);
            LandShort(displacementAt);
        }
        else if (at + 1 == _opCount)
        {
            ExitTo(_block.End);
            LandShort(displacementAt);
            JumpOut(target);
            return;
        }
        else
        {
            int on = JumpShort(-1);
            LandShort(displacementAt);
            JumpOut(target);
            LandShort(on);
        }
        if (at + 1 == _opCount)
            ExitTo(_block.End);
    }

    /// <summary>A jump to the beginning of the block, or out of it.</summary>
    private void JumpOut(ulong target)
    {
        if (target == _block.Pc)
            _asm.Jump(_head);
        else
            ExitTo(target);
    }

    private void EmitJumpRegister(in MicroOp op, int at)
    {
        if (IsTemporary(op.A) && _values[op.A].Kind == Kind.Load)
            Materialize(op.A, at);
        HostRegister target = Use(op.A, RegisterMap.Scratch, at);
        _asm.Move(RegisterMap.Scratch, target);
        SettleStackPointer();
        Exchange();
        _asm.JumpThroughTable(JumpTable.FirstPlace(_variant), _looksAtEnd);
    }

    // ---- exits -----------------------------------------------------------------------------------------------------

    private void EmitExit(ulong pc, ExitKind kind) => EmitExit(pc, (int)kind);

    private void EmitExit(ulong pc, int code)
    {
        _asm.Move(RegisterMap.Scratch, (long)pc);
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.Pc), RegisterMap.Scratch, 3);
        _asm.Move(RegisterMap.Scratch, (long)(uint)code);
        _asm.Jump(_gate.Exit);
    }

    /// <summary>
    /// Writes a stub for each jump out of the block; until it is linked the jump goes there. Its inner jump, to the next
    /// instruction at first, is where it can be sent to the jump table instead.
    /// </summary>
    private void EmitExits(byte* code, int firstLink)
    {
        for (int i = 0; i < _exits.Count; i++)
        {
            PendingExit exit = _exits[i];
            var link = new Link { DisplacementAt = exit.DisplacementAt, IsJump = exit.IsJump, Next = LinkTable.None, Previous = LinkTable.None };
            _asm.Land(code + exit.DisplacementAt);
            EmitWay(exit, code, ref link);
            link.StubAt = _asm.OffsetFrom(code);
            _asm.Move(RegisterMap.Scratch, (long)exit.Target);
            EmitLinkedJump();
            link.LeaveAt = _asm.OffsetFrom(code) - sizeof(int);
            _links[firstLink + i] = link;
            _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.Pc), RegisterMap.Scratch, 3);
            _asm.Move(RegisterMap.Scratch, (int)ExitKind.Link | ((firstLink + i) << 8));
            _asm.Jump(_gate.Exit);
        }
    }

    /// <summary>
    /// A jump comes here, in front of its stub, to be paid back what it did not run, or to extend or exchange registers, and goes on by a jump that can
    /// be linked. Where only the budget differs its target may see to that itself (<see cref="Translation.Refund"/>).
    /// </summary>
    private void EmitWay(in PendingExit exit, byte* code, ref Link link)
    {
        int refund = (exit.IsPaid ? _paid : 0) - exit.Done;
        if (refund == 0 && exit.IsExchanged)
            return;
        link.WayAt = _asm.OffsetFrom(code);
        if (refund != 0)
            Charge(-refund);
        if (exit.IsExchanged)
        {
            link.Refund = (sbyte)refund;
            EmitLinkedJump();
            return;
        }
        Widen(exit.Narrow);
        if (exit.FlagsIn != 0)
            StoreFlags(exit.FlagsIn);
        CatchUp(exit.Done - 1);
        if (exit.IsInVector)
            LoadRun();
        Exchange();
        EmitLinkedJump();
        (link.DisplacementAt, link.IsJump) = (_asm.OffsetFrom(code) - sizeof(int), true);
    }
}
