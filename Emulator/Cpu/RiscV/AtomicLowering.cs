using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>The A extension (unprivileged ISA manual, chapter 14). Addresses must be aligned; ordering bits ask for no more than there is.</summary>
internal static class AtomicLowering
{
    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        if (opcode is < RiscVOpcode.Lr_W or > RiscVOpcode.Amomaxu_D)
            return false;
        bool isDouble = ((opcode - RiscVOpcode.Lr_W) & 1) != 0;
        int size = isDouble ? 3 : 2;
        byte address = emitter.Read(word.Rs1);
        emitter.Emit(OpCode.CheckAlignment, size, 0, address, c: (byte)ExitReason.Misaligned);
        switch (isDouble ? opcode - 1 : opcode)
        {
            case RiscVOpcode.Lr_W:
                Reserve(emitter, word, size, address);
                break;
            case RiscVOpcode.Sc_W:
                byte failed = emitter.Temporary();
                emitter.Emit(OpCode.StoreReserved, size, failed, address, emitter.Read(word.Rs2), c: RiscVState.Reservation);
                emitter.Move(word.Rd, failed);
                break;
            case RiscVOpcode operation:
                Modify(emitter, operation, word, size, address);
                break;
        }
        return true;
    }

    private static void Reserve(RiscVEmitter emitter, RiscVWord word, int size, byte address)
    {
        const byte value = RiscVState.Reservation + 1;
        byte loaded = emitter.Temporary();
        emitter.Emit(OpCode.Load, size, loaded, address);
        emitter.Emit(OpCode.Move, 3, value, loaded);
        emitter.Emit(OpCode.Move, 3, RiscVState.Reservation, address);
        Write(emitter, word.Rd, value, size);
    }

    private static void Write(RiscVEmitter emitter, byte rd, byte value, int size)
    {
        if (size == 3)
            emitter.Move(rd, value);
        else if (rd != 0)
            emitter.Emit(OpCode.SignExtend, 2, rd, value);
    }

    private static void Modify(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word, int size, byte address)
    {
        byte old = emitter.Temporary(), operand = emitter.Read(word.Rs2), result = operand;
        emitter.Emit(OpCode.Load, size, old, address);
        if (opcode != RiscVOpcode.Amoswap_W)
        {
            result = emitter.Temporary();
            Compute(emitter, opcode, size, result, old, operand);
        }
        emitter.Emit(OpCode.StoreIfUnchanged, size, 0, address, result, c: old);
        Write(emitter, word.Rd, old, size);
    }

    private static void Compute(RiscVEmitter emitter, RiscVOpcode opcode, int size, byte result, byte old, byte operand)
    {
        Condition? keeps = opcode switch
        {
            RiscVOpcode.Amomin_W => Condition.Less,
            RiscVOpcode.Amomax_W => Condition.Greater,
            RiscVOpcode.Amominu_W => Condition.Below,
            RiscVOpcode.Amomaxu_W => Condition.Above,
            _ => null,
        };
        if (keeps is { } condition)
        {
            emitter.Emit(new MicroOp { Code = OpCode.Subtract, Size = (byte)size, Destination = MicroOp.Discard, A = old, B = operand, Flags = FlagMask.All });
            emitter.Emit(OpCode.Select, 3, result, old, operand, c: (byte)condition);
            return;
        }
        emitter.Emit(opcode switch
        {
            RiscVOpcode.Amoadd_W => OpCode.Add,
            RiscVOpcode.Amoxor_W => OpCode.Xor,
            RiscVOpcode.Amoand_W => OpCode.And,
            _ => OpCode.Or,
        }, size, result, old, operand);
    }
}
