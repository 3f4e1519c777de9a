namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>Conditions over the flags, in the order of x86's condition codes (SDM Vol. 2, appendix B.1.4.7): odd ones negate even ones.</summary>
public enum Condition : byte
{
    Overflow,
    NotOverflow,
    Below,
    AboveOrEqual,
    Equal,
    NotEqual,
    BelowOrEqual,
    Above,
    Sign,
    NotSign,
    Parity,
    NotParity,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Greater,
}

/// <summary>String instructions.</summary>
public enum StringOperation : byte
{
    Move,
    Store,
    Load,
    Scan,
    Compare,
}
