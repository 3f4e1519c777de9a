using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Loads and stores of one SIMD register or a pair (Arm ARM, C4.1.94); of structures: <see cref="StructureLowering"/>.</summary>
internal static class SimdMemory
{
    private const int Quad = 4;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        switch (word.Field(27, 3), word.Field(24, 2))
        {
            case (1, 0 or 1): return !word.Has(31) && StructureLowering.TryLower(emitter, word);
            case (3, 0): return TryLowerLiteral(emitter, word);
            case (5, _): return TryLowerPair(emitter, word);
            case (7, 0): return TryLowerOne(emitter, word);
            case (7, 1): return TryLowerScaled(emitter, word);
            default: return false;
        }
    }

    /// <summary>size and the upper bit of opc: B, H, S, D, Q.</summary>
    private static bool TrySize(SimdWord word, out int size)
    {
        int field = word.Field(30, 2);
        size = word.Has(23) ? Quad : field;
        return !word.Has(23) || field == 0;
    }

    private static void Access(Arm64Emitter emitter, bool isLoad, int size, int register, Arm64Address address, long offset = 0)
    {
        if (isLoad)
            emitter.Load(size, register, address, offset);
        else
            emitter.Store(size, register, address, offset);
    }

    private static bool TryLowerLiteral(Arm64Emitter emitter, SimdWord word)
    {
        int size = 2 + word.Field(30, 2);
        if (size > Quad)
            return false;
        emitter.Load(size, word.Rd, emitter.KnownAddress(emitter.Pc + (ulong)(4L * word.Signed(5, 19))));
        return true;
    }

    private static bool TryLowerPair(Arm64Emitter emitter, SimdWord word)
    {
        int size = 2 + word.Field(30, 2), mode = word.Field(23, 2);
        if (size > Quad)
            return false;
        // 0 without allocation, 1 post-index, 2 offset, 3 pre-index.
        long offset = (long)word.Signed(15, 7) << size;
        Arm64Address address = emitter.Address((byte)word.Rn, mode == 1 ? 0 : offset);
        Access(emitter, word.Has(22), size, word.Rd, address);
        Access(emitter, word.Has(22), size, word.Ra, address, 1L << size);
        if ((mode & 1) != 0)
            Advance(emitter, word, offset);
        return true;
    }

    internal static void Advance(Arm64Emitter emitter, SimdWord word, long offset) =>
        emitter.Emit(OpCode.AddImmediate, 3, (byte)word.Rn, (byte)word.Rn, immediate: offset);

    private static bool TryLowerScaled(Arm64Emitter emitter, SimdWord word)
    {
        if (!TrySize(word, out int size))
            return false;
        Access(emitter, word.Has(22), size, word.Rd, emitter.Address((byte)word.Rn, (long)word.Field(10, 12) << size));
        return true;
    }

    /// <summary>Bits 11:10: unscaled, post-index, register offset (with bit 21), pre-index.</summary>
    private static bool TryLowerOne(Arm64Emitter emitter, SimdWord word)
    {
        int mode = word.Field(10, 2);
        if (!TrySize(word, out int size))
            return false;
        if (word.Has(21))
        {
            if (mode != 2 || !word.Has(14))
                return false;
            Access(emitter, word.Has(22), size, word.Rd, emitter.IndexedAddress((byte)word.Rn, (byte)word.Rm, (uint)word.Field(13, 3), word.Has(12) ? size : 0));
            return true;
        }
        if (mode == 2)
            return false;
        long offset = word.Signed(12, 9);
        Access(emitter, word.Has(22), size, word.Rd, emitter.Address((byte)word.Rn, mode == 1 ? 0 : offset));
        if (mode != 0)
            Advance(emitter, word, offset);
        return true;
    }
}
