namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Fields of the encodings of SIMD and floating point (Arm ARM, C4.1.96), by the names there.</summary>
internal readonly record struct SimdWord(uint Bits)
{
    public int Rd => (int)Bits & 31;

    public int Rn => (int)(Bits >> 5) & 31;

    public int Ra => (int)(Bits >> 10) & 31;

    public int Rm => (int)(Bits >> 16) & 31;

    public bool Q => Has(30);

    public bool U => Has(29);

    public int Size => Field(22, 2);

    /// <summary>Vectors of 64 or 128 bits, or with bit 28 one lane.</summary>
    public bool IsScalar => Has(28);

    public bool Has(int bit) => ((Bits >> bit) & 1) != 0;

    public int Field(int from, int width) => (int)(Bits >> from) & ((1 << width) - 1);

    public int Signed(int from, int width) => (int)(Bits << (32 - from - width)) >> (32 - width);

    /// <summary>The lanes of an operation on elements of 1 &lt;&lt; size bytes.</summary>
    public int Lanes(int size) => IsScalar ? 1 : (Q ? 16 : 8) >> size;

    public bool Matches(uint mask, uint bits) => (Bits & mask) == bits;
}
