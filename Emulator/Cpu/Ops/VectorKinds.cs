namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>What the lanes of a vector operation are: integers by log2 of their bytes, then floating-point kinds.</summary>
public enum LaneKind : byte
{
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
}

/// <summary>The kinds of an x87 operand.</summary>
public enum X87Operand : byte
{
    Register,
    Float32,
    Float64,
    Float80,
    Int16,
    Int32,
    Int64,
    Decimal,
}

/// <summary>The two-operand arithmetic, in the order of the opcode's reg field (2 and 3 are comparisons).</summary>
public enum X87Arithmetic : byte
{
    Add = 0,
    Multiply = 1,
    Subtract = 4,
    SubtractReversed = 5,
    Divide = 6,
    DivideReversed = 7,
}

/// <summary>Operations on the top of the stack, numbered by the second opcode byte of D9.</summary>
public enum X87Function : byte
{
    ChangeSign = 0xE0,
    Absolute = 0xE1,
    Test = 0xE4,
    Examine = 0xE5,
    TwoToXMinus1 = 0xF0,
    YLog2X = 0xF1,
    PartialTangent = 0xF2,
    PartialArctangent = 0xF3,
    Extract = 0xF4,
    NearestRemainder = 0xF5,
    DecrementTop = 0xF6,
    IncrementTop = 0xF7,
    PartialRemainder = 0xF8,
    YLog2XPlus1 = 0xF9,
    SquareRoot = 0xFA,
    SineCosine = 0xFB,
    RoundToInteger = 0xFC,
    Scale = 0xFD,
    Sine = 0xFE,
    Cosine = 0xFF,
}

/// <summary>The operations that do not wait for pending exceptions, and the state images.</summary>
public enum X87Control : byte
{
    Initialize,
    ClearExceptions,
    LoadControl,
    StoreControl,
    StoreStatus,
    LoadEnvironment,
    StoreEnvironment,
    Restore,
    Save,
    EmptyMmx,
    FxSave,
    FxRestore,

    /// <summary>Added to the environment and state images of 16-bit operand size (14 bytes).</summary>
    Narrow = 0x40,

    /// <summary>Added to FXSAVE and FXRSTOR with REX.W: 64-bit pointers.</summary>
    Wide = 0x80,
}
