namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>What a scalar floating-point micro-op's Immediate says.</summary>
public static class ScalarForm
{
    /// <summary>The rounding mode, a <see cref="SoftFloat.RoundingMode"/>, in the lowest bits; or this, for the one of the control register.</summary>
    public const long Dynamic = 7;
    public const long RoundingMask = 7;

    /// <summary>The integer of a conversion is unsigned.</summary>
    public const long Unsigned = 8;

    /// <summary>A fused product, or its addend, is negated.</summary>
    public const long NegateProduct = 0x10;
    public const long NegateAddend = 0x20;

    /// <summary>Relations of a comparison, and what happens to a sign, in two bits.</summary>
    public const int KindShift = 6;
    public const long Equal = 0;
    public const long Less = 1;
    public const long LessOrEqual = 2;
    public const long CopySign = 0;
    public const long NegateSign = 1;
    public const long ExclusiveSign = 2;

    /// <summary>The control register: all of it, or the fields of one.</summary>
    public const long WholeControl = 0;
    public const long ControlFlags = 1;
    public const long ControlRounding = 2;

    /// <summary>AArch64's FPCR and FPSR.</summary>
    public const long Arm64Control = 3;
    public const long Arm64Status = 4;

    public static int Kind(long form) => (int)(form >> KindShift) & 3;
}
