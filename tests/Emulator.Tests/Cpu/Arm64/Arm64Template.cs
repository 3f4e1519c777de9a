namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>How the operands of a random instruction are made fit.</summary>
internal enum Arm64Fit
{
    /// <summary>Any will do, as long as Rd is one that may be written.</summary>
    Any,

    /// <summary>Rn becomes the pointer that may be anywhere; Rt, and Rt2 of a pair, are free registers.</summary>
    Memory,

    /// <summary>Also Rm becomes a small index, of 64 bits or 32 as the extension says.</summary>
    Indexed,
    Pair,

    /// <summary>Rn becomes the aligned pointer.</summary>
    Atomic,
    AtomicPair,

    /// <summary>An exclusive load or store of this case's width.</summary>
    Exclusive,
    ExclusivePair,

    /// <summary>A branch over the next instruction.</summary>
    Branch,
    TestBranch,

    /// <summary>No register is written.</summary>
    NoResult,

    // Loads and stores of vectors: Rt is any.
    VectorMemory,
    VectorIndexed,
    VectorPair,

    /// <summary>Rd, Rn and Rm are vectors.</summary>
    Vector,

    /// <summary>One of <see cref="SimdTemplates"/>.</summary>
    Simd,
}

/// <summary>A class of instructions: bits in <see cref="Mask"/> are those of <see cref="Bits"/>, the others random.</summary>
internal sealed record Arm64Template(string Name, uint Mask, uint Bits, Arm64Fit Fit = Arm64Fit.Any);

/// <summary>The integer instructions of Armv8.0 with CRC32 and LSE (Arm ARM, C4.1).</summary>
internal static class Arm64IntegerTemplates
{
    public static readonly Arm64Template[] All =
    [
        new("adr", 0x9F000000, 0x10000000), new("adrp", 0x9F000000, 0x90000000),
        new("add/sub immediate", 0x1F800000, 0x11000000),
        new("logical immediate", 0x1F800000, 0x12000000),
        new("movn", 0x7F800000, 0x12800000), new("movz", 0x7F800000, 0x52800000), new("movk", 0x7F800000, 0x72800000),
        new("bitfield 32", 0x9FE08000, 0x13000000), new("bitfield 64", 0x9FC00000, 0x93400000),
        new("extr 32", 0xFFE08000, 0x13800000), new("extr 64", 0xFFE00000, 0x93C00000),
        new("logical shifted 64", 0x9F000000, 0x8A000000), new("logical shifted 32", 0x9F008000, 0x0A000000),
        new("add/sub shifted 64", 0x9F200000, 0x8B000000), new("add/sub shifted 32", 0x9F208000, 0x0B000000),
        new("add/sub extended", 0x1FE00000, 0x0B200000),
        new("adc/sbc", 0x1FE0FC00, 0x1A000000),
        new("ccmp register", 0x3FE00C10, 0x3A400000, Arm64Fit.NoResult), new("ccmp immediate", 0x3FE00C10, 0x3A400800, Arm64Fit.NoResult),
        new("csel", 0x3FE00800, 0x1A800000),
        new("udiv/sdiv", 0x7FE0F800, 0x1AC00800), new("shift by register", 0x7FE0F000, 0x1AC02000),
        new("crc32", 0xFFE0F000, 0x1AC04000), new("crc32x", 0xFFE0FC00, 0x9AC04C00), new("crc32cx", 0xFFE0FC00, 0x9AC05C00),
        new("rbit", 0x7FFFFC00, 0x5AC00000), new("rev16", 0x7FFFFC00, 0x5AC00400), new("rev 32", 0x7FFFFC00, 0x5AC00800), new("rev 64", 0xFFFFFC00, 0xDAC00C00),
        new("clz", 0x7FFFFC00, 0x5AC01000), new("cls", 0x7FFFFC00, 0x5AC01400),
        new("madd/msub", 0x7FE00000, 0x1B000000), new("smaddl", 0xFF600000, 0x9B200000), new("smulh", 0xFF60FC00, 0x9B407C00),
        new("b.cond", 0xFF000010, 0x54000000, Arm64Fit.Branch), new("cbz", 0x7E000000, 0x34000000, Arm64Fit.Branch), new("tbz", 0x7E000000, 0x36000000, Arm64Fit.TestBranch),
        new("nop", 0xFFFFFFFF, 0xD503201F, Arm64Fit.NoResult), new("mrs nzcv", 0xFFFFFFE0, 0xD53B4200), new("msr nzcv", 0xFFFFFFE0, 0xD51B4200, Arm64Fit.NoResult),
        new("str unsigned offset", 0x3FC00000, 0x39000000, Arm64Fit.Memory), new("ldr unsigned offset", 0x3FC00000, 0x39400000, Arm64Fit.Memory),
        new("ldrs unsigned offset", 0x3FC00000, 0x39800000, Arm64Fit.Memory), new("ldrs 32 unsigned offset", 0x3FC00000, 0x39C00000, Arm64Fit.Memory),
        new("str 9-bit offset", 0x3FE00000, 0x38000000, Arm64Fit.Memory), new("ldr 9-bit offset", 0x3FE00000, 0x38400000, Arm64Fit.Memory),
        new("ldrs 9-bit offset", 0x3FE00000, 0x38800000, Arm64Fit.Memory), new("ldrs 32 9-bit offset", 0x3FE00000, 0x38C00000, Arm64Fit.Memory),
        new("str indexed", 0x3FE04C00, 0x38204800, Arm64Fit.Indexed), new("ldr indexed", 0x3FE04C00, 0x38604800, Arm64Fit.Indexed),
        new("ldrs indexed", 0x3F604C00, 0x38204800, Arm64Fit.Indexed),
        new("ldr literal", 0xBF000000, 0x18000000, Arm64Fit.Branch), new("ldrsw literal", 0xFF000000, 0x98000000, Arm64Fit.Branch),
        new("stp/ldp", 0x7E000000, 0x28000000, Arm64Fit.Pair), new("ldpsw", 0xFE400000, 0x68400000, Arm64Fit.Pair),
        new("ldxr", 0x3FFF7C00, 0x085F7C00, Arm64Fit.Exclusive), new("stxr", 0x3FE07C00, 0x08007C00, Arm64Fit.Exclusive),
        new("ldxp", 0xBFFF0000, 0x887F0000, Arm64Fit.ExclusivePair), new("stxp", 0xBFE00000, 0x88200000, Arm64Fit.ExclusivePair),
        new("ldar/stlr", 0x3FBFFC00, 0x089FFC00, Arm64Fit.Atomic),
        new("cas", 0x3FA07C00, 0x08A07C00, Arm64Fit.Atomic), new("casp", 0xBFA07C00, 0x08207C00, Arm64Fit.AtomicPair),
        new("ldadd and others", 0x3F208C00, 0x38200000, Arm64Fit.Atomic), new("swp", 0x3F20FC00, 0x38208000, Arm64Fit.Atomic),
    ];
}
