using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Translations that hold together: whoever may run one of them may run all, so that they jump to each other directly. One for
/// each mapped image of fixed code, shared by all address spaces that map it at the same place; one for the rest of each space.
/// Found without a lock: a reader that a change overtakes misses a translation at worst, and looks again under the code
/// cache's lock, under which all changes are made.
/// </summary>
internal sealed class CodeDomain(AddressSpace.FixedCode code, ExecutionMode mode)
{
    private const int FirstSize = 16;

    /// <summary>
    /// A place of the table, with the address beside the translation of it: to look past others does not touch them. A reader who is overtaken may
    /// find the two of different ones.
    /// </summary>
    private struct Slot
    {
        public ulong Pc;
        public Translation? Translation;
    }

    /// <summary>By hash of the address; the next place when one is taken. At most half full.</summary>
    private Slot[] _slots = [];

    /// <summary>The image; nothing for a space's own domain.</summary>
    public AddressSpace.FixedCode Code { get; } = code;

    public ExecutionMode Mode { get; } = mode;

    public ulong Start => Code.Start;

    public ulong End => Code.End;

    public int Count { get; private set; }

    /// <summary>Counts additions and removals: what was not found is not there under the cache's lock if it is what it was before.</summary>
    public int Changes => Volatile.Read(ref _changes);

    private int _changes;

    public Translation? Find(ulong pc)
    {
        Slot[] slots = Volatile.Read(ref _slots);
        int mask = slots.Length - 1;
        // An overtaken reader may go round more than once, but not without end.
        for (int at = Hash(pc), tries = 0; tries < slots.Length; at++, tries++)
        {
            ref Slot slot = ref slots[at & mask];
            if (Volatile.Read(ref slot.Translation) is not { } found)
                return null;
            if (slot.Pc == pc && found.Pc == pc)
                return found;
        }
        return null;
    }

    /// <summary>Adds a translation of an address that has none.</summary>
    public void Add(Translation translation)
    {
        if (2 * (Count + 1) > _slots.Length)
            Grow();
        Put(_slots, new Slot { Pc = translation.Pc, Translation = translation });
        Count++;
        Volatile.Write(ref _changes, _changes + 1);
    }

    public void Remove(Translation translation)
    {
        int mask = _slots.Length - 1, at = Hash(translation.Pc);
        for (int tries = 0; ; at++, tries++)
        {
            if (tries > mask || _slots[at & mask].Translation is not { } found)
                return;
            if (found == translation)
                break;
        }
        Count--;
        // What comes behind closes the gap, unless it would come before its first place.
        for (int next = at + 1; _slots[next & mask] is { Translation: not null } moved; next++)
        {
            if (((next - Hash(moved.Pc)) & mask) < ((next - at) & mask))
                continue;
            Set(ref _slots[at & mask], moved);
            at = next;
        }
        Volatile.Write(ref _slots[at & mask].Translation, null);
        Volatile.Write(ref _changes, _changes + 1);
    }

    private void Grow()
    {
        var slots = new Slot[Math.Max(FirstSize, 2 * _slots.Length)];
        foreach (ref readonly Slot slot in _slots.AsSpan())
        {
            if (slot.Translation is not null)
                Put(slots, slot);
        }
        Volatile.Write(ref _slots, slots);
    }

    private static void Put(Slot[] slots, in Slot added)
    {
        int mask = slots.Length - 1, at = Hash(added.Pc);
        while (slots[at & mask].Translation is not null)
            at++;
        Set(ref slots[at & mask], added);
    }

    private static void Set(ref Slot slot, in Slot to)
    {
        slot.Pc = to.Pc;
        Volatile.Write(ref slot.Translation, to.Translation);
    }

    /// <summary>Fibonacci hashing (Knuth, TAOCP 6.4).</summary>
    private static int Hash(ulong pc) => (int)((pc * 0x9E3779B97F4A7C15) >> 40);
}
