using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD and scalar "by indexed element": the operation of three registers, with the element in all lanes of the last.</summary>
internal static class ElementLowering
{
    private const int Element = SimdEmit.FirstTemporary;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(12, 4);
        if (opcode is 1 or 5 or 9)
            return TryLowerFloat(emitter, word, opcode);
        (NeonOperation Operation, bool IsLong, long Properties)? form = (opcode, word.U) switch
        {
            (0, true) => (NeonOperation.MultiplyAdd, false, 0L),
            (4, true) => (NeonOperation.MultiplySubtract, false, 0),
            (8, false) => (NeonOperation.Multiply, false, 0),
            (2, _) => (NeonOperation.MultiplyAdd, true, 0),
            (6, _) => (NeonOperation.MultiplySubtract, true, 0),
            (10, _) => (NeonOperation.Multiply, true, 0),
            (3, false) => (NeonOperation.DoublingMultiplyAdd, true, NeonForm.Saturate),
            (7, false) => (NeonOperation.DoublingMultiplySubtract, true, NeonForm.Saturate),
            (11, false) => (NeonOperation.DoublingMultiply, true, NeonForm.Saturate),
            (12, false) => (NeonOperation.DoublingMultiplyHigh, false, NeonForm.Saturate),
            (13, false) => (NeonOperation.DoublingMultiplyHigh, false, NeonForm.Saturate | NeonForm.Round),
            _ => null,
        };
        int size = word.Size;
        if (form is not var (found, isLong, properties))
            return false;
        bool saturates = properties != 0;
        if (size is 0 or 3 || (word.IsScalar && !saturates))
            return false;
        int register = size == 1 ? word.Rm & 15 : word.Rm;
        // H:L:M, or H:L where M is part of the register.
        int index = size == 1 ? (word.Field(11, 1) << 2) | word.Field(20, 2) : (word.Field(11, 1) << 1) | word.Field(21, 1);
        emitter.Duplicate(size, 16 >> size, Element, register, index);
        properties |= word.U && isLong ? NeonForm.Unsigned : 0;
        if (!isLong)
            return emitter.Lanes(found, size, word.Lanes(size), word.Rd, word.Rn, Element, properties);
        properties |= word.Q && !word.IsScalar ? NeonForm.Upper : 0;
        return emitter.Vectors(OpCode.NeonWiden, size, word.Rd, word.Rn, Element, word.Rd, NeonForm.Make(found, word.IsScalar ? 1 : 8 >> size, properties));
    }

    private static bool TryLowerFloat(Arm64Emitter emitter, SimdWord word, int opcode)
    {
        bool isDouble = word.Has(22), high = word.Has(11), low = word.Has(21);
        if (!word.Has(23) || (isDouble && (low || (!word.IsScalar && !word.Q))) || (word.U && opcode != 9))
            return false;
        int size = isDouble ? 3 : 2, index = isDouble ? (high ? 1 : 0) : (high ? 2 : 0) | (low ? 1 : 0);
        emitter.Duplicate(size, 16 >> size, Element, word.Rm, index);
        NeonOperation operation = opcode != 9 ? NeonOperation.FusedMultiplyAdd : word.U ? NeonOperation.MultiplyExtended : NeonOperation.Multiply;
        return emitter.Float(operation, isDouble ? SimdEmit.Double : SimdEmit.Single, word.Lanes(size), word.Rd, word.Rn, Element, opcode == 5 ? NeonForm.NegateProduct : 0);
    }
}
