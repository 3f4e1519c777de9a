namespace Vivarium.Emulator.Tests.Cpu.SoftFloat;

/// <summary>Random floating-point operands, rich in the values where implementations go wrong.</summary>
internal sealed class FloatVectors(int seed)
{
    private readonly Random _random = new(seed);

    private static readonly ulong[] Special64 =
    [
        0, 1, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000, 0x0010_0000_0000_0001, 0x3FF0_0000_0000_0000, 0x3FF0_0000_0000_0001,
        0x3FEF_FFFF_FFFF_FFFF, 0x3FE0_0000_0000_0000, 0x4000_0000_0000_0000, 0x43E0_0000_0000_0000, 0x43DF_FFFF_FFFF_FFFF,
        0x41DF_FFFF_FFC0_0000, 0x41E0_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0001,
        0x7FF8_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x7FF4_0000_0000_1234, 0x3810_0000_0000_0000, 0x380F_FFFF_FFFF_FFFF,
        0x47EF_FFFF_E000_0000, 0x47EF_FFFF_F000_0000, 0x36A0_0000_0000_0000, 0x3690_0000_0000_0000,
    ];

    private static readonly uint[] Special32 =
    [
        0, 1, 0x007F_FFFF, 0x0080_0000, 0x0080_0001, 0x3F80_0000, 0x3F80_0001, 0x3F7F_FFFF, 0x3F00_0000, 0x4000_0000, 0x4F00_0000,
        0x4EFF_FFFF, 0x5F00_0000, 0x5EFF_FFFF, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FC0_0000, 0x7FFF_FFFF, 0x7FA0_1234,
    ];

    private static readonly ushort[] Special80 =
        [0, 1, 2, 0x3C00, 0x3C01, 0x3F80, 0x3F81, 0x3FBF, 0x3FFE, 0x3FFF, 0x4000, 0x401E, 0x403D, 0x403E, 0x407F, 0x43FF, 0x7FFD, 0x7FFE, 0x7FFF];

    public ulong NextBits() => (ulong)_random.NextInt64(long.MinValue, long.MaxValue);

    public int Next(int limit) => _random.Next(limit);

    public ulong Next64() => _random.Next(8) switch
    {
        0 => Special64[_random.Next(Special64.Length)] | NextBits() & (1UL << 63),
        1 => NextBits() & 0x800F_FFFF_FFFF_FFFF,
        2 => NextBits(),
        3 => BitConverter.DoubleToUInt64Bits(_random.Next(-100, 100)),
        4 => Near(0x3FFUL, 0x7FF, 52, 3) & 0xFFFF_FFFF_E000_0000,
        5 => Near(0x3FFUL, 0x7FF, 52, 64),
        _ => Near(0x3FFUL, 0x7FF, 52, 3),
    };

    public uint Next32() => _random.Next(8) switch
    {
        0 => Special32[_random.Next(Special32.Length)] | (uint)NextBits() & 0x8000_0000,
        1 => (uint)NextBits() & 0x807F_FFFF,
        2 => (uint)NextBits(),
        3 => BitConverter.SingleToUInt32Bits(_random.Next(-100, 100)),
        4 => (uint)Near(0x7F, 0xFF, 23, 3) & 0xFFFF_F000,
        5 => (uint)Near(0x7F, 0xFF, 23, 32),
        _ => (uint)Near(0x7F, 0xFF, 23, 3),
    };

    /// <summary>An x87 register: significand, then sign and exponent; every encoding occurs, pseudo and unsupported ones too.</summary>
    public (ulong Significand, ushort SignExponent) Next80()
    {
        var sign = (ushort)(_random.Next(2) << 15);
        var significand = _random.Next(5) switch
        {
            0 => 0x8000_0000_0000_0000,
            1 => NextBits() & 0xFFFF_F000_0000_0000 | 1UL << 63,
            2 => NextBits() & 0xC000_0000_0000_0001 | 1UL << 63,
            _ => NextBits() | 1UL << 63,
        };
        switch (_random.Next(12))
        {
            case 0:
                return (NextBits(), (ushort)(sign | _random.Next(0x8000)));
            case 1:
                return (0, sign);
            case 2:
                return (significand >> (1 + _random.Next(63)), sign);
            case 3:
            case 4:
                return (significand, (ushort)(sign | Special80[_random.Next(Special80.Length)]));
            case 5:
                return (significand, (ushort)(sign | 0x3FFF + _random.Next(-70, 70)));
            default:
                return (significand, (ushort)(sign | 0x3FFF + _random.Next(-3, 4)));
        }
    }

    private ulong Near(ulong bias, ulong mask, int fractionBits, int spread)
    {
        var exponent = bias + (ulong)_random.Next(-spread, spread + 1) & mask;
        var sign = NextBits() & 1UL << (fractionBits == 52 ? 63 : 31);
        return sign | exponent << fractionBits | NextBits() & ((1UL << fractionBits) - 1);
    }
}
