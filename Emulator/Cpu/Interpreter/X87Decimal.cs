using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Packed decimal: 18 digits, two a byte, and a sign byte (SDM Vol. 1, 4.7).</summary>
internal static class X87Decimal
{
    private const ulong Limit = 1_000_000_000_000_000_000;

    public static FloatValue Unpack(ulong low, ushort high)
    {
        ulong magnitude = 0;
        for (var shift = 4; shift >= 0; shift -= 4)
            magnitude = magnitude * 10 + ((uint)high >> shift & 15);
        for (var shift = 60; shift >= 0; shift -= 4)
            magnitude = magnitude * 10 + (low >> shift & 15);
        return FloatValue.FromUnsigned(magnitude).WithSign(high >= 0x8000);
    }

    /// <summary>Rounds to an integer of 18 digits; anything else is invalid and gives the decimal indefinite.</summary>
    public static (ulong Low, ushort High) Pack(in FloatValue value, ref FloatContext context)
    {
        var trial = context;
        var integer = FloatConversion.ToInteger(value, 64, context.Rounding, ref trial, out var isValid);
        var magnitude = integer < 0 ? 0UL - (ulong)integer : (ulong)integer;
        if (!isValid || magnitude >= Limit)
        {
            context.RoundedUp = false;
            context.Raise(FloatFlags.Invalid);
            return (0xC000_0000_0000_0000, 0xFFFF);
        }

        context = trial;
        ulong low = 0;
        for (var shift = 0; shift < 64; shift += 4, magnitude /= 10)
            low |= magnitude % 10 << shift;
        var high = magnitude % 10 | magnitude / 10 << 4 | (value.Sign ? 0x8000UL : 0);
        return (low, (ushort)high);
    }
}
