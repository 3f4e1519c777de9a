using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The operations on the top of the stack: D9 E0..FF.</summary>
internal static class X87Functions
{
    public static void Execute(ref X87State x87, X87Function function)
    {
        switch (function)
        {
            case X87Function.DecrementTop:
                x87.Top--;
                X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
                return;
            case X87Function.IncrementTop:
                x87.Top++;
                X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
                return;
            case X87Function.Examine:
                Examine(ref x87);
                return;
        }

        if (X87Stack.IsEmpty(ref x87, 0) || (UsesSecond(function) && X87Stack.IsEmpty(ref x87, 1)))
        {
            Underflow(ref x87, function);
            return;
        }

        switch (function)
        {
            case X87Function.ChangeSign:
                X87Stack.Register(ref x87, 0).SignExponent ^= 0x8000;
                X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
                break;
            case X87Function.Absolute:
                X87Stack.Register(ref x87, 0).SignExponent &= 0x7FFF;
                X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
                break;
            case X87Function.Test:
                Test(ref x87);
                break;
            case X87Function.SquareRoot or X87Function.RoundToInteger or X87Function.Scale:
                Simple(ref x87, function);
                break;
            case X87Function.PartialRemainder or X87Function.NearestRemainder:
                Remainder(ref x87, function == X87Function.NearestRemainder);
                break;
            case X87Function.Extract:
                Extract(ref x87);
                break;
            default:
                X87Transcendentals.Execute(ref x87, function);
                break;
        }
    }

    private static bool UsesSecond(X87Function function) => function is X87Function.YLog2X or X87Function.PartialArctangent
        or X87Function.NearestRemainder or X87Function.PartialRemainder or X87Function.YLog2XPlus1 or X87Function.Scale;

    private static bool Pushes(X87Function function) =>
        function is X87Function.PartialTangent or X87Function.SineCosine or X87Function.Extract;

    /// <summary>The masked response to an empty operand: indefinite in the place of each result.</summary>
    private static void Underflow(ref X87State x87, X87Function function)
    {
        var isWithheld = X87Stack.Fault(ref x87, false);
        if (function == X87Function.Test)
            SetOrder(ref x87, FloatOrder.Unordered);
        if (function is X87Function.PartialRemainder or X87Function.NearestRemainder or X87Function.PartialTangent or X87Function.SineCosine
            or X87Function.Sine or X87Function.Cosine)
            X87Stack.SetConditions(ref x87, X87Stack.C2, 0);
        if (isWithheld || function == X87Function.Test)
            return;

        if (function is X87Function.YLog2X or X87Function.YLog2XPlus1 or X87Function.PartialArctangent)
            X87Stack.Pop(ref x87);
        X87Stack.Write(ref x87, 0, X87Stack.Indefinite);
        if (Pushes(function))
            X87Stack.Push(ref x87, X87Stack.Indefinite);
    }

    /// <summary>C3, C2 and C0 as the comparisons set them.</summary>
    public static void SetOrder(ref X87State x87, FloatOrder order)
    {
        var conditions = order switch
        {
            FloatOrder.Greater => 0,
            FloatOrder.Less => X87Stack.C0,
            FloatOrder.Equal => X87Stack.C3,
            _ => X87Stack.C0 | X87Stack.C2 | X87Stack.C3,
        };
        X87Stack.SetConditions(ref x87, X87Stack.C0 | X87Stack.C1 | X87Stack.C2 | X87Stack.C3, (ushort)conditions);
    }

    private static void Test(ref X87State x87)
    {
        var context = FloatContext.FromX87(x87.Control);
        var order = FloatComparison.Compare(FloatValue.Unpack(X87Stack.Register(ref x87, 0)), FloatValue.Zero(false), true, ref context);
        X87Stack.Report(ref x87, context);
        SetOrder(ref x87, order);
    }

    private static void Examine(ref X87State x87)
    {
        var register = X87Stack.Register(ref x87, 0);
        var value = FloatValue.Unpack(register);
        var conditions = value.Class switch
        {
            _ when X87Stack.IsEmpty(ref x87, 0) => X87Stack.C3 | X87Stack.C0,
            FloatClass.Unsupported => 0,
            FloatClass.QuietNaN or FloatClass.SignalingNaN => X87Stack.C0,
            FloatClass.Infinity => X87Stack.C2 | X87Stack.C0,
            FloatClass.Zero => X87Stack.C3,
            _ => value.IsDenormal ? X87Stack.C3 | X87Stack.C2 : X87Stack.C2,
        };
        if (value.Sign)
            conditions |= X87Stack.C1;
        X87Stack.SetConditions(ref x87, X87Stack.C0 | X87Stack.C1 | X87Stack.C2 | X87Stack.C3, (ushort)conditions);
    }

