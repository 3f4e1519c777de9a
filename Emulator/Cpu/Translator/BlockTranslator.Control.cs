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

    /// <summary>
    /// Looks the target up in the jump table: an entry is the negated address and its host code, so that a sum tells a hit
    /// without touching the flags.
    /// </summary>
    private void EmitJumpRegister(in MicroOp op, int at)
    {
        if (IsTemporary(op.A) && _values[op.A].Kind == Kind.Load)
            Materialize(op.A, at);
        HostRegister target = Use(op.A, RegisterMap.Scratch, at);
        _asm.Move(RegisterMap.Scratch, target);
        SettleStackPointer();
        const byte jumpIfCounterIsZero = 0xE3;
        Operand saved = Operand.Memory(HostRegister.Rsp, Frame.SavedCounter);
        _asm.Store(saved, HostRegister.Rcx, 3);
        _asm.ExtractBits(RegisterMap.Work, RegisterMap.Scratch, Operand.Memory(HostRegister.Rsp, Frame.JumpMask));
        _asm.Load(HostRegister.Rcx, Operand.Memory(HostRegister.Rsp, Frame.JumpTable), 3);
        _asm.AddressOf(RegisterMap.Work, Operand.Sum(RegisterMap.Work, RegisterMap.Work, 0, 0));
        _asm.AddressOf(RegisterMap.Work, Operand.Sum(HostRegister.Rcx, RegisterMap.Work, 3, 0));
        _asm.Load(HostRegister.Rcx, Operand.Memory(RegisterMap.Work, 0), 3);
        _asm.AddressOf(HostRegister.Rcx, Operand.Sum(HostRegister.Rcx, RegisterMap.Scratch, 0, 0));
        _asm.Byte(jumpIfCounterIsZero);
        _asm.Byte(5);
        _asm.Jump(_gate.Miss);
        _asm.Load(HostRegister.Rcx, saved, 3);
        _asm.Jump(Operand.Memory(RegisterMap.Work, 8));
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

    /// <summary>Writes a stub for each jump out of the block; until it is linked the jump goes there.</summary>
    private Link[] EmitExits()
    {
        var links = new Link[_exits.Count];
        for (int i = 0; i < links.Length; i++)
        {
            PendingExit exit = _exits[i];
            _asm.Land(exit.DisplacementAt);
            var link = new Link(exit.Target, exit.DisplacementAt, _asm.Offset);
            links[i] = link;
            EmitExit(exit.Target, ((int)ExitKind.Link) | (LinkTable.Add(link) << 8));
        }
        return links;
    }
}
