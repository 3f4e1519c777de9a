using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// The transcendental instructions (SDM Vol. 1, 8.3.6..8.3.11): special operands as the manual's tables have them, other results
/// from <see cref="Elementary"/>, rounded correctly. Outside their domains results are undefined; here they are as on AMD's.
/// </summary>
internal static class X87Transcendentals
{
    public static void Execute(ref X87State x87, X87Function function)
    {
        switch (function)
        {
            case X87Function.TwoToXMinus1:
                Unary(ref x87);
                break;
            case X87Function.YLog2X or X87Function.YLog2XPlus1 or X87Function.PartialArctangent:
                Binary(ref x87, function);
                break;
            default:
                Trigonometric(ref x87, function);
                break;
        }
    }

    private static void Unary(ref X87State x87)
    {
        var context = FloatContext.FromX87(x87.Control);
        var exact = TwoToXMinus1(FloatValue.Unpack(X87Stack.Register(ref x87, 0)), ref context);
        var result = FloatRounding.PackExtended(exact, 64, ref context);
        if (!X87Stack.Report(ref x87, context))
            X87Stack.Register(ref x87, 0) = result;
    }

    private static FloatValue TwoToXMinus1(in FloatValue x, ref FloatContext context)
    {
        if (x.IsNaN)
            return FloatNaN.Propagate(x, ref context);
        if (x.IsInfinity)
            return x.Sign ? FloatValue.FromInteger(-1) : x;
        if (x.IsZero)
            return x;
        RaiseInexact(x, ref context);
        if (x.Exponent < 0)
            return Elementary.TwoToXMinus1(WideFloat.From(x)).ToInexact();
        // Exact at ±1; beyond, undefined: unchanged.
        var isMinusOne = x.Sign && x.Exponent == 0 && x.Upper == 1UL << 63;
        return isMinusOne ? x.Scaled(-1) : x;
    }

    private static void RaiseInexact(in FloatValue x, ref FloatContext context) =>
        context.Raise(x.IsDenormal ? FloatFlags.Inexact | FloatFlags.Denormal : FloatFlags.Inexact);

    private static void Binary(ref X87State x87, X87Function function)
    {
        var context = FloatContext.FromX87(x87.Control);
        var x = FloatValue.Unpack(X87Stack.Register(ref x87, 0));
        var y = FloatValue.Unpack(X87Stack.Register(ref x87, 1));
        var exact = function switch
        {
            _ when x.IsNaN || y.IsNaN => FloatNaN.Propagate(x, y, ref context),
            X87Function.YLog2X => YLog2X(x, y, ref context),
            X87Function.YLog2XPlus1 => YLog2XPlus1(x, y, ref context),
            _ => Arctangent(x, y, ref context),
        };
        var result = FloatRounding.PackExtended(exact, 64, ref context);
        if (X87Stack.Report(ref x87, context))
            return;
        X87Stack.Write(ref x87, 1, result);
        X87Stack.Pop(ref x87);
    }

    private static FloatValue YLog2X(in FloatValue x, in FloatValue y, ref FloatContext context)
    {
        var isOne = x.IsFinite && x.Exponent == 0 && x.Upper == 1UL << 63;
        if ((x.Sign && !x.IsZero) || (x.IsZero && y.IsZero) || (isOne && y.IsInfinity) || (x.IsInfinity && y.IsZero))
            return FloatNaN.Invalid(ref context);
        if (x.IsZero)
        {
            if (y.IsFinite)
                context.Raise(FloatFlags.DivideByZero);
            return FloatValue.Infinity(!y.Sign);
        }

        FloatArithmetic.RaiseDenormal(x, y, ref context);
        if (isOne)
            return FloatValue.Zero(y.Sign);
        var isNegative = !x.IsInfinity && x.Exponent < 0;
        if (x.IsInfinity || y.IsInfinity)
            return FloatValue.Infinity(y.Sign != isNegative);
        if (y.IsZero)
            return FloatValue.Zero(y.Sign != isNegative);
        context.Raise(FloatFlags.Inexact);
        var product = WideFloat.From(y) * Elementary.Log2(WideFloat.From(x));
        if (x.Upper != 1UL << 63)
            return product.ToInexact();
        // The logarithm of a power of two is exact, and so may be the product, but it is reported as rounded.
        if (product.Exponent <= -FloatFormat.Extended80.Bias)
            context.Raise(FloatFlags.Underflow);
        return new FloatValue(FloatClass.Finite, product.Sign, product.Exponent, product.Significand);
    }

