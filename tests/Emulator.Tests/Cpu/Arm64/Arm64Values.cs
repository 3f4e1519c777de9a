using Vivarium.Emulator.Tests.Cpu.Translator;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>Contents of vector registers.</summary>
internal static class Arm64Values
{
    private static ReadOnlySpan<double> Special =>
    [
        0, -0.0, 1, -1, 0.5, 1.5, double.NaN, double.PositiveInfinity, double.NegativeInfinity, double.MaxValue, double.Epsilon,
        2147483648.0, -2147483648.5, 4294967295.5, 9.2e18, -9.3e18, 1.8e19, 2.5, -0.75, 1e-310, 3.4e38, 1.2e-38,
    ];

    public static void Fill(FuzzRandom random, Span<byte> vector)
    {
        for (int at = 0; at < vector.Length; at += 8)
            BitConverter.TryWriteBytes(vector[at..], Bits(random));
    }

    private static ulong Bits(FuzzRandom random) => random.Below(7) switch
    {
        0 or 1 => random.Value(),
        2 => BitConverter.DoubleToUInt64Bits(Special[random.Below(Special.Length)]),
        3 => BitConverter.SingleToUInt32Bits((float)Special[random.Below(Special.Length)]) | ((ulong)BitConverter.SingleToUInt32Bits((float)Special[random.Below(Special.Length)]) << 32),
        4 => 0x7FF0000000000001 | (random.Value() & 0x8008000000000000),
        5 => BitConverter.DoubleToUInt64Bits((double)(long)random.Value() / (1 + random.Below(1000))),
        _ => BitConverter.SingleToUInt32Bits(random.Below(1000) - 500.25f) | ((ulong)BitConverter.SingleToUInt32Bits(random.Below(100) / 3f) << 32),
    };
}
