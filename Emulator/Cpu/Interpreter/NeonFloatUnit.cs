using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Floating point of one AArch64 instruction: its environment, and the flags that its lanes raise.</summary>
internal ref struct NeonFloatUnit
{
    private const int HalfSpecial = 31;

    private readonly uint _control;
    private uint _denormals;

    public FloatContext Context;

    public NeonFloatUnit(uint control)
    {
        _control = control;
        Context = new FloatContext
        {
            Rounding = Arm64State.RoundingOf(control),
            NaNs = (control & Arm64State.DefaultNaN) != 0 ? NaNRule.Default : NaNRule.SignalingFirst,
            TinyBeforeRounding = true,
        };
    }

    private readonly bool Flushes => (_control & Arm64State.FlushToZero) != 0;

    /// <summary>FPSR's bits for what was raised.</summary>
    public readonly uint Status
    {
        get
        {
            uint raised = (uint)Context.Raised;
            return (raised & 1) | ((raised >> 1) & 0x1E) | _denormals;
        }
    }

    /// <summary>FPUnpack: a denormal counts as zero under FZ, but for half precision.</summary>
    public FloatValue Unpack(FloatFormat format, ulong bits)
    {
        if (format == FloatFormat.Binary16 && (_control & Arm64State.AlternativeHalf) != 0 && ((bits >> 10) & HalfSpecial) == HalfSpecial)
            return new FloatValue(FloatClass.Finite, (bits & 0x8000) != 0, HalfSpecial - format.Bias, (UInt128)(0x400 | (bits & 0x3FF)) << 117);
        FloatValue value = FloatValue.Unpack(format, bits);
        if (!value.IsDenormal || !Flushes || format == FloatFormat.Binary16)
            return value;
        _denormals = Arm64State.InputDenormal;
        return FloatValue.Zero(value.Sign);
    }

    /// <summary>FPRound.</summary>
    public ulong Pack(FloatFormat format, in FloatValue value)
    {
        if (format == FloatFormat.Binary16 && (_control & Arm64State.AlternativeHalf) != 0)
            return PackAlternative(value);
        if (value.IsFinite && Flushes && format != FloatFormat.Binary16 && value.Exponent + format.Bias <= 0)
        {
            Context.Raise(FloatFlags.Underflow);
            return value.Sign ? 1ul << (format.FractionBits + format.ExponentBits) : 0;
        }
        return FloatRounding.Pack(format, value, ref Context);
    }

    /// <summary>No infinities, no NaNs: what is none or too large raises invalid.</summary>
    private ulong PackAlternative(in FloatValue value)
    {
        ulong sign = value.Sign ? 0x8000ul : 0;
        const ulong largest = 0x7FFF;
        if (value.IsNaN || value.IsInfinity)
        {
            Context.Raise(FloatFlags.Invalid);
            return value.IsNaN ? sign : sign | largest;
        }
        int biased = value.Exponent + FloatFormat.Binary16.Bias;
        if (value.IsZero || biased < HalfSpecial - 1)
            return FloatRounding.Pack(FloatFormat.Binary16, value, ref Context);
        ulong significand = FloatRounding.RoundSignificand(value.Significand, FloatFormat.Binary16.Precision, value.Sign, ref Context, out int carry, out bool isInexact);
        if (biased + carry > HalfSpecial)
        {
            Context.Raise(FloatFlags.Invalid);
            return sign | largest;
        }
        if (isInexact)
            Context.Raise(FloatFlags.Inexact);
        return sign | ((ulong)(biased + carry) << 10) | ((significand >> 53) & 0x3FF);
    }

    // ---- arithmetic --------------------------------------------------------------------------------------------------

    public ulong Arithmetic(FloatFormat format, NeonOperation operation, ulong bitsOfA, ulong bitsOfB)
    {
        FloatValue a = Unpack(format, bitsOfA);
        if (operation == NeonOperation.SquareRoot)
            return Pack(format, FloatArithmetic.SquareRoot(a, ref Context));
        FloatValue b = Unpack(format, bitsOfB);
        FloatValue result = operation switch
        {
            NeonOperation.Add => FloatArithmetic.Add(a, b, ref Context),
            NeonOperation.Subtract => FloatArithmetic.Subtract(a, b, ref Context),
            NeonOperation.Multiply => FloatArithmetic.Multiply(a, b, ref Context),
            NeonOperation.Divide => FloatArithmetic.Divide(a, b, ref Context),
            NeonOperation.MultiplyExtended => IsInfinityTimesZero(a, b) ? FloatValue.FromInteger(2).WithSign(a.Sign != b.Sign) : FloatArithmetic.Multiply(a, b, ref Context),
            NeonOperation.MaxNumber or NeonOperation.MinNumber => ChooseNumber(a, b, operation == NeonOperation.MaxNumber),
            _ => Choose(a, b, operation == NeonOperation.Max),
        };
        return Pack(format, result);
    }

    private static bool IsInfinityTimesZero(in FloatValue a, in FloatValue b) => (a.IsInfinity && b.IsZero) || (a.IsZero && b.IsInfinity);

    /// <summary>FPMax, FPMin: -0 is below +0.</summary>
    private FloatValue Choose(in FloatValue a, in FloatValue b, bool isMax)
    {
        if (a.IsNaN || b.IsNaN)
            return FloatNaN.Propagate(a, b, ref Context);
        FloatOrder order = FloatComparison.Compare(a, b, false, ref Context);
        bool takesFirst = order == FloatOrder.Equal ? a.Sign != isMax : order == FloatOrder.Greater == isMax;
        return takesFirst ? a : b;
    }

    /// <summary>FPMaxNum, FPMinNum: a quiet NaN gives way to a number.</summary>
    private FloatValue ChooseNumber(in FloatValue a, in FloatValue b, bool isMax)
    {
        if (a.Class == FloatClass.QuietNaN && !b.IsNaN)
            return b;
        return b.Class == FloatClass.QuietNaN && !a.IsNaN ? a : Choose(a, b, isMax);
    }

    /// <summary>FPMulAdd: of NaNs the addend comes first, but infinity times zero makes one before a quiet addend.</summary>
    public ulong MultiplyAdd(FloatFormat format, ulong bitsOfA, ulong bitsOfB, ulong bitsOfC)
    {
        FloatValue c = Unpack(format, bitsOfC), a = Unpack(format, bitsOfA), b = Unpack(format, bitsOfB);
        return Pack(format, MultiplyAdd(a, b, c));
    }

    private FloatValue MultiplyAdd(in FloatValue a, in FloatValue b, in FloatValue c)
    {
        if (c.Class == FloatClass.QuietNaN && IsInfinityTimesZero(a, b))
            return FloatNaN.Invalid(ref Context);
        if (c.Class == FloatClass.SignalingNaN)
            return FloatNaN.Propagate(c, ref Context);
        if (a.Class == FloatClass.SignalingNaN || b.Class == FloatClass.SignalingNaN || (!c.IsNaN && (a.IsNaN || b.IsNaN)))
            return FloatNaN.Propagate(a, b, ref Context);
        return c.IsNaN ? FloatNaN.Propagate(c, ref Context) : FloatArithmetic.Add(FloatArithmetic.Multiply(a, b, ref Context), c, ref Context);
    }

    /// <summary>FPRecipStepFused, FPRSqrtStepFused: A comes negated; infinity times zero counts as zero.</summary>
    public ulong Step(FloatFormat format, bool isSquareRoot, ulong bitsOfA, ulong bitsOfB)
    {
        FloatValue a = Unpack(format, bitsOfA), b = Unpack(format, bitsOfB);
        if (a.IsNaN || b.IsNaN)
            return Pack(format, FloatNaN.Propagate(a, b, ref Context));
        FloatValue start = FloatValue.FromInteger(isSquareRoot ? 3 : 2);
        FloatValue sum = IsInfinityTimesZero(a, b) ? start : FloatArithmetic.Add(start, FloatArithmetic.Multiply(a, b, ref Context), ref Context);
        return Pack(format, isSquareRoot && sum.IsFinite ? sum.Scaled(-1) : sum);
    }

    public bool Relates(FloatFormat format, NeonOperation operation, ulong bitsOfA, ulong bitsOfB)
    {
        FloatValue a = Unpack(format, bitsOfA), b = Unpack(format, bitsOfB);
        FloatOrder order = FloatComparison.Compare(a, b, operation != NeonOperation.CompareEqual, ref Context);
        return operation switch
        {
            NeonOperation.CompareEqual => order == FloatOrder.Equal,
            NeonOperation.CompareGreater => order == FloatOrder.Greater,
            _ => order is FloatOrder.Greater or FloatOrder.Equal,
        };
    }

    // ---- conversions -------------------------------------------------------------------------------------------------

    public ulong RoundToIntegral(FloatFormat format, ulong bits, RoundingMode mode, bool raisesInexact) =>
        Pack(format, FloatConversion.RoundToIntegral(Unpack(format, bits), mode, raisesInexact, ref Context));

    /// <summary>FPConvert; <paramref name="toOdd"/>: inexact results have their last bit set.</summary>
    public ulong Convert(FloatFormat from, FloatFormat to, ulong bits, bool toOdd)
    {
        FloatValue value = Unpack(from, bits);
        if (value.IsNaN)
        {
            // The alternative format has no NaN to propagate into.
            bool isAlternative = to == FloatFormat.Binary16 && (_control & Arm64State.AlternativeHalf) != 0;
            return Pack(to, isAlternative ? value : FloatNaN.Propagate(value, ref Context));
        }
        if (!toOdd)
            return Pack(to, value);
        FloatFlags before = Context.Raised;
        (RoundingMode rounding, Context.Rounding, Context.Raised) = (Context.Rounding, RoundingMode.TowardZero, FloatFlags.None);
        ulong result = Pack(to, value);
        if ((Context.Raised & FloatFlags.Inexact) != 0)
            result |= 1;
        (Context.Rounding, Context.Raised) = (rounding, Context.Raised | before);
        return result;
    }
}
