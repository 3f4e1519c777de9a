using System.Numerics;
using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Integer arithmetic on the low 1 &lt;&lt; size bytes, with the flags of x86 (SDM Vol. 1, 3.4.3.1).</summary>
internal static class Alu
{
    public const ulong Carry = 1;
    public const ulong Parity = 4;
    public const ulong Adjust = 0x10;
    public const ulong Zero = 0x40;
    public const ulong Sign = 0x80;
    public const ulong Overflow = 0x800;
    public const ulong Arithmetic = Carry | Parity | Adjust | Zero | Sign | Overflow;

    public static ulong Mask(int size) => ulong.MaxValue >> (64 - (8 << size));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Add(ulong a, ulong b, ulong carry, in MicroOp op, ref ulong flags)
    {
        ulong mask = Mask(op.Size);
        a &= mask;
        b &= mask;
        ulong result = (a + b + carry) & mask;
        if (op.Flags != FlagMask.None)
        {
            ulong carries = (a & b) | ((a | b) & ~result);
            flags = (flags & ~Arithmetic) | Flags(result, carries, a ^ b ^ result, (a ^ result) & (b ^ result), op.Size);
        }
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Subtract(ulong a, ulong b, ulong borrow, in MicroOp op, ref ulong flags)
    {
        ulong mask = Mask(op.Size);
        a &= mask;
        b &= mask;
        ulong result = (a - b - borrow) & mask;
        if (op.Flags != FlagMask.None)
        {
            ulong borrows = (~a & b) | ((~a | b) & result);
            flags = (flags & ~Arithmetic) | Flags(result, borrows, a ^ b ^ result, (a ^ b) & (a ^ result), op.Size);
        }
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Logic(ulong result, in MicroOp op, ref ulong flags)
    {
        result &= Mask(op.Size);
        if (op.Flags != FlagMask.None)
            flags = (flags & ~Arithmetic) | Flags(result, 0, 0, 0, op.Size);
        return result;
    }

    /// <summary>INC and DEC: the flags of an addition but carry, which stays.</summary>
    public static ulong Step(ulong a, bool up, in MicroOp op, ref ulong flags)
    {
        ulong carry = flags & Carry;
        ulong result = up ? Add(a, 1, 0, op, ref flags) : Subtract(a, 1, 0, op, ref flags);
        flags = (flags & ~Carry) | carry;
        return result;
    }

    private static ulong Flags(ulong result, ulong carries, ulong adjust, ulong overflow, int size)
    {
        int top = (8 << size) - 1;
        ulong flags = (carries >> top) & 1;
        flags |= ParityOf(result);
        flags |= adjust & Adjust;
        flags |= result == 0 ? Zero : 0;
        flags |= (result >> top << 7) & Sign;
        return flags | ((overflow >> top << 11) & Overflow);
    }

    private static ulong ParityOf(ulong result) => (ulong)(~BitOperations.PopCount((byte)result) & 1) << 2;

    private static ulong ResultFlags(ulong result, int size) =>
        ParityOf(result) | (result == 0 ? Zero : 0) | ((result >> ((8 << size) - 1) << 7) & Sign);

    /// <summary>SHL, SHR, SAR. Overflow is defined for a count of 1; for others it is left as silicon's formula for 1 gives it.</summary>
    public static ulong Shift(OpCode code, ulong a, ulong count, in MicroOp op, ref ulong flags)
    {
        int size = op.Size, bits = 8 << size;
        ulong mask = Mask(size);
        a &= mask;
        int n = (int)count & (size == 3 ? 63 : 31);
        if (n == 0)
            return a;
        ulong result, carry, overflow;
        switch (code)
        {
            case OpCode.ShiftLeft:
                result = a << n & mask;
                carry = n <= bits ? (a >> (bits - n)) & 1 : 0;
                overflow = (result >> (bits - 1)) ^ carry;
                break;
            case OpCode.ShiftRight:
                result = a >> n;
                carry = (a >> (n - 1)) & 1;
                overflow = a >> (bits - 1);
                break;
            default:
                long signed = SignExtend(a, size);
                result = (ulong)(signed >> n) & mask;
                carry = (ulong)(signed >> (n - 1)) & 1;
                overflow = 0;
                break;
        }
        if (op.Flags != FlagMask.None)
            flags = (flags & ~Arithmetic) | carry | ((overflow & 1) << 11) | ResultFlags(result, size);
        return result;
    }

    /// <summary>ROL, ROR: only carry and overflow change.</summary>
    public static ulong Rotate(bool left, ulong a, ulong count, in MicroOp op, ref ulong flags)
    {
        int size = op.Size, bits = 8 << size;
        ulong mask = Mask(size);
        a &= mask;
        int masked = (int)count & (size == 3 ? 63 : 31);
        if (masked == 0)
            return a;
        int n = masked & (bits - 1);
        if (!left)
            n = (bits - n) & (bits - 1);
        ulong result = n == 0 ? a : (a << n | a >> (bits - n)) & mask;
        if (op.Flags == FlagMask.None)
            return result;
        ulong top = result >> (bits - 1);
        ulong carry = left ? result & 1 : top;
        ulong overflow = left ? top ^ carry : top ^ ((result >> (bits - 2)) & 1);
        flags = (flags & ~(Carry | Overflow)) | carry | (overflow << 11);
        return result;
    }

    /// <summary>RCL, RCR: rotates through carry, one bit wider than the operand.</summary>
    public static ulong RotateCarry(bool left, ulong a, ulong count, in MicroOp op, ref ulong flags)
    {
        int size = op.Size, bits = 8 << size;
        a &= Mask(size);
        int n = ((int)count & (size == 3 ? 63 : 31)) % (bits + 1);
        if (n == 0)
            return a;
        if (!left)
            n = bits + 1 - n;
        UInt128 wide = ((UInt128)(flags & Carry) << bits) | a;
        UInt128 turned = (wide << n) | (wide >> (bits + 1 - n));
        ulong result = (ulong)turned & Mask(size);
        ulong carry = (ulong)(turned >> bits) & 1;
        if (op.Flags != FlagMask.None)
        {
            ulong top = result >> (bits - 1);
            ulong overflow = left ? top ^ carry : top ^ ((result >> (bits - 2)) & 1);
            flags = (flags & ~(Carry | Overflow)) | carry | (overflow << 11);
        }
        return result;
    }

    /// <summary>SHLD, SHRD.</summary>
    public static ulong ShiftDouble(bool left, ulong a, ulong b, ulong count, in MicroOp op, ref ulong flags)
    {
        int size = op.Size, bits = 8 << size;
        ulong mask = Mask(size);
        a &= mask;
        b &= mask;
        int n = (int)count & (size == 3 ? 63 : 31);
        if (n == 0)
            return a;
        // A 16-bit count past 16 is undefined; the operands then wrap as if concatenated once more.
        UInt128 wide = left ? ((UInt128)a << (2 * bits)) | ((UInt128)b << bits) | a : ((UInt128)a << (2 * bits)) | ((UInt128)b << bits) | a;
        ulong result, carry;
        if (left)
        {
            UInt128 moved = bits == 64 ? (((UInt128)a << 64) | b) << n : wide << n;
            result = (ulong)(moved >> (bits == 64 ? 64 : 2 * bits)) & mask;
            carry = bits == 64 ? (a >> (64 - n)) & 1 : (ulong)(((wide << (n - 1)) >> ((3 * bits) - 1)) & 1);
        }
        else
        {
            UInt128 pair = bits == 64 ? ((UInt128)b << 64) | a : wide;
            result = (ulong)(pair >> n) & mask;
            carry = (ulong)(pair >> (n - 1)) & 1;
        }
        if (op.Flags != FlagMask.None)
        {
            ulong overflow = ((result ^ a) >> (bits - 1)) & 1;
            flags = (flags & ~Arithmetic) | carry | (overflow << 11) | ResultFlags(result, size);
        }
        return result;
    }

    /// <summary>IMUL's low half; carry and overflow when the signed product does not fit.</summary>
    public static ulong Multiply(ulong a, ulong b, in MicroOp op, ref ulong flags)
    {
        Int128 product = (Int128)SignExtend(a, op.Size) * SignExtend(b, op.Size);
        ulong result = (ulong)product & Mask(op.Size);
        if (op.Flags != FlagMask.None)
            SetProductFlags(product != SignExtend(result, op.Size), result, op.Size, ref flags);
        return result;
    }

    public static (ulong Low, ulong High) MultiplyWide(bool isSigned, ulong a, ulong b, in MicroOp op, ref ulong flags)
    {
        ulong mask = Mask(op.Size);
        UInt128 product = isSigned
            ? (UInt128)((Int128)SignExtend(a, op.Size) * SignExtend(b, op.Size))
            : (UInt128)(a & mask) * (b & mask);
        ulong low = (ulong)product & mask, high = (ulong)(product >> (8 << op.Size)) & mask;
        bool cut = isSigned ? high != ((ulong)(SignExtend(low, op.Size) >> 63) & mask) : high != 0;
        if (op.Flags != FlagMask.None)
            SetProductFlags(cut, low, op.Size, ref flags);
        return op.Size == 0 ? (low | high << 8, 0) : (low, high);
    }

    /// <summary>Sign, zero, adjust and parity are undefined after a multiplication; sign and parity follow the low half here.</summary>
    private static void SetProductFlags(bool cut, ulong low, int size, ref ulong flags) =>
        flags = (flags & ~Arithmetic) | (cut ? Carry | Overflow : 0) | (ResultFlags(low, size) & ~Zero);

    /// <summary>False for a divisor of zero or a quotient that does not fit.</summary>
    public static bool TryDivide(bool isSigned, ulong low, ulong high, ulong divisor, int size, out ulong quotient, out ulong remainder)
    {
        ulong mask = Mask(size);
        UInt128 dividend = size == 0 ? low & 0xFFFF : ((UInt128)(high & mask) << (8 << size)) | (low & mask);
        quotient = remainder = 0;
        if ((divisor & mask) == 0)
            return false;
        if (!isSigned)
        {
            UInt128 unsigned = dividend / (divisor & mask);
            quotient = (ulong)unsigned;
            remainder = (ulong)(dividend % (divisor & mask));
            return unsigned <= mask;
        }
        int unused = 128 - (16 << size);
        Int128 signedDividend = (Int128)(dividend << unused) >> unused;
        Int128 by = SignExtend(divisor, size);
        // The one quotient that Int128 itself cannot hold does not fit either.
        if (by == -1 && signedDividend == Int128.MinValue)
            return false;
        Int128 signed = signedDividend / by;
        quotient = (ulong)signed & mask;
        remainder = (ulong)(signedDividend % by) & mask;
        return signed == SignExtend(quotient, size);
    }

    public static long SignExtend(ulong value, int size)
    {
        int unused = 64 - (8 << size);
        return (long)(value << unused) >> unused;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(Condition condition, ulong flags)
    {
        bool even = (Condition)((int)condition & ~1) switch
        {
            Condition.Overflow => (flags & Overflow) != 0,
            Condition.Below => (flags & Carry) != 0,
            Condition.Equal => (flags & Zero) != 0,
            Condition.BelowOrEqual => (flags & (Carry | Zero)) != 0,
            Condition.Sign => (flags & Sign) != 0,
            Condition.Parity => (flags & Parity) != 0,
            Condition.Less => ((flags >> 7) & 1) != ((flags >> 11) & 1),
            _ => (flags & Zero) != 0 || ((flags >> 7) & 1) != ((flags >> 11) & 1),
        };
        return even ^ (((int)condition & 1) != 0);
    }
}
