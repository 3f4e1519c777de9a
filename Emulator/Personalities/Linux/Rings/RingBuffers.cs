using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Rings;

/// <summary>A buffer of the guest's that a request may use.</summary>
internal readonly record struct ProvidedBuffer(ulong Address, uint Length, ushort Number);

/// <summary>
/// Buffers that the guest gives beforehand for requests which choose one when they need it (IOSQE_BUFFER_SELECT): handed over one by one, or in
/// a ring in its memory, whose tail it moves.
/// </summary>
internal sealed class RingBuffers
{
    public const int Most = 1 << 16;

    private const int EntrySize = 16, NumberOffset = 12, TailOffset = 14;

    private readonly Queue<ProvidedBuffer> _given = new();
    private readonly GuestAddress _ring;
    private readonly uint _entries;
    private ushort _head;

    public RingBuffers()
    {
    }

    public RingBuffers(GuestAddress ring, uint entries) => (_ring, _entries) = (ring, entries);

    /// <summary>It is a ring in the guest's memory.</summary>
    public bool IsMapped => _entries != 0;

    public int Count => _given.Count;

    public void Add(ProvidedBuffer buffer) => _given.Enqueue(buffer);

    /// <summary>The next buffer; null when there is none. <see cref="Take"/> takes it.</summary>
    public ProvidedBuffer? Peek(AddressSpace memory)
    {
        if (!IsMapped)
            return _given.TryPeek(out ProvidedBuffer first) ? first : null;
        if (!memory.TryRead(_ring + TailOffset, out ushort tail) || tail == _head)
            return null;
        GuestAddress entry = _ring + ((_head & (_entries - 1)) * EntrySize);
        return memory.TryRead(entry, out ulong address) && memory.TryRead(entry + 8, out uint length) && memory.TryRead(entry + NumberOffset, out ushort number)
            ? new ProvidedBuffer(address, length, number) : null;
    }

    public void Take()
    {
        if (IsMapped)
            _head++;
        else
            _given.Dequeue();
    }
}
