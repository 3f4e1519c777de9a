namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Why translated code came back; in the low byte of what <see cref="Gate"/> returns.</summary>
internal enum ExitKind : byte
{
    /// <summary>At a jump that is not linked yet; its number is in the other bits.</summary>
    Link,

    /// <summary>A jump through a register went to a place that is not in the jump table.</summary>
    Miss,
    SystemCall,

    /// <summary>At an instruction for the interpreter.</summary>
    Interpret,

    /// <summary>The host raised a signal; the program counter is the host's.</summary>
    Fault,
}

/// <summary>A block's host code. Small, since there are many: all that only a fault asks for is in the <see cref="FaultMap"/>.</summary>
internal sealed class Translation(ulong pc, int guestLength, nint entry, int length, int translated, ulong exchanges)
{
    /// <summary>The guest address.</summary>
    public ulong Pc { get; } = pc;

    public ulong End => Pc + (ulong)GuestLength;

    /// <summary>Bytes of guest code.</summary>
    public int GuestLength { get; } = guestLength;

    /// <summary>What it may jump to directly.</summary>
    public required CodeDomain Domain { get; init; }

    /// <summary>Where to enter it.</summary>
    public nint Entry { get; } = entry;

    /// <summary>
    /// The check for jumps that may mean another block (<see cref="Assembler.JumpUnlessTarget"/>), from the entry on: in front of it, or out of
    /// the way where the block was first come to by a direct jump.
    /// </summary>
    public int CheckAt { get; init; }

    public nint CheckedEntry => Entry + CheckAt;

    /// <summary>So many instructions are paid back in front of the entry; 0 when nothing is there.</summary>
    public int Refund { get; init; }

    /// <summary>Where jumps enter it that <see cref="Refund"/> is due to.</summary>
    public nint RefundEntry => Entry - BlockTranslator.ChargeLength;

    /// <summary>Bytes of host code from the entry on, without its exits.</summary>
    public int Length { get; } = length;

    /// <summary>Where its fault map is, from the entry on.</summary>
    public int MapAt { get; init; } = length;

    /// <summary>How many of the block's instructions have host code; the next one is the interpreter's.</summary>
    public int Translated { get; } = translated;

    /// <summary>The numbers of the jumps out of it, one after the other from this on.</summary>
    public int FirstLink { get; set; }

    public int LinkCount { get; set; }

    /// <summary>The first of the linked jumps into it (<see cref="LinkTable.None"/>): each knows the next.</summary>
    public int Incoming { get; set; } = LinkTable.None;

    /// <summary>Its code is no more.</summary>
    public bool IsEvicted { get; set; }

    /// <summary>Guest registers that have each other's places while the block runs: two numbers a pair, of the one from the frame and, in the lower bits, of the host's.</summary>
    public ulong Exchanges { get; } = exchanges;

    /// <summary>Bits of a register's number there.</summary>
    public const int RegisterBits = 6;
}
