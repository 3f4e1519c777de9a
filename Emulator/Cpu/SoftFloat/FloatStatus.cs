namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>IEEE 754 rounding directions, in the order of the x86 rounding-control field.</summary>
public enum RoundingMode : byte
{
    NearestEven,
    Down,
    Up,
    TowardZero,

    /// <summary>Nearest, ties away from zero: no x86 mode, but RISC-V's RMM and AArch64's FRINTA.</summary>
    NearestAway,
}

/// <summary>Exception flags, in the bit positions of MXCSR and of the x87 status word.</summary>
[Flags]
public enum FloatFlags : byte
{
    None = 0,
    Invalid = 1,
    Denormal = 2,
    DivideByZero = 4,
    Overflow = 8,
    Underflow = 16,
    Inexact = 32,

    /// <summary>Detected before an operation computes anything (SDM Vol. 1, 4.9.2).</summary>
    PreComputation = Invalid | Denormal | DivideByZero,
    PostComputation = Overflow | Underflow | Inexact,
    All = 63,
}

/// <summary>Which NaN an operation with NaN operands returns.</summary>
public enum NaNRule : byte
{
    /// <summary>The first operand that is a NaN, made quiet (SSE; SDM Vol. 1, table 4-7).</summary>
    FirstOperand,

    /// <summary>A quiet NaN before a signalling one, else the larger significand (x87; the same table).</summary>
    LargerSignificand,

    /// <summary>The first signalling NaN, else the first quiet one (AArch64 with FPCR.DN = 0).</summary>
    SignalingFirst,

    /// <summary>Always the default NaN (RISC-V; AArch64 with FPCR.DN = 1).</summary>
    Default,
}

/// <summary>
/// The environment of a computation: what an architecture's control register says, and the flags raised so far. A mutable
/// value passed by reference, so that several operations of one instruction gather their flags.
/// </summary>
public struct FloatContext
{
    public RoundingMode Rounding;
    public NaNRule NaNs;

    /// <summary>The default NaN has its sign set (x86's "real indefinite").</summary>
    public bool DefaultNaNSign;

    /// <summary>Denormal operands count as zeros (MXCSR.DAZ).</summary>
    public bool DenormalsAreZero;

    /// <summary>Tiny results become zeros (MXCSR.FTZ); without effect while underflow is unmasked.</summary>
    public bool FlushToZero;

    /// <summary>Tininess is judged before rounding (AArch64) instead of after it (x86, RISC-V).</summary>
    public bool TinyBeforeRounding;

    /// <summary>Exceptions whose handler is enabled. Unmasked underflow is raised by exact tiny results too.</summary>
    public FloatFlags Unmasked;

    /// <summary>
    /// Unmasked overflow and underflow deliver a result whose exponent is wrapped into range by this amount (x87: 24576);
    /// 0 when nothing is delivered (SSE).
    /// </summary>
    public int WrapExponent;

    /// <summary>Raised by the operations so far.</summary>
    public FloatFlags Raised;

    /// <summary>The last rounding increased the magnitude (x87's C1).</summary>
    public bool RoundedUp;

    /// <summary>The environment that an MXCSR value describes (SDM Vol. 1, 10.2.3).</summary>
    public static FloatContext FromMxcsr(uint mxcsr) => new()
    {
        Rounding = (RoundingMode)((mxcsr >> 13) & 3),
        NaNs = NaNRule.FirstOperand,
        DefaultNaNSign = true,
        DenormalsAreZero = (mxcsr & 0x40) != 0,
        FlushToZero = (mxcsr & 0x8000) != 0,
        Unmasked = (FloatFlags)(~(mxcsr >> 7) & 63),
    };

    /// <summary>The environment that an x87 control word describes (SDM Vol. 1, 8.1.5).</summary>
    public static FloatContext FromX87(ushort control) => new()
    {
        Rounding = (RoundingMode)((control >> 10) & 3),
        NaNs = NaNRule.LargerSignificand,
        DefaultNaNSign = true,
        Unmasked = (FloatFlags)(~control & 63),
        WrapExponent = 24576,
    };

    public readonly bool IsUnmasked(FloatFlags flag) => (Unmasked & flag) != 0;

    public void Raise(FloatFlags flags) => Raised |= flags;
}
