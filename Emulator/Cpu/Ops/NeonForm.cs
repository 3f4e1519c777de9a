namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>What the micro-ops for AArch64's vectors do to lanes.</summary>
public enum NeonOperation : byte
{
    // Integer lanes.
    And,

    /// <summary>A and not B, A or not B.</summary>
    BitClear,
    Or,
    OrNot,
    ExclusiveOr,
    Add,
    Subtract,

    /// <summary>B + A, of which B alone changes its sign: B is unsigned where A is signed, and the other way round (SUQADD, USQADD).</summary>
    AddMixed,
    HalvingAdd,
    HalvingSubtract,
    AbsoluteDifference,

    /// <summary>C + |A - B|.</summary>
    AccumulateDifference,
    Multiply,

    /// <summary>C + A × B, C - A × B.</summary>
    MultiplyAdd,
    MultiplySubtract,
    MultiplyPolynomial,

    /// <summary>The high half of 2 × A × B.</summary>
    DoublingMultiplyHigh,

    /// <summary>2 × A × B saturated, and that added to C or taken from it, saturated again.</summary>
    DoublingMultiply,
    DoublingMultiplyAdd,
    DoublingMultiplySubtract,
    Max,
    Min,
    CompareEqual,
    CompareGreater,
    CompareGreaterOrEqual,

    /// <summary>A and B have a bit in common.</summary>
    CompareTest,

    /// <summary>A shifted left by the signed low byte of B.</summary>
    ShiftBy,
    Absolute,
    Negate,
    Not,
    ReverseBits,
    LeadingZeros,
    LeadingSigns,
    CountBits,

    // By NeonForm.Amount.
    ShiftLeft,
    ShiftRight,

    /// <summary>C + (A >> amount).</summary>
    ShiftRightAdd,

    /// <summary>A shifted, into C, whose other bits stay.</summary>
    ShiftLeftInsert,
    ShiftRightInsert,

    /// <summary>Left, a signed A saturated to an unsigned result.</summary>
    ShiftLeftUnsigned,

    /// <summary>The sum of two lanes, twice as wide, without or with C added.</summary>
    AddLong,
    AddLongAccumulate,

    // Whole vectors; the amount chooses.
    InterleaveLow,
    InterleaveHigh,
    Even,
    Odd,
    TransposeEven,
    TransposeOdd,

    /// <summary>Elements in the opposite order within containers of 1 &lt;&lt; amount bytes.</summary>
    Reverse,

    /// <summary>The vector that begins amount bytes into A with B above it.</summary>
    Extract,

    // Floating-point lanes.
    Divide,
    MaxNumber,
    MinNumber,

    /// <summary>As a product, but infinity times zero is 2 (FMULX).</summary>
    MultiplyExtended,

    /// <summary>C + A × B, rounded once.</summary>
    FusedMultiplyAdd,

    /// <summary>2 - A × B and (3 - A × B) / 2, rounded once.</summary>
    ReciprocalStep,
    SquareRootStep,
    CompareAbsoluteGreater,
    CompareAbsoluteGreaterOrEqual,
    SquareRoot,
    ReciprocalEstimate,
    SquareRootEstimate,
    ReciprocalExponent,

    /// <summary>To integral; the amount is a <see cref="SoftFloat.RoundingMode"/> or <see cref="NeonForm.Dynamic"/>; Round: inexact is raised.</summary>
    RoundToIntegral,

    /// <summary>To and from integers of the same width with so many fraction bits as amount says; Rounding is where the first rounds.</summary>
    ToInteger,
    FromInteger,
}

/// <summary>What an AArch64 vector micro-op's Immediate says: operation, its properties, number of lanes of the result, amount, rounding.</summary>
public static class NeonForm
{
    public const long Unsigned = 0x100;

    /// <summary>The upper half of narrower lanes is read or written.</summary>
    public const long Upper = 0x200;

    /// <summary>A shift rounds.</summary>
    public const long Round = 0x400;

    /// <summary>The result saturates, and says so in QC.</summary>
    public const long Saturate = 0x800;

    /// <summary>A's lanes are as wide as the result's.</summary>
    public const long Wide = 0x1000;

    /// <summary>The first factor of a fused product, or its addend, is negated.</summary>
    public const long NegateProduct = 0x2000;
    public const long NegateAddend = 0x4000;

    /// <summary>A saturating narrowing takes signed lanes to unsigned ones.</summary>
    public const long ToUnsigned = 0x8000;

    // What C of a comparison into the flags says.
    public const int Signaling = 1;
    public const int Conditional = 2;

    /// <summary>Rounding as the control register says.</summary>
    public const int Dynamic = 7;

    private const int CountShift = 16;
    private const int AmountShift = 24;
    private const int RoundingShift = 32;

    public static long Make(NeonOperation operation, int count, long properties = 0, int amount = 0, int rounding = 0) =>
        (byte)operation | properties | ((long)count << CountShift) | ((long)(byte)amount << AmountShift) | ((long)rounding << RoundingShift);

    public static NeonOperation Operation(long form) => (NeonOperation)(byte)form;

    public static int Count(long form) => (int)(form >> CountShift) & 0xFF;

    public static int Amount(long form) => (int)(form >> AmountShift) & 0xFF;

    public static int Rounding(long form) => (int)(form >> RoundingShift) & 7;

    public static bool Has(long form, long property) => (form & property) != 0;
}

/// <summary>The operations of AArch64's cryptographic extensions.</summary>
public enum NeonCipher : byte
{
    AesEncrypt,
    AesDecrypt,
    AesMixColumns,
    AesInverseMixColumns,
    Sha1Choose,
    Sha1Parity,
    Sha1Majority,
    Sha1Schedule0,
    Sha1Schedule1,
    Sha1Rotate,
    Sha256Hash,
    Sha256Hash2,
    Sha256Schedule0,
    Sha256Schedule1,
}
