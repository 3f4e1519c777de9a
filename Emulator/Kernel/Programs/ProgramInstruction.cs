namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>One instruction of the extended Berkeley packet filter (RFC 9669).</summary>
public readonly record struct ProgramInstruction(byte Code, byte Registers, short Offset, int Immediate)
{
    public const int Size = 8;

    public int Class => Code & 7;

    /// <summary>Of arithmetic and jumps.</summary>
    public int Operation => Code & 0xF0;

    /// <summary>The second operand is a register.</summary>
    public bool TakesRegister => (Code & 8) != 0;

    public int Mode => Code & 0xE0;

    /// <summary>Of loads and stores, in bytes.</summary>
    public int Width => (Code & 0x18) switch { 0 => 4, 8 => 2, 0x10 => 1, _ => 8 };

    public int Destination => Registers & 15;

    public int Source => Registers >> 4;
}

/// <summary>The numbers of RFC 9669.</summary>
internal static class ProgramCodes
{
    public const int Load = 0, LoadMemory = 1, Store = 2, StoreRegister = 3, Alu32 = 4, Jump = 5, Jump32 = 6, Alu64 = 7;
    public const int Immediate = 0x00, Absolute = 0x20, Indirect = 0x40, InMemory = 0x60, Atomic = 0xC0;
    public const int Add = 0x00, Subtract = 0x10, Multiply = 0x20, Divide = 0x30, Or = 0x40, And = 0x50, ShiftLeft = 0x60, ShiftRight = 0x70, Negate = 0x80, Modulo = 0x90;
    public const int Xor = 0xA0, Move = 0xB0, ShiftArithmetic = 0xC0, SwapBytes = 0xD0;
    public const int Always = 0x00, Equal = 0x10, Greater = 0x20, GreaterOrEqual = 0x30, Set = 0x40, NotEqual = 0x50, SignedGreater = 0x60, SignedGreaterOrEqual = 0x70;
    public const int Call = 0x80, Exit = 0x90, Less = 0xA0, LessOrEqual = 0xB0, SignedLess = 0xC0, SignedLessOrEqual = 0xD0;
    public const int LoadConstant = 0x18;

    /// <summary>What the source register of a constant says it stands for.</summary>
    public const int MapDescriptor = 1, MapValue = 2;

    public const int Fetch = 1, Exchange = 0xE1, CompareExchange = 0xF1;
    public const int StackSize = 512, Registers = 11, FramePointer = 10;
}

/// <summary>What classic BPF has for itself (include/uapi/linux/bpf_common.h); the rest of its codes are those of <see cref="ProgramCodes"/>.</summary>
internal static class ClassicCodes
{
    public const int LoadIndex = 1, Store = 2, StoreIndex = 3, Alu = 4, Return = 6, Miscellaneous = 7;
    public const int Modes = 0xE0, Length = 0x80, HeaderLength = 0xA0;
    public const int Sizes = 0x18, Half = 0x08, Byte = 0x10;

    /// <summary>The second operand is the index register, not the constant.</summary>
    public const int ByIndex = 0x08;

    /// <summary>What is returned, and where <see cref="Miscellaneous"/> moves.</summary>
    public const int Constant = 0x00, Accumulator = 0x10, ToIndex = 0x00, FromIndex = 0x80;
}

/// <summary>Functions of the kernel that programs may call, by their numbers (bpf-helpers(7)).</summary>
internal enum ProgramHelper
{
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MonotonicTime = 5,
    RandomNumber = 7,
    Processor = 8,
    LoadBytes = 26,
    BootTime = 125,
    RingOutput = 130,
    RingReserve = 131,
    RingSubmit = 132,
    RingDiscard = 133,
    RingQuery = 134,
}
