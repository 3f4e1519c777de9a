using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;
using Shape = Vivarium.Emulator.Cpu.X86.SseTables.Shape;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>
/// MMX: the 64-bit registers are read into vector temporaries, worked on there, and written back. Where an operation on 128 bits
/// does not do the right thing to the lower half by itself, the operands are put side by side in one vector first.
/// </summary>
internal static partial class SseLowering
{
    private static byte MmxNumber(Register register) => (byte)(register - Register.MM0);

    private static void ReadMmx(IX86Emitter emitter, byte into, Register register) =>
        emitter.Emit(new MicroOp { Code = OpCode.MmxRead, Destination = into, A = MmxNumber(register) });

    /// <summary>Reads without entering MMX state, for stores, which may fault; the read after the store enters it.</summary>
    private static byte PeekMmx(IX86Emitter emitter, byte into, Register register)
    {
        emitter.Emit(new MicroOp { Code = OpCode.MmxRead, Destination = into, A = MmxNumber(register), C = 1 });
        return into;
    }

    private static void WriteMmx(IX86Emitter emitter, Register register, byte from) =>
        emitter.Emit(new MicroOp { Code = OpCode.MmxWrite, Destination = MmxNumber(register), A = from });

    /// <summary>The vector of an XMM register, or a temporary holding an MMX register.</summary>
    private static byte VectorOrMmx(IX86Emitter emitter, Register register)
    {
        if (!register.IsMM())
            return Vector(register);
        ReadMmx(emitter, MmxSource, register);
        return MmxSource;
    }

    /// <summary>An instruction whose destination is an MMX register.</summary>
    private static bool TryLowerMmx(IX86Emitter emitter, in Instruction i)
    {
        var entry = SseTables.Find(i.Mnemonic);
        if (entry.Shape == Shape.None)
            return TryLowerMmxMove(emitter, i);
        if (IsShiftByImmediate(i))
        {
            ReadMmx(emitter, MmxDestination, i.Op0Register);
            var code = entry.Code + (OpCode.VectorShiftLeftBy - OpCode.VectorShiftLeft);
            EmitMmx(emitter, code, entry.Kind, MmxDestination, MmxDestination, i.Immediate8);
        }
        else
        {
            // The unpacks of lower halves read 32 bits of memory.
            var source = MmxOperand(emitter, i, entry.Code == OpCode.VectorInterleaveLow ? 2 : 3);
            ReadMmx(emitter, MmxDestination, i.Op0Register);
            LowerMmxOperation(emitter, entry, source, Immediate(i));
        }

        WriteMmx(emitter, i.Op0Register, MmxDestination);
        return true;
    }

    private static byte MmxOperand(IX86Emitter emitter, in Instruction i, int size)
    {
        if (i.Op1Kind != OpKind.Register)
            return Load(emitter, i, size, isAligned: false, MmxSource);
        return VectorOrMmx(emitter, i.Op1Register);
    }

    private static void EmitMmx(IX86Emitter emitter, OpCode code, LaneKind kind, byte a, byte b, long immediate = 0) => emitter.Emit(new MicroOp
    {
        Code = code, Size = (byte)kind, Destination = MmxDestination, A = a, B = b, Immediate = immediate,
    });

    private static void LowerMmxOperation(IX86Emitter emitter, SseTables.Entry entry, byte source, long immediate)
    {
        const byte Both = MmxDestination;
        switch (entry.Code)
        {
            case OpCode.VectorInterleaveHigh:
                EmitMmx(emitter, OpCode.VectorInterleaveLow, entry.Kind, MmxDestination, source);
                EmitMmx(emitter, OpCode.VectorShiftBytesRight, entry.Kind, MmxDestination, MmxDestination, 8);
                break;
            case OpCode.VectorPackSigned or OpCode.VectorPackUnsigned
                or (>= OpCode.VectorHorizontalAdd and <= OpCode.VectorHorizontalSubtractSaturate):
                EmitMmx(emitter, OpCode.VectorInterleaveLow, LaneKind.Int64, MmxDestination, source);
                EmitMmx(emitter, entry.Code, entry.Kind, Both, Both);
                break;
            case OpCode.VectorAlignRight:
                EmitMmx(emitter, OpCode.VectorInterleaveLow, LaneKind.Int64, source, MmxDestination);
                EmitMmx(emitter, OpCode.VectorShiftBytesRight, entry.Kind, Both, Both, immediate);
                break;
            case OpCode.VectorShuffleBytes:
                // Indices count modulo 8 here: two copies of the source make 8..15 mean 0..7.
                EmitMmx(emitter, OpCode.VectorInterleaveLow, LaneKind.Int64, MmxDestination, MmxDestination);
                EmitMmx(emitter, entry.Code, entry.Kind, Both, source);
                break;
            default:
                EmitMmx(emitter, entry.Code, entry.Kind, entry.Shape == Shape.Unary ? source : MmxDestination, source, immediate);
                break;
        }
    }

