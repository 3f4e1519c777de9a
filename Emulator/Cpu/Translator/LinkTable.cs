namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>A jump out of a block: from its place in the host code to its stub, or to the block it was linked to.</summary>
internal struct Link
{
    public Translation Owner;
    public Translation? Linked;

    /// <summary>The displacement of the jump, its stub, and the displacement of the jump by which the stub leaves: offsets from the owner's entry.</summary>
    public int DisplacementAt;
    public int StubAt;
    public int LeaveAt;

    /// <summary>Of a jump that is owed instructions: where it is paid back, in front of the stub, to which that goes on by a jump.</summary>
    public int WayAt;
    public sbyte Refund;

    /// <summary>It is a JMP, not a conditional one.</summary>
    public bool IsJump;

    /// <summary>Its neighbours among the jumps linked to the same block; of a number that is free, <see cref="Next"/> is the next free one.</summary>
    public int Next;
    public int Previous;
}

/// <summary>
/// All links by number, which is what an exit stub can tell. A block's numbers follow each other. The caller holds the code
/// cache's lock.
/// </summary>
internal sealed class LinkTable
{
    public const int None = -1;

    /// <summary>The most links of a block: its side exits and the two ways at its end.</summary>
    public const int MostOfBlock = 128;

    private const int ChunkBits = 10;
    private const int ChunkSize = 1 << ChunkBits;

    /// <summary>Free runs of numbers by their length, as lists.</summary>
    private readonly int[] _free = new int[MostOfBlock + 1];
    private Link[][] _chunks = [];
    private int _count;

    public LinkTable() => Array.Fill(_free, None);

    public ref Link this[int number] => ref _chunks[number >> ChunkBits][number & (ChunkSize - 1)];

    /// <summary>The first of so many numbers in a row.</summary>
    public int Take(int count)
    {
        int first = _free[count];
        if (first != None)
        {
            _free[count] = this[first].Next;
            return first;
        }
        first = _count;
        _count += count;
        while (_chunks.Length * ChunkSize < _count)
            _chunks = [.. _chunks, new Link[ChunkSize]];
        return first;
    }

    public void Release(int first, int count)
    {
        if (count == 0)
            return;
        for (int i = first; i < first + count; i++)
            this[i] = default;
        this[first].Next = _free[count];
        _free[count] = first;
    }

    /// <summary>Makes a link one of a block's incoming ones.</summary>
    public void Connect(int number, Translation to)
    {
        ref Link link = ref this[number];
        (link.Linked, link.Next, link.Previous) = (to, to.Incoming, None);
        if (to.Incoming != None)
            this[to.Incoming].Previous = number;
        to.Incoming = number;
    }

    /// <summary>Takes a link that is linked out of its block's incoming ones.</summary>
    public void Disconnect(int number)
    {
        ref Link link = ref this[number];
        if (link.Next != None)
            this[link.Next].Previous = link.Previous;
        if (link.Previous != None)
            this[link.Previous].Next = link.Next;
        else
            link.Linked!.Incoming = link.Next;
        link.Linked = null;
    }
}
