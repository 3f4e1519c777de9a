namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>The fields of a 32-bit instruction (unprivileged ISA manual, 2.2 and 2.3).</summary>
internal readonly record struct RiscVWord(uint Bits)
{
    public byte Rd => (byte)((Bits >> 7) & 31);

    public byte Rs1 => (byte)((Bits >> 15) & 31);

    public byte Rs2 => (byte)((Bits >> 20) & 31);

    public byte Rs3 => (byte)(Bits >> 27);

    /// <summary>The rounding mode.</summary>
    public uint Rm => (Bits >> 12) & 7;

    public uint Csr => Bits >> 20;

    public int ImmediateI => (int)Bits >> 20;

    public int ImmediateS => ((int)Bits >> 25 << 5) | Rd;

    public int ImmediateB => ((int)Bits >> 31 << 12) | (int)((Bits << 4) & 0x800) | (int)((Bits >> 20) & 0x7E0) | (int)((Bits >> 7) & 0x1E);

    public int ImmediateU => (int)(Bits & 0xFFFFF000);

    public int ImmediateJ => ((int)Bits >> 31 << 20) | (int)(Bits & 0xFF000) | (int)((Bits >> 9) & 0x800) | (int)((Bits >> 20) & 0x7FE);

    /// <summary>Six bits: of the W forms the highest is 0 by their encoding.</summary>
    public int Shift => (int)((Bits >> 20) & 63);
}