    private static void Simple(ref X87State x87, X87Function function)
    {
        var context = FloatContext.FromX87(x87.Control);
        var value = FloatValue.Unpack(X87Stack.Register(ref x87, 0));
        var precision = 64;
        FloatValue exact;
        switch (function)
        {
            case X87Function.SquareRoot:
                exact = FloatArithmetic.SquareRoot(value, ref context);
                precision = X87Stack.Precision(x87);
                break;
            case X87Function.Scale:
                exact = Scale(value, FloatValue.Unpack(X87Stack.Register(ref x87, 1)), ref context);
                break;
            default:
                Round(ref x87, value, ref context);
                return;
        }

        var result = FloatRounding.PackExtended(exact, precision, ref context);
        if (!X87Stack.Report(ref x87, context))
            X87Stack.Register(ref x87, 0) = result;
    }

    private static void Round(ref X87State x87, in FloatValue value, ref FloatContext context)
    {
        if (value.IsDenormal)
            context.Raise(FloatFlags.Denormal);
        var integral = FloatConversion.RoundToIntegral(value, context.Rounding, true, ref context);
        var roundedUp = context.RoundedUp;
        var result = FloatRounding.PackExtended(integral, 64, ref context);
        context.RoundedUp = roundedUp;
        if (!X87Stack.Report(ref x87, context))
            X87Stack.Register(ref x87, 0) = result;
    }

    /// <summary>FSCALE: value × 2^trunc(power).</summary>
    private static FloatValue Scale(in FloatValue value, in FloatValue power, ref FloatContext context)
    {
        if (value.IsNaN || power.IsNaN)
            return FloatNaN.Propagate(value, power, ref context);
        if (power.IsInfinity && (power.Sign ? value.IsInfinity : value.IsZero))
            return FloatNaN.Invalid(ref context);
        FloatArithmetic.RaiseDenormal(value, power, ref context);
        if (power.IsInfinity)
            return power.Sign ? FloatValue.Zero(value.Sign) : FloatValue.Infinity(value.Sign);
        if (!value.IsFinite || power.IsZero || power.Exponent < 0)
            return value;
        // More than 2^17 over- or underflows whatever the value is.
        var magnitude = power.Exponent > 16 ? 1 << 17 : (int)(power.Upper >> (63 - power.Exponent));
        return value.Scaled(power.Sign ? -magnitude : magnitude);
    }

    private static void Remainder(ref X87State x87, bool nearest)
    {
        var context = FloatContext.FromX87(x87.Control);
        var dividend = FloatValue.Unpack(X87Stack.Register(ref x87, 0));
        var divisor = FloatValue.Unpack(X87Stack.Register(ref x87, 1));
        var exact = FloatRemainder.Remainder(dividend, divisor, nearest, ref context, out var quotient, out var isPartial);
        var result = FloatRounding.PackExtended(exact, 64, ref context);
        var isWithheld = X87Stack.Report(ref x87, context);
        if (!isWithheld)
            X87Stack.Register(ref x87, 0) = result;
        if (isWithheld || exact.IsNaN)
        {
            X87Stack.SetConditions(ref x87, X87Stack.C2, 0);
            return;
        }

        var conditions = isPartial ? X87Stack.C2 : 0;
        if ((quotient & 4) != 0)
            conditions |= X87Stack.C0;
        if ((quotient & 2) != 0)
            conditions |= X87Stack.C3;
        if ((quotient & 1) != 0)
            conditions |= X87Stack.C1;
        X87Stack.SetConditions(ref x87, X87Stack.C0 | X87Stack.C1 | X87Stack.C2 | X87Stack.C3, (ushort)conditions);
    }

    /// <summary>FXTRACT: the exponent replaces the top, the significand is pushed.</summary>
    private static void Extract(ref X87State x87)
    {
        if (!X87Stack.IsEmpty(ref x87, -1))
        {
            if (X87Stack.Fault(ref x87, true))
                return;
            X87Stack.Write(ref x87, 0, X87Stack.Indefinite);
            X87Stack.Push(ref x87, X87Stack.Indefinite);
            return;
        }

        var context = FloatContext.FromX87(x87.Control);
        var value = FloatValue.Unpack(X87Stack.Register(ref x87, 0));
        FloatValue exponent, significand;
        if (value.IsNaN)
        {
            exponent = significand = FloatNaN.Propagate(value, ref context);
        }
        else if (value.IsZero)
        {
            context.Raise(FloatFlags.DivideByZero);
            (exponent, significand) = (FloatValue.Infinity(true), value);
        }
        else if (value.IsInfinity)
        {
            (exponent, significand) = (FloatValue.Infinity(false), value);
        }
        else
        {
            if (value.IsDenormal)
                context.Raise(FloatFlags.Denormal);
            exponent = FloatValue.FromInteger(value.Exponent);
            significand = value.Scaled(-value.Exponent);
        }

        var first = FloatRounding.PackExtended(exponent, 64, ref context);
        var second = FloatRounding.PackExtended(significand, 64, ref context);
        if (X87Stack.Report(ref x87, context))
            return;
        X87Stack.Write(ref x87, 0, first);
        X87Stack.Push(ref x87, second);
    }
}
