using System.Numerics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>What has bit 21 clear: copies (DUP, INS, SMOV, UMOV), TBL and TBX, ZIP, UZP and TRN, EXT, and SHA of three registers.</summary>
internal static class CopyLowering
{
    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        // Instructions of later versions.
        if (word.Has(15))
            return false;
        if (word.IsScalar)
        {
            if (word.U)
                return false;
            if (!word.Has(10))
                return word.Size == 0 && !word.Has(11) && CipherLowering.TryLowerThree(emitter, word);
            return word.Size == 0 && word.Field(11, 4) == 0 && TryLowerElement(emitter, word, isScalar: true);
        }
        if (word.Has(10))
            return word.Size == 0 && TryLowerCopy(emitter, word);
        if (word.U)
            return word.Size == 0 && TryLowerExtract(emitter, word);
        return word.Has(11) ? TryLowerPermutation(emitter, word) : word.Size == 0 && LowerTable(emitter, word);
    }

    /// <summary>imm5: the lowest set bit is the element's size, the index is above it.</summary>
    private static (int Size, int Index) Element(SimdWord word)
    {
        int immediate = word.Field(16, 5), size = immediate == 0 ? 5 : BitOperations.TrailingZeroCount(immediate);
        return (size, immediate >> (size + 1));
    }

    private static bool TryLowerElement(Arm64Emitter emitter, SimdWord word, bool isScalar)
    {
        (int size, int index) = Element(word);
        if (size > 3 || (!isScalar && size == 3 && !word.Q))
            return false;
        return emitter.Duplicate(size, word.Lanes(size), word.Rd, word.Rn, index);
    }

    private static bool TryLowerCopy(Arm64Emitter emitter, SimdWord word)
    {
        (int size, int index) = Element(word);
        if (size > 3)
            return false;
        int operation = word.Field(11, 4);
        if (word.U)
        {
            // INS from an element.
            if (word.Q)
                emitter.Emit(OpCode.VectorInsertLane, size, SimdEmit.V(word.Rd), SimdEmit.V(word.Rd), SimdEmit.V(word.Rn), operation >> size, (byte)index);
            return word.Q;
        }
        switch (operation)
        {
            case 0:
                return TryLowerElement(emitter, word, isScalar: false);
            case 1:
                return (size < 3 || word.Q) && LowerDuplicate(emitter, word, size);
            case 3 when word.Q:
                emitter.Emit(OpCode.VectorInsertInteger, size, SimdEmit.V(word.Rd), SimdEmit.V(word.Rd), emitter.Read((byte)word.Rn), c: (byte)index);
                return true;
            case 5:
                return (word.Q ? size < 3 : size < 2) && LowerToInteger(emitter, word, size, index, isSigned: true);
            case 7:
                return word.Q == (size == 3) && LowerToInteger(emitter, word, size, index, isSigned: false);
            default:
                return false;
        }
    }

    private static bool LowerDuplicate(Arm64Emitter emitter, SimdWord word, int size)
    {
        emitter.Emit(OpCode.NeonDuplicateInteger, size, SimdEmit.V(word.Rd), emitter.Read((byte)word.Rn), immediate: NeonForm.Make(default, word.Lanes(size)));
        return true;
    }

    private static bool LowerToInteger(Arm64Emitter emitter, SimdWord word, int size, int index, bool isSigned)
    {
        if (!isSigned)
        {
            emitter.Emit(OpCode.VectorToInteger, size, emitter.Write((byte)word.Rd), SimdEmit.V(word.Rn), c: (byte)index);
            return true;
        }
        byte lane = emitter.Compute(OpCode.VectorToInteger, size, SimdEmit.V(word.Rn), c: (byte)index);
        emitter.Move(word.Q ? 3 : 2, (byte)word.Rd, emitter.Compute(OpCode.SignExtend, size, lane));
        return true;
    }

    private static bool TryLowerExtract(Arm64Emitter emitter, SimdWord word)
    {
        int from = word.Field(11, 4);
        if (!word.Q && from >= 8)
            return false;
        return emitter.Permute(NeonOperation.Extract, 0, word.Lanes(0), word.Rd, word.Rn, word.Rm, from);
    }

    private static bool TryLowerPermutation(Arm64Emitter emitter, SimdWord word)
    {
        NeonOperation? operation = word.Field(12, 3) switch
        {
            1 => NeonOperation.Even,
            2 => NeonOperation.TransposeEven,
            3 => NeonOperation.InterleaveLow,
            5 => NeonOperation.Odd,
            6 => NeonOperation.TransposeOdd,
            7 => NeonOperation.InterleaveHigh,
            _ => null,
        };
        if (operation is not { } found || (word.Size == 3 && !word.Q))
            return false;
        return emitter.Permute(found, word.Size, word.Lanes(word.Size), word.Rd, word.Rn, word.Rm);
    }

    private static bool LowerTable(Arm64Emitter emitter, SimdWord word)
    {
        int vectors = word.Field(13, 2) + 1;
        long form = ((long)vectors << 32) | (word.Has(12) ? 1L << 40 : 0) | ((long)word.Lanes(0) << 48);
        for (int i = 0; i < vectors; i++)
            form |= (long)SimdEmit.V((word.Rn + i) & 31) << (8 * i);
        return emitter.Vectors(OpCode.NeonTable, 0, word.Rd, word.Rn, word.Rm, word.Rd, form);
    }
}
