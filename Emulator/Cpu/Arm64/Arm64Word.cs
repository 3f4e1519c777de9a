using System.Numerics;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>The fields of an instruction (Arm Architecture Reference Manual, C4.1).</summary>
internal readonly record struct Arm64Word(uint Bits)
{
    public byte Rd => (byte)(Bits & 31);

    /// <summary>The register that is loaded or stored.</summary>
    public byte Rt => (byte)(Bits & 31);

    public byte Rn => (byte)((Bits >> 5) & 31);

    /// <summary>The second register of a pair, and the addend of a multiplication.</summary>
    public byte Rt2 => (byte)((Bits >> 10) & 31);

    public byte Ra => Rt2;

    public byte Rm => (byte)((Bits >> 16) & 31);

    /// <summary>The status of an exclusive store, or the operand of an atomic operation.</summary>
    public byte Rs => Rm;

    /// <summary>Bit 31, sf: log2 of the bytes of a data processing instruction's registers.</summary>
    public int Size => (Bits >> 31) != 0 ? 3 : 2;

    /// <summary>The vector forms of loads and stores.</summary>
    public bool IsVector => Bit(26);

    public bool Bit(int number) => ((Bits >> number) & 1) != 0;

    public uint Field(int low, int width) => (Bits >> low) & ((1u << width) - 1);

    public int SignedField(int low, int width) => (int)(Bits << (32 - low - width)) >> (32 - width);

    /// <summary>
    /// DecodeBitMasks (shared pseudocode of the manual) for logical immediates: N, imms and immr name a run of ones, rotated, repeated in elements
    /// of 2 to 64 bits. False when there is no such run.
    /// </summary>
    public bool TryBitMask(out ulong mask)
    {
        uint n = Field(22, 1), length = Field(10, 6), rotation = Field(16, 6);
        mask = 0;
        int top = 31 - BitOperations.LeadingZeroCount((n << 6) | (~length & 63));
        if (top < 1 || (Size == 2 && n != 0))
            return false;
        int width = 1 << top;
        uint levels = (uint)width - 1;
        if ((length & levels) == levels)
            return false;
        int ones = (int)(length & levels) + 1, turn = (int)(rotation & levels);
        ulong element = ulong.MaxValue >> (64 - ones), all = ulong.MaxValue >> (64 - width);
        if (turn != 0)
            element = ((element >> turn) | (element << (width - turn))) & all;
        for (int at = 0; at < 64; at += width)
            mask |= element << at;
        if (Size == 2)
            mask = (uint)mask;
        return true;
    }
}
