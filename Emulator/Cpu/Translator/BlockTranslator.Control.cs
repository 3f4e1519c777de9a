using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Ends of blocks: jumps to known places, which get linked, jumps through registers, exits.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private int EmitControl(int at)
    {
        MicroOp op = _ops[at];
        switch (op.Code)
        {
            case OpCode.Jump:
                SettleStackPointer();
                ExitTo((ulong)op.Immediate);
                return 1;
            case OpCode.Branch:
                SettleStackPointer();
                BranchTo(op.C, (ulong)op.Immediate);
                ExitTo(_block.End);
                return 1;
            case OpCode.BranchIfZero or OpCode.BranchIfNotZero:
                SettleStackPointer();
                EmitBranchOnCounter(op, at);
                return 1;
            case OpCode.JumpRegister:
                EmitJumpRegister(op, at);
                return 1;
            case OpCode.SystemCall:
                SettleStackPointer();
                EmitExit(_block.End, ExitKind.SystemCall);
                return 1;
            default:
                return 0;
        }
    }

    private void ExitTo(ulong target)
    {
        _asm.Byte(0xE9);
        AddExit(target);
    }

    private void BranchTo(int condition, ulong target)
    {
        _asm.Byte(0x0F);
        _asm.Byte(0x80 | condition);
        AddExit(target);
    }

    private void AddExit(ulong target)
    {
        _exits.Add(new PendingExit(_asm.Offset, target));
        _asm.Int32(0);
    }

    /// <summary>JRCXZ looks at a register without touching the flags.</summary>
    private void EmitBranchOnCounter(in MicroOp op, int at)
    {
        const byte jumpIfCounterIsZero = 0xE3;
        Operand saved = Operand.Memory(HostRegister.Rsp, Frame.SavedCounter);
        AcquireScratch(at);
        HostRegister value = Use(op.A, RegisterMap.Scratch, at);
        _asm.Store(saved, HostRegister.Rcx, 3);
        _asm.Move(HostRegister.Rcx, value);
        _asm.Byte(jumpIfCounterIsZero);
        int displacementAt = _asm.Offset;
        _asm.Byte(0);
        _asm.Load(HostRegister.Rcx, saved, 3);
        ExitTo(op.Code == OpCode.BranchIfZero ? _block.End : (ulong)op.Immediate);
        int here = _asm.Offset;
        _asm.Offset = displacementAt;
        _asm.Byte(here - displacementAt - 1);
        _asm.Offset = here;
        _asm.Load(HostRegister.Rcx, saved, 3);
        ExitTo(op.Code == OpCode.BranchIfZero ? (ulong)op.Immediate : _block.End);
    }

    private void EmitJumpRegister(in MicroOp op, int at)
    {
        if (IsTemporary(op.A) && _values[op.A].Kind == Kind.Load)
            Materialize(op.A, at);
        HostRegister target = Use(op.A, RegisterMap.Scratch, at);
        _asm.Move(RegisterMap.Scratch, target);
        SettleStackPointer();
        _asm.JumpThroughTable(_gate.Miss);
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
    private Link[] EmitExits()
    {
        var links = new Link[_exits.Count];
        for (int i = 0; i < links.Length; i++)
        {
            PendingExit exit = _exits[i];
            _asm.Land(exit.DisplacementAt);
            int stub = _asm.Offset;
            _asm.Move(RegisterMap.Scratch, (long)exit.Target);
            _asm.Byte(0xE9);
            int leave = _asm.Offset;
            _asm.Int32(0);
            links[i] = new Link(exit.Target, exit.DisplacementAt, stub, leave);
            _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.Pc), RegisterMap.Scratch, 3);
            _asm.Move(RegisterMap.Scratch, (int)ExitKind.Link | (_links.Add(links[i]) << 8));
            _asm.Jump(_gate.Exit);
        }
        return links;
    }
}
