using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD and scalar "three different": results twice or half as wide.</summary>
internal static class ThreeDifferentLowering
{
    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(12, 4), size = word.Size;
        bool isDoubling = opcode is 9 or 11 or 13;
        if (word.IsScalar && !isDoubling)
            return false;
        if (opcode == 14)
            return !word.U && size is 0 or 3 && Lower(emitter, word, OpCode.NeonWiden, NeonOperation.MultiplyPolynomial, NeonForm.Unsigned);
        if (size == 3 || (isDoubling && (word.U || size == 0)))
            return false;
        long unsigned = word.U ? NeonForm.Unsigned : 0;
        return opcode switch
        {
            0 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.Add, unsigned),
            1 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.Add, unsigned | NeonForm.Wide),
            2 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.Subtract, unsigned),
            3 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.Subtract, unsigned | NeonForm.Wide),
            4 => Lower(emitter, word, OpCode.NeonNarrow, NeonOperation.Add, word.U ? NeonForm.Round : 0, 8 << size),
            5 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.AccumulateDifference, unsigned),
            6 => Lower(emitter, word, OpCode.NeonNarrow, NeonOperation.Subtract, word.U ? NeonForm.Round : 0, 8 << size),
            7 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.AbsoluteDifference, unsigned),
            8 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.MultiplyAdd, unsigned),
            9 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.DoublingMultiplyAdd, NeonForm.Saturate),
            10 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.MultiplySubtract, unsigned),
            11 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.DoublingMultiplySubtract, NeonForm.Saturate),
            12 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.Multiply, unsigned),
            13 => Lower(emitter, word, OpCode.NeonWiden, NeonOperation.DoublingMultiply, NeonForm.Saturate),
            _ => false,
        };
    }

    private static bool Lower(Arm64Emitter emitter, SimdWord word, OpCode code, NeonOperation operation, long properties, int amount = 0)
    {
        if (word.Q && !word.IsScalar)
            properties |= NeonForm.Upper;
        return emitter.Vectors(code, word.Size, word.Rd, word.Rn, word.Rm, word.Rd, NeonForm.Make(operation, word.IsScalar ? 1 : 8 >> word.Size, properties, amount));
    }
}
