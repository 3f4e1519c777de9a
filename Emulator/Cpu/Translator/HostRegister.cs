namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The host's general-purpose registers by encoding number (SDM Vol. 2, 2.1.5).</summary>
internal enum HostRegister : byte
{
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    None = 255,
}

/// <summary>
/// A register, or a place in memory: base + (index &lt;&lt; scale) + displacement. Guest memory is reached through GS, whose base is
/// the window's. A narrow address is one of 32 bits.
/// </summary>
internal readonly record struct Operand(HostRegister Base, HostRegister Index, byte Scale, int Displacement, bool IsMemory, bool IsGuest, bool IsNarrow = false)
{
    public static Operand Of(HostRegister register) => new(register, HostRegister.None, 0, 0, false, false);

    /// <summary>A vector register, or any register by number.</summary>
    public static Operand Of(int register) => Of((HostRegister)register);

    public static Operand Memory(HostRegister address, int displacement) => new(address, HostRegister.None, 0, displacement, true, false);

    public static Operand Guest(HostRegister address, int displacement) => new(address, HostRegister.None, 0, displacement, true, true);

    /// <summary>
    /// A known address of at most <see cref="LastAbsolute"/>; from 2 GB on it takes a prefix, by which it is extended with zeros. What is a
    /// little further on can be reached from it.
    /// </summary>
    public static Operand GuestAbsolute(uint address) => new(HostRegister.None, HostRegister.None, 0, (int)address, true, true, IsNarrow: address > int.MaxValue - Room);

    public const uint LastAbsolute = uint.MaxValue - Room;
    private const int Room = 64;

    /// <summary>Address arithmetic for LEA.</summary>
    public static Operand Sum(HostRegister address, HostRegister index, int scale, int displacement) => new(address, index, (byte)scale, displacement, true, false);

    public bool Uses(HostRegister register) => Base == register || (IsMemory && Index == register);
}
