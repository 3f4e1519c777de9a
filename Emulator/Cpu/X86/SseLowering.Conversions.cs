using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Conversions, comparisons into flags, control, and the rest without regularity.</summary>
internal static partial class SseLowering
{
    private static bool TryLowerConversion(IX86Emitter emitter, in Instruction i)
    {
        const long Truncating = 1;
        switch (i.Mnemonic)
        {
            case Mnemonic.Cvtps2pd:
                return Convert(emitter, i, OpCode.FloatConvert, LaneKind.Float32, 3, 0);
            case Mnemonic.Cvtpd2ps:
                return Convert(emitter, i, OpCode.FloatConvert, LaneKind.Float64, 4, 0);
            case Mnemonic.Cvtss2sd:
                return Convert(emitter, i, OpCode.FloatConvert, LaneKind.Float32, 2, 1);
            case Mnemonic.Cvtsd2ss:
                return Convert(emitter, i, OpCode.FloatConvert, LaneKind.Float64, 3, 1);
            case Mnemonic.Cvtdq2ps:
                return Convert(emitter, i, OpCode.FloatFromInteger32, LaneKind.Float32, 4, 0);
            case Mnemonic.Cvtdq2pd:
                return Convert(emitter, i, OpCode.FloatFromInteger32, LaneKind.Float64, 3, 0);
            case Mnemonic.Cvtps2dq:
                return Convert(emitter, i, OpCode.FloatToInteger32, LaneKind.Float32, 4, 0);
            case Mnemonic.Cvttps2dq:
                return Convert(emitter, i, OpCode.FloatToInteger32, LaneKind.Float32, 4, 0, Truncating);
            case Mnemonic.Cvtpd2dq:
                return Convert(emitter, i, OpCode.FloatToInteger32, LaneKind.Float64, 4, 0);
            case Mnemonic.Cvttpd2dq:
                return Convert(emitter, i, OpCode.FloatToInteger32, LaneKind.Float64, 4, 0, Truncating);
            case Mnemonic.Cvtsi2ss:
                return FromIntegerRegister(emitter, i, LaneKind.Float32);
            case Mnemonic.Cvtsi2sd:
                return FromIntegerRegister(emitter, i, LaneKind.Float64);
            case Mnemonic.Cvtss2si:
                return ToIntegerRegister(emitter, i, LaneKind.Float32, 0);
            case Mnemonic.Cvttss2si:
                return ToIntegerRegister(emitter, i, LaneKind.Float32, Truncating);
            case Mnemonic.Cvtsd2si:
                return ToIntegerRegister(emitter, i, LaneKind.Float64, 0);
            case Mnemonic.Cvttsd2si:
                return ToIntegerRegister(emitter, i, LaneKind.Float64, Truncating);
            default:
                return TryLowerMmxConversion(emitter, i);
        }
    }

    private static bool Convert(IX86Emitter emitter, in Instruction i, OpCode code, LaneKind kind, int size, byte lanes, long immediate = 0)
    {
        var source = Source(emitter, i, size);
        var destination = Vector(i.Op0Register);
        emitter.Emit(new MicroOp { Code = code, Size = (byte)kind, Destination = destination, A = destination, B = source, C = lanes, Immediate = immediate });
        return true;
    }

