using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Arm64.Simd;
using Vivarium.Emulator.Cpu.Blocks;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>Scalar floating point, Advanced SIMD and cryptography of Armv8.0, by the groups of the Arm ARM, C4.1.</summary>
internal static class SimdTemplates
{
    public static readonly Arm64Template[] All =
    [
        New("three same", 0x9F200400, 0x0E200400), New("three same", 0x9F200400, 0x0E200400), New("scalar three same", 0xDF200400, 0x5E200400),
        New("three different", 0x9F200C00, 0x0E200000), New("scalar three different", 0xDF200C00, 0x5E200000),
        New("two registers", 0x9F3E0C00, 0x0E200800), New("scalar two registers", 0xDF3E0C00, 0x5E200800),
        New("across lanes", 0x9F3E0C00, 0x0E300800), New("scalar pairs", 0xDF3E0C00, 0x5E300800),
        New("aes", 0xFF3E0C00, 0x4E280800), New("sha of two", 0xFF3E0C00, 0x5E280800), New("sha of three", 0xFF208C00, 0x5E000000),
        New("copy", 0x9FE08400, 0x0E000400), New("scalar copy", 0xDFE08400, 0x5E000400),
        New("zip uzp trn", 0xBF208C00, 0x0E000800), New("tbl tbx", 0xBFE08C00, 0x0E000000), New("ext", 0xBFE08400, 0x2E000000),
        New("by element", 0x9F000400, 0x0F000000), New("scalar by element", 0xDF000400, 0x5F000000),
        New("shift by immediate", 0x9F800400, 0x0F000400), New("scalar shift by immediate", 0xDF800400, 0x5F000400), New("immediate", 0x9FF80400, 0x0F000400),
        New("float and integer", 0x7F20FC00, 0x1E200000), New("float and fixed point", 0x7F200000, 0x1E000000), New("float of one", 0xFF207C00, 0x1E204000),
        New("float compare", 0xFF203C00, 0x1E202000), New("float immediate", 0xFF201FE0, 0x1E201000), New("float conditional compare", 0xFF200C00, 0x1E200400),
        New("float of two", 0xFF200C00, 0x1E200800), New("float select", 0xFF200C00, 0x1E200C00), New("float of three", 0xFF000000, 0x1F000000),
        New("structures", 0xBFBF0000, 0x0C000000), New("structures, post-index", 0xBFA00000, 0x0C800000),
        New("one structure", 0xBF9F0000, 0x0D000000), New("one structure, post-index", 0xBF800000, 0x0D800000),
        New("load literal", 0x3F000000, 0x1C000000), New("pair", 0x3E000000, 0x2C000000), New("load and store", 0x3F000000, 0x3C000000), New("load and store, scaled", 0x3F000000, 0x3D000000),
    ];

    private static Arm64Template New(string name, uint mask, uint bits) => new(name, mask, bits, Arm64Fit.Simd);

    /// <summary>Gives memory operands pointers; false for what is unallocated, or writes a register that must stay.</summary>
    public static bool TryFit(ref uint word, uint pointer, uint index, uint wordIndex, Func<uint, bool> isFree)
    {
        bool isMemory = (word & 0x0A000000) == 0x08000000;
        if (!isMemory)
            return isFree(word & 31) && IsAllocated(word);
        word = With(word, 5, pointer);
        bool isStructure = (word & 0x3E000000) == 0x0C000000, isPostIndex = isStructure && (word & (1 << 23)) != 0;
        if (isPostIndex && ((word >> 16) & 31) != 31)
            word = With(word, 16, index);
        else if ((word & 0x3F000000) == 0x1C000000)
            word &= 0xFF0000FF;
        else if ((word & 0x3F000000) == 0x3D000000)
            word &= ~(1u << 21);
        else if ((word & 0x3F200C00) == 0x3C200800)
            word = With(word, 16, (word & (1 << 13)) != 0 ? index : wordIndex);
        bool isPairLoad = (word & 0x3E400000) == 0x2C400000;
        return !(isPairLoad && (word & 31) == ((word >> 10) & 31)) && IsAllocated(word);
    }

    private static uint With(uint word, int bit, uint register) => (word & ~(31u << bit)) | (register << bit);

    private static bool IsAllocated(uint word)
    {
        var emitter = new Arm64Emitter(new LoweredBlock(), ignoresTags: false);
        emitter.Begin(0, 4);
        return SimdLowering.TryLower(emitter, word);
    }
}
