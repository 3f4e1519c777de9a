namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// The stack frame of translated code: what has no register of its own. Offsets from RSP. Guest registers with a host register:
/// <see cref="RegisterMap"/>.
/// </summary>
internal static class Frame
{
    /// <summary>
    /// RSP is a multiple of this. A line of the cache would do; but where the host's stack begins in a page is random, and depending
    /// on that some loops took a quarter longer in every other run.
    /// </summary>
    public const int Alignment = 4096;

    /// <summary>Slots of guest registers without a host register: the first few here, where they are reached by a short displacement.</summary>
    private const int Registers = 0x00;
    private const int NearRegisters = 4;
    private const int FarRegisterCount = 28;

    /// <summary>Guest vector 15, whose host register is the scratch.</summary>
    private const int FirstVector = 0x20;
    private const int FarVectorCount = 16;

    /// <summary>A register's value while a look-up or a shift takes the register.</summary>
    public const int SavedCounter = 0x30;

    /// <summary>Zero, where a jump finds it in place of what comes behind when the budget is spent.</summary>
    public const int NoMask = 0x38;
    public const int FirstMask = 0x40;
    public const int Pc = 0x48;
    public const int FsBase = 0x50;
    public const int GsBase = 0x58;

    /// <summary>Flags that the host does not hold for the guest: all but the arithmetic ones.</summary>
    public const int OtherFlags = 0x60;
    public const int SavedFlags = 0x68;
    public const int SavedAccumulator = 0x70;
    public const int State = 0x78;

    /// <summary>Temporaries of the instruction under way.</summary>
    public const int Temporaries = 0x80;
    public const int TemporaryCount = 32;
    public const int VectorTemporaries = Temporaries + (8 * TemporaryCount);
    public const int VectorTemporaryCount = 8;

    public const int Context = VectorTemporaries + (16 * VectorTemporaryCount);
    public const int Target = Context + 8;
    public const int CallerStack = Context + 16;
    public const int HostControl = Context + 24;
    public const int SavedData = Context + 32;

    /// <summary>Where the gate's code stores the guest's registers.</summary>
    public const int LeaveAddress = Context + 40;

    /// <summary>The guest's flags while the host's serve for something else (<see cref="BlockTranslator.WithParked"/>).</summary>
    public const int ParkedFlags = Context + 48;
    public const int JumpMask = Context + 56;
    public const int JumpTable = Context + 64;

    /// <summary>What is the guest's while the time stamp counter is read.</summary>
    public const int ClockAccumulator = Context + 72;
    public const int ClockData = Context + 80;
    private const int FarRegisters = Context + 96;
    private const int FarVectors = FarRegisters + (8 * FarRegisterCount);
    public const int Size = FarVectors + (16 * FarVectorCount) + 16;

    /// <summary>The offset of the slot of so manieth guest register without a host register.</summary>
    public static int RegisterAt(int index) => index < NearRegisters ? Registers + (8 * index) : FarRegisters + (8 * (index - NearRegisters));

    /// <summary>The same of vectors.</summary>
    public static int VectorAt(int index) => index == 0 ? FirstVector : FarVectors + (16 * (index - 1));
}
