using Vivarium.Emulator.Cpu.Blocks;

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

/// <summary>
/// Where the host code of an instruction begins, and up to which instruction the budget is paid there. Rebased code holds host
/// addresses in place of the guest's in RSI and RDI.
/// </summary>
internal readonly record struct CodeStart(int Offset, int Instruction, int PaidTo, bool IsRebased = false);

/// <summary>A block's host code.</summary>
internal sealed class Translation(Block block, nint entry, int length, CodeStart[] starts, int translated, Link[] links, (byte InFrame, byte InRegister)[] exchanges)
{
    public Block Block { get; } = block;

    /// <summary>What it may jump to directly.</summary>
    public CodeDomain Domain { get; set; } = null!;

    /// <summary>Where to enter it.</summary>
    public nint Entry { get; } = entry;

    /// <summary>Bytes of host code, exits included.</summary>
    public int Length { get; } = length;

    /// <summary>How many of the block's instructions have host code; the next one is the interpreter's.</summary>
    public int Translated { get; } = translated;

    /// <summary>The jumps out of it.</summary>
    public Link[] Links { get; } = links;

    /// <summary>The linked jumps into it.</summary>
    public List<Link> Incoming { get; } = [];

    /// <summary>The pairs of guest registers that stand for each other in the block's code.</summary>
    public ReadOnlySpan<(byte InFrame, byte InRegister)> Exchanges => exchanges;

    /// <summary>The instruction whose host code an address is in; null before the first, at the budget's probe.</summary>
    public CodeStart? At(nint address)
    {
        int offset = (int)(address - Entry);
        if (offset < starts[0].Offset)
            return null;
        int low = 0, high = starts.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (starts[middle].Offset <= offset)
                low = middle;
            else
                high = middle - 1;
        }
        return starts[low];
    }
}

/// <summary>A jump out of a block: from its place in the host code to its stub, or to the block it was linked to.</summary>
internal sealed class Link(ulong target, int displacementAt, int stubAt, int leaveAt)
{
    public ulong Target { get; } = target;

    /// <summary>Offsets from the owner's entry.</summary>
    public int DisplacementAt { get; } = displacementAt;
    public int StubAt { get; } = stubAt;

    /// <summary>The displacement of the jump by which the stub leaves.</summary>
    public int LeaveAt { get; } = leaveAt;

    public Translation Owner { get; set; } = null!;

    public Translation? Linked { get; set; }
}
