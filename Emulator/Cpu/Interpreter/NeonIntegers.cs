using System.Numerics;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>One lane of AArch64's integer vector operations. Operands come extended; of the result the lane's bits count.</summary>
internal static class NeonIntegers
{
    public static Int128 Compute(long form, int bits, Int128 a, Int128 b, Int128 c, ref bool isSaturated)
    {
        bool isUnsigned = NeonForm.Has(form, NeonForm.Unsigned), rounds = NeonForm.Has(form, NeonForm.Round);
        int amount = NeonForm.Amount(form);
        Int128 value;
        switch (NeonForm.Operation(form))
        {
            case NeonOperation.Add or NeonOperation.AddMixed: value = a + b; break;
            case NeonOperation.Subtract: value = a - b; break;
            case NeonOperation.HalvingAdd: return (a + b + (rounds ? 1 : 0)) >> 1;
            case NeonOperation.HalvingSubtract: return (a - b) >> 1;
            case NeonOperation.AbsoluteDifference: return Int128.Abs(a - b);
            case NeonOperation.AccumulateDifference: return c + Int128.Abs(a - b);
            case NeonOperation.Multiply: return a * b;
            case NeonOperation.MultiplyAdd: return c + (a * b);
            case NeonOperation.MultiplySubtract: return c - (a * b);
            case NeonOperation.MultiplyPolynomial: return Polynomial((uint)(byte)a, (uint)(byte)b);
            case NeonOperation.DoublingMultiplyHigh: value = ((2 * a * b) + (rounds ? Int128.One << (bits - 1) : 0)) >> bits; break;
            case NeonOperation.DoublingMultiply: value = 2 * a * b; break;
            case NeonOperation.DoublingMultiplyAdd: value = c + Saturate(2 * a * b, bits, false, ref isSaturated); break;
            case NeonOperation.DoublingMultiplySubtract: value = c - Saturate(2 * a * b, bits, false, ref isSaturated); break;
            case NeonOperation.ShiftBy: value = Shift(a, (sbyte)(byte)(b & 0xFF), rounds, bits); break;
            case NeonOperation.Absolute: value = Int128.Abs(a); break;
            case NeonOperation.Negate: value = -a; break;
            case NeonOperation.ShiftLeft or NeonOperation.ShiftLeftUnsigned: value = a << amount; break;
            default: return ComputeUnsaturated(form, bits, a, b, c);
        }
        bool becomesUnsigned = isUnsigned || NeonForm.Operation(form) == NeonOperation.ShiftLeftUnsigned;
        return NeonForm.Has(form, NeonForm.Saturate) ? Saturate(value, bits, becomesUnsigned, ref isSaturated) : value;
    }

    private static Int128 ComputeUnsaturated(long form, int bits, Int128 a, Int128 b, Int128 c)
    {
        int amount = NeonForm.Amount(form);
        bool rounds = NeonForm.Has(form, NeonForm.Round);
        return NeonForm.Operation(form) switch
        {
            NeonOperation.And => a & b,
            NeonOperation.BitClear => a & ~b,
            NeonOperation.Or => a | b,
            NeonOperation.OrNot => a | ~b,
            NeonOperation.ExclusiveOr => a ^ b,
            NeonOperation.ReciprocalEstimate => NeonEstimates.Unsigned(isSquareRoot: false, (uint)(a & uint.MaxValue)),
            NeonOperation.SquareRootEstimate => NeonEstimates.Unsigned(isSquareRoot: true, (uint)(a & uint.MaxValue)),
            NeonOperation.Max => Int128.Max(a, b),
            NeonOperation.Min => Int128.Min(a, b),
            NeonOperation.CompareEqual => Mask(a == b),
            NeonOperation.CompareGreater => Mask(a > b),
            NeonOperation.CompareGreaterOrEqual => Mask(a >= b),
            NeonOperation.CompareTest => Mask((a & b) != 0),
            NeonOperation.Not => ~a,
            NeonOperation.ReverseBits => ReverseByte((byte)(a & 0xFF)),
            NeonOperation.LeadingZeros => LeadingZeros((ulong)a, bits),
            NeonOperation.LeadingSigns => LeadingZeros((ulong)(a ^ (a >> 1)), bits) - 1,
            NeonOperation.CountBits => BitOperations.PopCount((ulong)a & 0xFF),
            NeonOperation.ShiftRight => ShiftRight(a, amount, rounds),
            NeonOperation.ShiftRightAdd => c + ShiftRight(a, amount, rounds),
            NeonOperation.ShiftLeftInsert => (a << amount) | (c & ((Int128.One << amount) - 1)),
            NeonOperation.ShiftRightInsert => InsertRight(a, c, amount, bits),
            _ => throw new InvalidOperationException($"no lanes of {NeonForm.Operation(form)}"),
        };
    }

    private static Int128 Mask(bool holds) => holds ? -1 : 0;

    private static Int128 InsertRight(Int128 a, Int128 c, int amount, int bits)
    {
        Int128 lane = (Int128.One << bits) - 1, inserted = lane >> amount;
        return ((a & lane) >> amount) | (c & ~inserted);
    }

    private static int LeadingZeros(ulong value, int bits) => Math.Min(BitOperations.LeadingZeroCount(value << (64 - bits)), bits);

    private static int ReverseByte(byte value)
    {
        int reversed = 0;
        for (int i = 0; i < 8; i++)
            reversed |= ((value >> i) & 1) << (7 - i);
        return reversed;
    }

    // ---- shifts and saturation ---------------------------------------------------------------------------------------

    /// <summary>Left by a positive amount, right by a negative one.</summary>
    private static Int128 Shift(Int128 value, int amount, bool rounds, int bits)
    {
        if (amount < 0)
            return ShiftRight(value, -amount, rounds);
        if (amount < bits || value == 0)
            return value << Math.Min(amount, bits);
        // What is shifted out counts for saturation; of a lane's bits nothing stays.
        Int128 beyond = Int128.One << (bits + 1);
        return value < 0 ? -beyond : beyond;
    }

    public static Int128 ShiftRight(Int128 value, int amount, bool rounds)
    {
        const int most = 100;
        if (amount == 0)
            return value;
        amount = Math.Min(amount, most);
        return (value + (rounds ? Int128.One << (amount - 1) : 0)) >> amount;
    }

    public static Int128 Saturate(Int128 value, int bits, bool isUnsigned, ref bool isSaturated)
    {
        Int128 largest = (Int128.One << (isUnsigned ? bits : bits - 1)) - 1, smallest = isUnsigned ? 0 : -largest - 1;
        if (value >= smallest && value <= largest)
            return value;
        isSaturated = true;
        return value < smallest ? smallest : largest;
    }

    // ---- polynomials over {0, 1} -------------------------------------------------------------------------------------

    private static Int128 Polynomial(uint a, uint b)
    {
        uint product = 0;
        for (int i = 0; i < 8; i++)
            product ^= ((b >> i) & 1) != 0 ? a << i : 0;
        return product;
    }

    public static Vector128<byte> MultiplyPolynomial(ulong a, ulong b)
    {
        UInt128 product = 0;
        for (int i = 0; i < 64; i++)
            product ^= ((b >> i) & 1) != 0 ? (UInt128)a << i : 0;
        return Vector128.Create((ulong)product, (ulong)(product >> 64)).AsByte();
    }
}