    private static bool FromIntegerRegister(IX86Emitter emitter, in Instruction i, LaneKind kind)
    {
        var size = i.Op1Kind == OpKind.Register ? (i.Op1Register.IsGPR64() ? 3 : 2) : (i.MemorySize.GetSize() == 8 ? 3 : 2);
        var source = IntegerSource(emitter, i, size);
        var destination = Vector(i.Op0Register);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.FloatFromIntegerRegister, Size = (byte)kind, Destination = destination, A = destination, B = source, C = (byte)size,
        });
        return true;
    }

    private static bool ToIntegerRegister(IX86Emitter emitter, in Instruction i, LaneKind kind, long truncating)
    {
        var source = Source(emitter, i, ScalarSize(kind));
        emitter.Emit(new MicroOp
        {
            Code = OpCode.FloatToIntegerRegister,
            Size = (byte)kind,
            Destination = emitter.IntegerRegister(i.Op0Register),
            B = source,
            C = (byte)(i.Op0Register.IsGPR64() ? 3 : 2),
            Immediate = truncating,
        });
        return true;
    }

    private static bool TryLowerOther(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Comiss or Mnemonic.Ucomiss:
                CompareFlags(emitter, i, LaneKind.Float32, i.Mnemonic == Mnemonic.Comiss);
                return true;
            case Mnemonic.Comisd or Mnemonic.Ucomisd:
                CompareFlags(emitter, i, LaneKind.Float64, i.Mnemonic == Mnemonic.Comisd);
                return true;
            case Mnemonic.Ptest:
                var tested = Source(emitter, i, 4);
                emitter.Emit(new MicroOp { Code = OpCode.VectorTest, Flags = FlagMask.All, A = Vector(i.Op0Register), B = tested });
                return true;
            case Mnemonic.Pslldq or Mnemonic.Psrldq:
                emitter.Emit(new MicroOp
                {
                    Code = i.Mnemonic == Mnemonic.Pslldq ? OpCode.VectorShiftBytesLeft : OpCode.VectorShiftBytesRight,
                    Destination = Vector(i.Op0Register),
                    A = Vector(i.Op0Register),
                    Immediate = i.Immediate8,
                });
                return true;
            case Mnemonic.Pblendvb:
                BlendVariable(emitter, i, LaneKind.Int8);
                return true;
            case Mnemonic.Blendvps:
                BlendVariable(emitter, i, LaneKind.Float32);
                return true;
            case Mnemonic.Blendvpd:
                BlendVariable(emitter, i, LaneKind.Float64);
                return true;
            case Mnemonic.Maskmovdqu:
                StoreMasked(emitter, i, 4, Vector(i.Op1Register), Vector(i.Op2Register));
                return true;
            case Mnemonic.Ldmxcsr:
                Load(emitter, i, 2, isAligned: false);
                emitter.Emit(new MicroOp { Code = OpCode.FloatSetControl, A = ToInteger(emitter, Temporary, 2) });
                return true;
            case Mnemonic.Stmxcsr:
                var control = emitter.IntegerTemporary();
                emitter.Emit(new MicroOp { Code = OpCode.FloatGetControl, Destination = control });
                FromInteger(emitter, Temporary, control, 2);
                Store(emitter, i, 2, Temporary, isAligned: false);
                return true;
            case Mnemonic.Movnti:
                var size = i.Op1Register.IsGPR64() ? 3 : 2;
                FromInteger(emitter, Temporary, emitter.IntegerRegister(i.Op1Register), size);
                Store(emitter, i, size, Temporary, isAligned: false);
                return true;
            default:
                return IsHint(i.Mnemonic) || TryLowerString(emitter, i);
        }
    }

    /// <summary>Prefetches, fences and cache control: nothing to do, as a world runs on one worker at a time.</summary>
    private static bool IsHint(Mnemonic mnemonic) => mnemonic is Mnemonic.Prefetchnta or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1
        or Mnemonic.Prefetcht2 or Mnemonic.Prefetchw or Mnemonic.Sfence or Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Clflush;

    private static void CompareFlags(IX86Emitter emitter, in Instruction i, LaneKind kind, bool isSignaling)
    {
        var source = Source(emitter, i, ScalarSize(kind));
        emitter.Emit(new MicroOp
        {
            Code = OpCode.FloatCompareFlags,
            Size = (byte)kind,
            Flags = FlagMask.All,
            A = Vector(i.Op0Register),
            B = source,
            C = (byte)(isSignaling ? 1 : 0),
        });
    }

    /// <summary>The selector of the legacy forms is XMM0.</summary>
    private static void BlendVariable(IX86Emitter emitter, in Instruction i, LaneKind kind)
    {
        var source = Source(emitter, i, 4);
        var destination = Vector(i.Op0Register);
        emitter.Emit(new MicroOp { Code = OpCode.VectorBlendVariable, Size = (byte)kind, Destination = destination, A = destination, B = source, C = 0 });
    }

    private static void StoreMasked(IX86Emitter emitter, in Instruction i, byte size, byte vector, byte mask)
    {
        // Operand 0 is the implied memory at DS:RDI: write it out.
        var explicitly = i;
        explicitly.Op0Kind = OpKind.Memory;
        explicitly.MemoryBase = i.Op0Kind == OpKind.MemorySegEDI ? Register.EDI : Register.RDI;
        var (register, displacement) = emitter.Address(explicitly);
        emitter.Emit(new MicroOp { Code = OpCode.VectorStoreMasked, Size = size, A = register, B = vector, C = mask, Immediate = displacement });
    }

    private static bool TryLowerString(IX86Emitter emitter, in Instruction i)
    {
        var isExplicit = i.Mnemonic is Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;
        var isIndex = i.Mnemonic is Mnemonic.Pcmpestri or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpistri;
        if (!isExplicit && i.Mnemonic is not (Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm))
            return false;
        var isWide = i.Mnemonic is Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;
        // These need no alignment.
        var source = i.Op1Kind == OpKind.Register ? Vector(i.Op1Register) : Load(emitter, i, 4, isAligned: false);
        emitter.Emit(new MicroOp
        {
            Code = isIndex ? OpCode.VectorStringIndex : OpCode.VectorStringMask,
            Flags = FlagMask.All,
            Destination = isIndex ? emitter.IntegerRegister(Register.RCX) : (byte)0,
            A = Vector(i.Op0Register),
            B = source,
            C = (byte)((isExplicit ? 1 : 0) | (isWide ? 2 : 0)),
            Immediate = i.Immediate8,
        });
        return true;
    }
}
