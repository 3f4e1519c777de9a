namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Where an x86-64 guest's registers live while translated code runs. Twelve keep their host register, so that shifts by CL,
/// multiplications and divisions need no shuffling; the stack pointer is in R12; four are in the frame. R13 and R15 are
/// scratch. R14 holds the budget (bits 8 and up) and log2 of the window's size (its low byte).
/// </summary>
internal static class RegisterMap
{
    public const int Count = 16;
    public const byte StackPointer = 4;

    /// <summary>From here on they are in the frame.</summary>
    public const byte FirstInFrame = 12;

    /// <summary>Holds a temporary of the instruction, or an address.</summary>
    public const HostRegister Scratch = HostRegister.R15;

    /// <summary>Free between any two micro-ops.</summary>
    public const HostRegister Work = HostRegister.R13;
    public const HostRegister Budget = HostRegister.R14;
    public const int BudgetShift = 8;

    private static ReadOnlySpan<byte> Pinned => [0, 1, 2, 3, 12, 5, 6, 7, 8, 9, 10, 11, 255, 255, 255, 255];

    /// <summary>The host register of a guest register, or None.</summary>
    public static HostRegister Host(int guest) => (HostRegister)Pinned[guest];

    /// <summary>The frame slot of a guest register without one.</summary>
    public static Operand Slot(int guest) => Operand.Memory(HostRegister.Rsp, Frame.Registers + (8 * (guest - FirstInFrame)));

    /// <summary>Guest vectors 0..14 keep their host register; 15 is in the frame.</summary>
    public const int PinnedVectors = 15;
    public const int VectorScratch = 15;
}
