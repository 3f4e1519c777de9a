using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Moves between vectors, memory and integer registers, whole and in parts.</summary>
internal static partial class SseLowering
{
    private static bool TryLowerMove(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Movaps or Mnemonic.Movapd or Mnemonic.Movdqa or Mnemonic.Movntps or Mnemonic.Movntpd or Mnemonic.Movntdq or Mnemonic.Movntdqa:
                MoveWhole(emitter, i, isAligned: true);
                return true;
            case Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu:
                MoveWhole(emitter, i, isAligned: false);
                return true;
            case Mnemonic.Movss:
                MoveScalar(emitter, i, 2);
                return true;
            case Mnemonic.Movsd:
                MoveScalar(emitter, i, 3);
                return true;
            case Mnemonic.Movd:
                MoveInteger(emitter, i, 2);
                return true;
            case Mnemonic.Movq:
                MoveInteger(emitter, i, 3);
                return true;
            case Mnemonic.Movlps or Mnemonic.Movlpd:
                MoveHalf(emitter, i, 0);
                return true;
            case Mnemonic.Movhps or Mnemonic.Movhpd:
                MoveHalf(emitter, i, 1);
                return true;
            case Mnemonic.Movhlps:
                InsertLane(emitter, Vector(i.Op0Register), 0, Vector(i.Op1Register), 1);
                return true;
            case Mnemonic.Movlhps:
                InsertLane(emitter, Vector(i.Op0Register), 1, Vector(i.Op1Register), 0);
                return true;
            case Mnemonic.Movddup:
                Duplicate(emitter, i, 3, LaneKind.Float64, 0);
                return true;
            case Mnemonic.Movsldup:
                Duplicate(emitter, i, 4, LaneKind.Float32, 0);
                return true;
            case Mnemonic.Movshdup:
                Duplicate(emitter, i, 4, LaneKind.Float32, 1);
                return true;
            case Mnemonic.Movmskps:
                MoveMask(emitter, i, LaneKind.Float32);
                return true;
            case Mnemonic.Movmskpd:
                MoveMask(emitter, i, LaneKind.Float64);
                return true;
            case Mnemonic.Pmovmskb:
                MoveMask(emitter, i, LaneKind.Int8);
                return true;
            default:
                return TryLowerElement(emitter, i) || TryLowerExtension(emitter, i);
        }
    }

    private static void Move(IX86Emitter emitter, byte destination, byte source) =>
        emitter.Emit(new MicroOp { Code = OpCode.VectorMove, Destination = destination, A = source });

    private static void MoveWhole(IX86Emitter emitter, in Instruction i, bool isAligned)
    {
        if (i.Op0Kind != OpKind.Register)
            Store(emitter, i, 4, Vector(i.Op1Register), isAligned);
        else if (i.Op1Kind == OpKind.Register)
            Move(emitter, Vector(i.Op0Register), Vector(i.Op1Register));
        else
            Load(emitter, i, 4, isAligned, Vector(i.Op0Register));
    }

    /// <summary>MOVSS, MOVSD: from memory the rest is cleared, from a register kept.</summary>
    private static void MoveScalar(IX86Emitter emitter, in Instruction i, int size)
    {
        if (i.Op0Kind != OpKind.Register)
            Store(emitter, i, size, Vector(i.Op1Register), isAligned: false);
        else if (i.Op1Kind == OpKind.Register)
            InsertLane(emitter, Vector(i.Op0Register), 0, Vector(i.Op1Register), 0, size);
        else
            Load(emitter, i, size, isAligned: false, Vector(i.Op0Register));
    }

    private static void InsertLane(IX86Emitter emitter, byte into, int lane, byte from, int fromLane, int size = 3) => emitter.Emit(new MicroOp
    {
        Code = OpCode.VectorInsertLane,
        Size = (byte)size,
        Destination = into,
        A = into,
        B = from,
        C = (byte)lane,
        Immediate = fromLane,
    });

    /// <summary>MOVD, MOVQ between a vector and an integer register, memory or (MOVQ) another vector, whose rest is cleared.</summary>
    private static void MoveInteger(IX86Emitter emitter, in Instruction i, int size)
    {
        if (i.Op0Kind != OpKind.Register && i.Op1Register.IsMM())
        {
            StoreMmx(emitter, i, size);
        }
        else if (i.Op0Kind != OpKind.Register)
        {
            Store(emitter, i, size, Vector(i.Op1Register), isAligned: false);
        }
        else if (i.Op0Register.IsGPR())
        {
            var source = VectorOrMmx(emitter, i.Op1Register);
            emitter.Emit(new MicroOp { Code = OpCode.VectorToInteger, Size = (byte)size, Destination = emitter.IntegerRegister(i.Op0Register), A = source });
        }
        else if (i.Op1Kind != OpKind.Register)
        {
            Load(emitter, i, size, isAligned: false, Vector(i.Op0Register));
        }
        else if (i.Op1Register.IsGPR())
        {
            FromInteger(emitter, Vector(i.Op0Register), emitter.IntegerRegister(i.Op1Register), size);
        }
        else
        {
            emitter.Emit(new MicroOp { Code = OpCode.VectorZero, Destination = Temporary });
            InsertLane(emitter, Temporary, 0, Vector(i.Op1Register), 0);
            Move(emitter, Vector(i.Op0Register), Temporary);
        }
    }

    private static void FromInteger(IX86Emitter emitter, byte vector, byte integer, int size) =>
        emitter.Emit(new MicroOp { Code = OpCode.VectorFromInteger, Size = (byte)size, Destination = vector, A = integer });

    private static void MoveHalf(IX86Emitter emitter, in Instruction i, byte lane)
    {
        var (register, displacement) = emitter.Address(i);
        var isLoad = i.Op0Kind == OpKind.Register;
        var vector = Vector(isLoad ? i.Op0Register : i.Op1Register);
        emitter.Emit(new MicroOp
        {
            Code = isLoad ? OpCode.VectorLoadLane : OpCode.VectorStoreLane,
            Size = 3,
            Destination = vector,
            A = register,
            B = vector,
            C = lane,
            Immediate = displacement,
        });
    }

    private static void Duplicate(IX86Emitter emitter, in Instruction i, int size, LaneKind kind, int odd)
    {
        var source = Source(emitter, i, size);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.VectorDuplicate, Size = (byte)kind, Destination = Vector(i.Op0Register), A = source, Immediate = odd,
        });
    }

    private static void MoveMask(IX86Emitter emitter, in Instruction i, LaneKind kind)
    {
        var source = VectorOrMmx(emitter, i.Op1Register);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.VectorMoveMask, Size = (byte)kind, Destination = emitter.IntegerRegister(i.Op0Register), A = source,
        });
    }

    private static bool TryLowerElement(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Pinsrb:
                Insert(emitter, i, 0);
                return true;
            case Mnemonic.Pinsrw:
                Insert(emitter, i, 1);
                return true;
            case Mnemonic.Pinsrd:
                Insert(emitter, i, 2);
                return true;
            case Mnemonic.Pinsrq:
                Insert(emitter, i, 3);
                return true;
            case Mnemonic.Pextrb:
                Extract(emitter, i, 0);
                return true;
            case Mnemonic.Pextrw:
                Extract(emitter, i, 1);
                return true;
            case Mnemonic.Pextrd or Mnemonic.Extractps:
                Extract(emitter, i, 2);
                return true;
            case Mnemonic.Pextrq:
                Extract(emitter, i, 3);
                return true;
            case Mnemonic.Insertps:
                InsertSingle(emitter, i);
                return true;
            default:
                return false;
        }
    }

    private static void Insert(IX86Emitter emitter, in Instruction i, int size)
    {
        var vector = Vector(i.Op0Register);
        var lane = (byte)(i.Immediate8 & ((16 >> size) - 1));
        if (i.Op1Kind == OpKind.Register)
        {
            emitter.Emit(new MicroOp
            {
                Code = OpCode.VectorInsertInteger,
                Size = (byte)size,
                Destination = vector,
                A = vector,
                B = emitter.IntegerRegister(i.Op1Register),
                C = lane,
            });
            return;
        }

        var (register, displacement) = emitter.Address(i);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.VectorLoadLane, Size = (byte)size, Destination = vector, A = register, B = vector, C = lane, Immediate = displacement,
        });
    }

    private static void Extract(IX86Emitter emitter, in Instruction i, int size)
    {
        var isMmx = i.Op1Register.IsMM();
        var vector = VectorOrMmx(emitter, i.Op1Register);
        var lane = (byte)(i.Immediate8 & ((isMmx ? 8 : 16) / (1 << size) - 1));
        if (i.Op0Kind == OpKind.Register)
        {
            emitter.Emit(new MicroOp
            {
                Code = OpCode.VectorToInteger, Size = (byte)size, Destination = emitter.IntegerRegister(i.Op0Register), A = vector, C = lane,
            });
            return;
        }

        var (register, displacement) = emitter.Address(i);
        emitter.Emit(new MicroOp { Code = OpCode.VectorStoreLane, Size = (byte)size, A = register, B = vector, C = lane, Immediate = displacement });
    }

    /// <summary>INSERTPS: one lane replaced, then those of the low immediate bits cleared.</summary>
    private static void InsertSingle(IX86Emitter emitter, in Instruction i)
    {
        var source = Source(emitter, i, 2);
        var fromLane = i.Op1Kind == OpKind.Register ? i.Immediate8 >> 6 : 0;
        var destination = Vector(i.Op0Register);
        InsertLane(emitter, destination, i.Immediate8 >> 4 & 3, source, fromLane, 2);
        if ((i.Immediate8 & 15) == 0)
            return;
        emitter.Emit(new MicroOp { Code = OpCode.VectorZero, Destination = Zero });
        emitter.Emit(new MicroOp
        {
            Code = OpCode.VectorBlend, Size = (byte)LaneKind.Float32, Destination = destination, A = destination, B = Zero, Immediate = i.Immediate8 & 15,
        });
    }

    private static bool TryLowerExtension(IX86Emitter emitter, in Instruction i)
    {
        var (signed, from, to) = i.Mnemonic switch
        {
            Mnemonic.Pmovsxbw => (true, 0, 1),
            Mnemonic.Pmovsxbd => (true, 0, 2),
            Mnemonic.Pmovsxbq => (true, 0, 3),
            Mnemonic.Pmovsxwd => (true, 1, 2),
            Mnemonic.Pmovsxwq => (true, 1, 3),
            Mnemonic.Pmovsxdq => (true, 2, 3),
            Mnemonic.Pmovzxbw => (false, 0, 1),
            Mnemonic.Pmovzxbd => (false, 0, 2),
            Mnemonic.Pmovzxbq => (false, 0, 3),
            Mnemonic.Pmovzxwd => (false, 1, 2),
            Mnemonic.Pmovzxwq => (false, 1, 3),
            Mnemonic.Pmovzxdq => (false, 2, 3),
            _ => (false, 0, 0),
        };
        if (to == 0)
            return false;
        // The source is as many narrow lanes as 16 bytes of wide ones hold.
        var source = Source(emitter, i, 4 - (to - from));
        emitter.Emit(new MicroOp
        {
            Code = signed ? OpCode.VectorSignExtend : OpCode.VectorZeroExtend,
            Size = (byte)from,
            Destination = Vector(i.Op0Register),
            A = source,
            C = (byte)to,
        });
        return true;
    }
}