    private static bool TryLowerMmxMove(IX86Emitter emitter, in Instruction i)
    {
        var source = MmxSource;
        switch (i.Mnemonic)
        {
            case Mnemonic.Movd or Mnemonic.Movq when i.Op1Kind == OpKind.Register && i.Op1Register.IsGPR():
                FromInteger(emitter, MmxSource, emitter.IntegerRegister(i.Op1Register), i.Op1Register.IsGPR64() ? 3 : 2);
                break;
            case Mnemonic.Movd:
                source = MmxOperand(emitter, i, 2);
                break;
            case Mnemonic.Movq or Mnemonic.Movdq2q:
                source = MmxOperand(emitter, i, 3);
                break;
            case Mnemonic.Pinsrw:
                InsertMmx(emitter, i);
                source = MmxDestination;
                break;
            case Mnemonic.Cvtps2pi or Mnemonic.Cvttps2pi:
                source = ConvertToMmx(emitter, i, LaneKind.Float32, i.Mnemonic == Mnemonic.Cvttps2pi);
                break;
            case Mnemonic.Cvtpd2pi or Mnemonic.Cvttpd2pi:
                source = ConvertToMmx(emitter, i, LaneKind.Float64, i.Mnemonic == Mnemonic.Cvttpd2pi);
                break;
            default:
                return false;
        }

        WriteMmx(emitter, i.Op0Register, source);
        return true;
    }

    private static void InsertMmx(IX86Emitter emitter, in Instruction i)
    {
        byte integer;
        if (i.Op1Kind == OpKind.Register)
            integer = emitter.IntegerRegister(i.Op1Register);
        else
            integer = ToInteger(emitter, Load(emitter, i, 1, isAligned: false), 1);
        ReadMmx(emitter, MmxDestination, i.Op0Register);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.VectorInsertInteger, Size = 1, Destination = MmxDestination, A = MmxDestination, B = integer, C = (byte)(i.Immediate8 & 3),
        });
    }

    private static byte ConvertToMmx(IX86Emitter emitter, in Instruction i, LaneKind kind, bool truncates)
    {
        var source = Source(emitter, i, kind == LaneKind.Float64 ? 4 : 3);
        emitter.Emit(new MicroOp { Code = OpCode.X87Wait });
        emitter.Emit(new MicroOp
        {
            Code = OpCode.FloatToInteger32, Size = (byte)kind, Destination = MmxDestination, B = source, C = 2, Immediate = truncates ? 1 : 0,
        });
        return MmxDestination;
    }

    /// <summary>MMX instructions whose destination is something else.</summary>
    private static bool TryLowerMmxConversion(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Cvtpi2ps or Mnemonic.Cvtpi2pd:
                var integers = MmxOperand(emitter, i, 3);
                var target = Vector(i.Op0Register);
                var kind = i.Mnemonic == Mnemonic.Cvtpi2ps ? LaneKind.Float32 : LaneKind.Float64;
                emitter.Emit(new MicroOp { Code = OpCode.FloatFromInteger32, Size = (byte)kind, Destination = target, A = target, B = integers, C = 2 });
                return true;
            case Mnemonic.Movq2dq:
                ReadMmx(emitter, Vector(i.Op0Register), i.Op1Register);
                return true;
            case Mnemonic.Movntq:
                StoreMmx(emitter, i, 3);
                return true;
            case Mnemonic.Maskmovq:
                PeekMmx(emitter, MmxSource, i.Op1Register);
                PeekMmx(emitter, MmxDestination, i.Op2Register);
                StoreMasked(emitter, i, 3, MmxSource, MmxDestination);
                ReadMmx(emitter, MmxSource, i.Op1Register);
                return true;
            default:
                return false;
        }
    }

    private static void StoreMmx(IX86Emitter emitter, in Instruction i, int size)
    {
        Store(emitter, i, size, PeekMmx(emitter, MmxSource, i.Op1Register), isAligned: false);
        ReadMmx(emitter, MmxSource, i.Op1Register);
    }
}
