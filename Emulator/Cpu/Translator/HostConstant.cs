namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Constants that translated code reads from memory: 8 bytes each, and 8 of zeros.</summary>
internal enum HostConstant
{
    DoubleSign,
    SingleSign,
    DoubleMagnitude,
    SingleMagnitude,

    /// <summary>The NaN of operations that have no other, and the same as a single with ones above it.</summary>
    CanonicalDouble,
    CanonicalSingle,

    /// <summary>Ones above a single.</summary>
    SingleBox,

    // As doubles and as singles: -1, 2 to the 32, 63 and 64.
    DoubleMinusOne,
    SingleMinusOne,
    Double32,
    Single32,
    Double63,
    Single63,
    Double64,
    Single64,

    /// <summary>Every second bit, pair and nibble.</summary>
    EvenBits,
    EvenPairs,
    EvenNibbles,
}

/// <summary>Constants of 16 bytes, for vectors.</summary>
internal enum VectorConstant
{
    Zero,
    Ones,

    /// <summary>What takes an index above 15 past the top bit.</summary>
    BeyondTable,
    LowBytes,
    OneBytes,
    OneHalves,

    // Orders of bytes: reversed in containers of 2, 4 and 8 bytes; the lower halves of lanes of 2, 4 and 8 bytes, zeros above.
    Reverse2,
    Reverse4,
    Reverse8,
    Narrow2,
    Narrow4,
    Narrow8,

    /// <summary>What the host's SHA-1 adds in the rounds that choose, of parity, and of majority (FIPS 180-4, 4.2.1).</summary>
    Sha1Choose,
    Sha1Parity,
    Sha1Majority,
}

internal static class HostConstants
{
    /// <summary>In the order of <see cref="VectorConstant"/>, low halves first.</summary>
    public static ReadOnlySpan<ulong> Vectors =>
    [
        0, 0, ulong.MaxValue, ulong.MaxValue, 0x7070_7070_7070_7070, 0x7070_7070_7070_7070, 0x00FF_00FF_00FF_00FF, 0x00FF_00FF_00FF_00FF,
        0x0101_0101_0101_0101, 0x0101_0101_0101_0101, 0x0001_0001_0001_0001, 0x0001_0001_0001_0001,
        0x0607_0405_0203_0001, 0x0E0F_0C0D_0A0B_0809, 0x0405_0607_0001_0203, 0x0C0D_0E0F_0809_0A0B, 0x0001_0203_0405_0607, 0x0809_0A0B_0C0D_0E0F,
        0x0E0C_0A08_0604_0200, 0x8080_8080_8080_8080, 0x0D0C_0908_0504_0100, 0x8080_8080_8080_8080, 0x0B0A_0908_0302_0100, 0x8080_8080_8080_8080,
        0x5A82_7999_5A82_7999, 0x5A82_7999_5A82_7999, 0x6ED9_EBA1_6ED9_EBA1, 0x6ED9_EBA1_6ED9_EBA1, 0x8F1B_BCDC_8F1B_BCDC, 0x8F1B_BCDC_8F1B_BCDC,
    ];


    /// <summary>In the order of <see cref="HostConstant"/>.</summary>
    public static ReadOnlySpan<ulong> Values =>
    [
        0x8000_0000_0000_0000, 0x8000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_7FFF_FFFF,
        0x7FF8_0000_0000_0000, 0xFFFF_FFFF_7FC0_0000, 0xFFFF_FFFF_0000_0000,
        0xBFF0_0000_0000_0000, 0xBF80_0000, 0x41F0_0000_0000_0000, 0x4F80_0000,
        0x43E0_0000_0000_0000, 0x5F00_0000, 0x43F0_0000_0000_0000, 0x5F80_0000,
        0x5555_5555_5555_5555, 0x3333_3333_3333_3333, 0x0F0F_0F0F_0F0F_0F0F,
    ];
}
