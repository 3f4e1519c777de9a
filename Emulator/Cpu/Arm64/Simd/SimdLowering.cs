namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Scalar floating point, Advanced SIMD and cryptography of AArch64 v8.0 (Arm ARM, C4.1.96), and their loads and stores.</summary>
internal static class SimdLowering
{
    /// <summary>False for what is not one of them, or unallocated.</summary>
    public static bool TryLower(Arm64Emitter emitter, uint bits)
    {
        var word = new SimdWord(bits);
        // Loads and stores have bits 27 and 25 as 1 and 0, and 26 set here; data processing has all three.
        if (word.Matches(0x0A00_0000, 0x0800_0000))
            return word.Has(26) && SimdMemory.TryLower(emitter, word);
        if (!word.Matches(0x0E00_0000, 0x0E00_0000))
            return false;
        if (word.Matches(0x5000_0000, 0x1000_0000))
            return ScalarFloatLowering.TryLower(emitter, word);
        if (word.Has(31))
            return false;
        // With bit 28 one lane: then bit 30 is set too.
        return (!word.IsScalar || word.Q) && (word.Has(24) ? TryLowerIndexed(emitter, word) : TryLowerRegisters(emitter, word));
    }

    /// <summary>Bit 24 clear: three registers, two registers, across lanes, copies, permutations, cryptography.</summary>
    private static bool TryLowerRegisters(Arm64Emitter emitter, SimdWord word)
    {
        if (!word.Has(21))
            return CopyLowering.TryLower(emitter, word);
        if (word.Has(10))
            return ThreeSameLowering.TryLower(emitter, word);
        if (!word.Has(11))
            return ThreeDifferentLowering.TryLower(emitter, word);
        return word.Field(17, 4) switch
        {
            0 => TwoRegisterLowering.TryLower(emitter, word),
            8 when word.IsScalar => AcrossLowering.TryLowerPairs(emitter, word),
            8 => AcrossLowering.TryLower(emitter, word),
            4 => CipherLowering.TryLowerTwo(emitter, word),
            _ => false,
        };
    }

    /// <summary>Bit 24 set: by element, shifts by immediate, immediates.</summary>
    private static bool TryLowerIndexed(Arm64Emitter emitter, SimdWord word)
    {
        if (!word.Has(10))
            return ElementLowering.TryLower(emitter, word);
        if (word.Has(23))
            return false;
        if (word.Field(19, 4) != 0)
            return ShiftLowering.TryLower(emitter, word);
        return !word.IsScalar && ImmediateLowering.TryLower(emitter, word);
    }
}
