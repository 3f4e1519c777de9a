namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>NaN results by the rule of the context's architecture.</summary>
public static class FloatNaN
{
    private static readonly UInt128 QuietBit = UInt128.One << 126;

    /// <summary>The default NaN: quiet, empty payload.</summary>
    public static FloatValue Default(in FloatContext context) =>
        new(FloatClass.QuietNaN, context.DefaultNaNSign, 0, UInt128.One << 127 | QuietBit);

    /// <summary>Raises invalid and gives the default NaN.</summary>
    public static FloatValue Invalid(ref FloatContext context)
    {
        context.Raise(FloatFlags.Invalid);
        return Default(context);
    }

    public static FloatValue Quiet(in FloatValue nan) =>
        new(FloatClass.QuietNaN, nan.Sign, 0, nan.Significand | QuietBit);

    /// <summary>The result of a one-operand operation on a NaN.</summary>
    public static FloatValue Propagate(in FloatValue a, ref FloatContext context)
    {
        if (a.Class == FloatClass.Unsupported)
            return Invalid(ref context);
        if (a.Class == FloatClass.SignalingNaN)
            context.Raise(FloatFlags.Invalid);
        return context.NaNs == NaNRule.Default ? Default(context) : Quiet(a);
    }

    /// <summary>The result of a two-operand operation with at least one NaN.</summary>
    public static FloatValue Propagate(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        if (a.Class == FloatClass.Unsupported || b.Class == FloatClass.Unsupported)
            return Invalid(ref context);
        if (a.Class == FloatClass.SignalingNaN || b.Class == FloatClass.SignalingNaN)
            context.Raise(FloatFlags.Invalid);
        if (context.NaNs == NaNRule.Default)
            return Default(context);
        if (!a.IsNaN || !b.IsNaN)
            return Quiet(a.IsNaN ? a : b);
        return Quiet(TakesSecond(a, b, context.NaNs) ? b : a);
    }

    private static bool TakesSecond(in FloatValue a, in FloatValue b, NaNRule rule) => rule switch
    {
        NaNRule.SignalingFirst => a.Class == FloatClass.QuietNaN && b.Class == FloatClass.SignalingNaN,
        NaNRule.LargerSignificand when a.Class != b.Class => b.Class == FloatClass.QuietNaN,
        NaNRule.LargerSignificand when a.Significand != b.Significand => b.Significand > a.Significand,
        NaNRule.LargerSignificand => a.Sign && !b.Sign,
        _ => false,
    };
}
