using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD "modified immediate": MOVI, MVNI, ORR, BIC, FMOV; and what VFPExpandImm makes of eight bits.</summary>
internal static class ImmediateLowering
{
    private const int Value = SimdEmit.FirstTemporary;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int mode = word.Field(12, 4);
        bool isInverse = word.U;
        ulong bits = ((uint)word.Field(16, 3) << 5) | (uint)word.Field(5, 5);
        if (word.Has(11) || (mode == 15 && isInverse && !word.Q))
            return false;
        ulong value = Expand(bits, mode, isInverse);
        if (mode < 12 && (mode & 1) != 0)
        {
            emitter.Immediate(Value, value, isWhole: true);
            return emitter.Lanes(isInverse ? NeonOperation.BitClear : NeonOperation.Or, 3, word.Q ? 2 : 1, word.Rd, word.Rd, Value);
        }
        return emitter.Immediate(word.Rd, isInverse && mode < 14 ? ~value : value, word.Q);
    }

    /// <summary>AdvSIMDExpandImm.</summary>
    private static ulong Expand(ulong bits, int mode, bool isInverse)
    {
        const ulong bytes = 0x0101_0101_0101_0101, halves = 0x0001_0001_0001_0001, words = 0x0000_0001_0000_0001;
        switch (mode)
        {
            case < 8: return (bits << (8 * (mode >> 1))) * words;
            case < 12: return (bits << (8 * ((mode >> 1) & 1))) * halves;
            case 12: return ((bits << 8) | 0xFF) * words;
            case 13: return ((bits << 16) | 0xFFFF) * words;
            case 14 when !isInverse: return bits * bytes;
            case 15: return isInverse ? ExpandDouble((uint)bits) : ExpandSingle((uint)bits) * words;
        }
        ulong mask = 0;
        for (int i = 0; i < 8; i++)
            mask |= ((bits >> i) & 1) != 0 ? 0xFFul << (8 * i) : 0;
        return mask;
    }

    /// <summary>Sign, an exponent around zero in three bits, four fraction bits.</summary>
    public static ulong ExpandSingle(uint bits) => ((ulong)(bits & 0x80) << 24) | ((bits & 0x40) != 0 ? 0x3E00_0000ul : 0x4000_0000) | ((ulong)(bits & 0x3F) << 19);

    public static ulong ExpandDouble(uint bits) =>
        ((ulong)(bits & 0x80) << 56) | ((bits & 0x40) != 0 ? 0x3FC0_0000_0000_0000ul : 0x4000_0000_0000_0000) | ((ulong)(bits & 0x3F) << 48);
}
