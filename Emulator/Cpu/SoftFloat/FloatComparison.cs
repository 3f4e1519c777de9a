namespace Vivarium.Emulator.Cpu.SoftFloat;

public enum FloatOrder : byte
{
    Less,
    Equal,
    Greater,
    Unordered,
}

public static class FloatComparison
{
    /// <summary>Compares; <paramref name="signaling"/> raises invalid for quiet NaNs too.</summary>
    public static FloatOrder Compare(in FloatValue a, in FloatValue b, bool signaling, ref FloatContext context)
    {
        if (a.IsNaN || b.IsNaN)
        {
            if (signaling || a.Class >= FloatClass.SignalingNaN || b.Class >= FloatClass.SignalingNaN)
                context.Raise(FloatFlags.Invalid);
            return FloatOrder.Unordered;
        }

        FloatArithmetic.RaiseDenormal(a, b, ref context);
        return Order(a, b);
    }

    /// <summary>The order of two numbers.</summary>
    private static FloatOrder Order(in FloatValue a, in FloatValue b)
    {
        if (a.IsZero && b.IsZero)
            return FloatOrder.Equal;
        if (a.IsZero)
            return b.Sign ? FloatOrder.Greater : FloatOrder.Less;
        if (b.IsZero || a.Sign != b.Sign)
            return a.Sign ? FloatOrder.Less : FloatOrder.Greater;
        var magnitude = CompareMagnitudes(a, b);
        if (magnitude == 0)
            return FloatOrder.Equal;
        return (magnitude < 0) != a.Sign ? FloatOrder.Less : FloatOrder.Greater;
    }

    /// <summary>Orders non-zero magnitudes: negative, zero or positive.</summary>
    public static int CompareMagnitudes(in FloatValue a, in FloatValue b)
    {
        if (a.IsInfinity || b.IsInfinity)
            return (a.IsInfinity ? 1 : 0) - (b.IsInfinity ? 1 : 0);
        return a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent) : a.Significand.CompareTo(b.Significand);
    }
}
