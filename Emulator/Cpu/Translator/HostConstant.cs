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

internal static class HostConstants
{
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