    private static FloatValue YLog2XPlus1(in FloatValue x, in FloatValue y, ref FloatContext context)
    {
        if ((x.IsInfinity && (x.Sign || y.IsZero)) || (x.IsZero && y.IsInfinity))
            return FloatNaN.Invalid(ref context);
        FloatArithmetic.RaiseDenormal(x, y, ref context);
        var sign = x.Sign != y.Sign;
        if (x.IsInfinity || y.IsInfinity)
            return FloatValue.Infinity(sign);
        if (x.IsZero || y.IsZero)
            return FloatValue.Zero(sign);
        context.Raise(FloatFlags.Inexact);
        if (x.Sign && x.Exponent >= 0)
            return x;
        return (WideFloat.From(y) * Elementary.Log2OnePlus(WideFloat.From(x))).ToInexact();
    }

    private static FloatValue Arctangent(in FloatValue x, in FloatValue y, ref FloatContext context)
    {
        FloatArithmetic.RaiseDenormal(x, y, ref context);
        if (y.IsZero || (x.IsInfinity && !y.IsInfinity))
            return x.Sign ? Angle(Elementary.Pi, y.Sign, ref context) : FloatValue.Zero(y.Sign);
        if (y.IsInfinity && x.IsInfinity)
            return Angle(x.Sign ? Elementary.HalfPi + Elementary.HalfPi.Scaled(-1) : Elementary.HalfPi.Scaled(-1), y.Sign, ref context);
        if (y.IsInfinity || x.IsZero)
            return Angle(Elementary.HalfPi, y.Sign, ref context);
        context.Raise(FloatFlags.Inexact);
        return Elementary.Arctangent(WideFloat.From(y), WideFloat.From(x)).ToInexact();
    }

    private static FloatValue Angle(WideFloat angle, bool sign, ref FloatContext context)
    {
        context.Raise(FloatFlags.Inexact);
        return (sign ? -angle : angle).ToInexact();
    }

    /// <summary>FSIN, FCOS, FSINCOS and FPTAN. Operands of 2^63 and more are left alone, with C2 set.</summary>
    private static void Trigonometric(ref X87State x87, X87Function function)
    {
        var context = FloatContext.FromX87(x87.Control);
        var x = FloatValue.Unpack(X87Stack.Register(ref x87, 0));
        var pushes = function is X87Function.SineCosine or X87Function.PartialTangent;
        if (pushes && !X87Stack.IsEmpty(ref x87, -1))
        {
            PushOverflow(ref x87);
            return;
        }

        if (x.IsFinite && x.Exponent >= 63)
        {
            X87Stack.SetConditions(ref x87, X87Stack.C1 | X87Stack.C2, X87Stack.C2);
            return;
        }

        var (first, second) = Compute(function, x, ref context);
        var result = FloatRounding.PackExtended(first, 64, ref context);
        var roundedUp = context.RoundedUp;
        var pushed = FloatRounding.PackExtended(second, 64, ref context);
        context.RoundedUp = roundedUp;
        var isWithheld = X87Stack.Report(ref x87, context);
        X87Stack.SetConditions(ref x87, X87Stack.C2, 0);
        if (isWithheld)
            return;
        X87Stack.Write(ref x87, 0, result);
        if (pushes)
            X87Stack.Push(ref x87, pushed);
    }

    private static void PushOverflow(ref X87State x87)
    {
        X87Stack.SetConditions(ref x87, X87Stack.C2, 0);
        if (X87Stack.Fault(ref x87, true))
            return;
        X87Stack.Write(ref x87, 0, X87Stack.Indefinite);
        X87Stack.Push(ref x87, X87Stack.Indefinite);
    }

    /// <summary>What replaces the top, and what is pushed then (the cosine; 1 for the tangent).</summary>
    private static (FloatValue First, FloatValue Second) Compute(X87Function function, in FloatValue x, ref FloatContext context)
    {
        var one = FloatValue.FromInteger(1);
        if (x.IsNaN || x.IsInfinity)
        {
            var nan = x.IsNaN ? FloatNaN.Propagate(x, ref context) : FloatNaN.Invalid(ref context);
            return (nan, nan);
        }

        if (x.IsZero)
            return (function == X87Function.Cosine ? one : x, one);
        RaiseInexact(x, ref context);
        var (sine, cosine) = Elementary.SineCosine(WideFloat.From(x));
        return function switch
        {
            X87Function.Sine => (Inexact(sine), one),
            X87Function.Cosine => (Inexact(cosine), one),
            X87Function.SineCosine => (Inexact(sine), Inexact(cosine)),
            _ => (Inexact(sine / cosine), one),
        };
    }

    private static FloatValue Inexact(WideFloat value) => value.IsZero ? FloatValue.Zero(value.Sign) : value.ToInexact();
}
