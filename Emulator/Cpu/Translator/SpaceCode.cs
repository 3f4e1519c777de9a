using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The translations of one address space, and its jump table.</summary>
internal sealed unsafe class SpaceCode
{
    private const int TableSize = 4096;

    /// <summary>The address bits that number an entry of the jump table.</summary>
    private const ulong TableMask = (TableSize - 1) << 1;

    private static readonly ConditionalWeakTable<AddressSpace, SpaceCode> OfSpace = [];

    private readonly AddressSpace _memory;
    private readonly CodeStore _store;
    private readonly Gate _gate;
    private readonly Dictionary<ulong, Translation> _translations = [];
    private readonly Dictionary<ulong, List<Translation>> _byPage = [];
    private readonly JumpEntry* _table;

    [StructLayout(LayoutKind.Sequential)]
    private struct JumpEntry
    {
        public ulong NegatedPc;
        public nint Entry;
    }

    private SpaceCode(AddressSpace memory, CodeStore store, Gate gate)
    {
        _memory = memory;
        _store = store;
        _gate = gate;
        _table = (JumpEntry*)NativeMemory.Alloc(TableSize, (nuint)sizeof(JumpEntry));
        ClearTable();
        memory.CodeInvalidated += Drop;
    }

    ~SpaceCode() => NativeMemory.Free(_table);

    public nint Table => (nint)_table;

    public static ulong Mask => TableMask;

    public static SpaceCode Of(AddressSpace memory, CodeStore store, Gate gate) =>
        OfSpace.TryGetValue(memory, out SpaceCode? code) ? code : OfSpace.GetValue(memory, space => new SpaceCode(space, store, gate));

    public Translation? Find(ulong pc) => _translations.GetValueOrDefault(pc);

    public void Add(Translation translation)
    {
        Block block = translation.Block;
        _memory.WatchCode(block.Pc, block.Code.Length);
        _translations[block.Pc] = translation;
        for (ulong page = block.Pc / GuestAddress.PageSize; page <= (block.End - 1) / GuestAddress.PageSize; page++)
        {
            if (!_byPage.TryGetValue(page, out List<Translation>? list))
                _byPage.Add(page, list = []);
            list.Add(translation);
        }
    }

    /// <summary>Lets jumps through registers find a block.</summary>
    public void Remember(Translation translation)
    {
        ulong pc = translation.Block.Pc;
        _table[Number(pc)] = new JumpEntry { NegatedPc = 0 - pc, Entry = translation.Entry };
    }

    public void Join(Link link, Translation to)
    {
        link.Linked = to;
        to.Incoming.Add(link);
        Patch(link, to.Entry);
    }

    private static ulong Number(ulong pc) => (pc >> 1) & (TableSize - 1);

    private void Patch(Link link, nint target)
    {
        nint place = link.Owner.Entry + link.DisplacementAt;
        Unsafe.WriteUnaligned(_store.Writable(place), (int)(target - (place + sizeof(int))));
    }

    private void ClearTable()
    {
        for (int i = 0; i < TableSize; i++)
            _table[i] = new JumpEntry { NegatedPc = 1, Entry = _gate.EmptyEntry };
    }

    private void Drop(GuestAddress address, ulong length)
    {
        bool any = false;
        for (ulong page = address.Value / GuestAddress.PageSize; page * GuestAddress.PageSize < address.Value + length; page++)
        {
            if (!_byPage.Remove(page, out List<Translation>? list))
                continue;
            foreach (Translation translation in list)
                Drop(translation);
            any = true;
        }
        if (any)
            ClearTable();
    }

    private void Drop(Translation translation)
    {
        if (_translations.GetValueOrDefault(translation.Block.Pc) == translation)
            _translations.Remove(translation.Block.Pc);
        foreach (Link link in translation.Incoming)
        {
            link.Linked = null;
            Patch(link, link.Owner.Entry + link.StubAt);
        }
        translation.Incoming.Clear();
        foreach (Link link in translation.Links)
            link.Linked?.Incoming.Remove(link);
    }
}
