using System.Runtime.CompilerServices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>The blocks of one address space by address, dropped when the space says that their bytes may change.</summary>
public sealed class CodeMap
{
    private const int CacheSize = 4096;

    private static readonly ConditionalWeakTable<AddressSpace, CodeMap> OfSpace = [];

    private readonly AddressSpace _memory;
    private readonly Dictionary<ulong, Block> _blocks = [];
    private readonly Dictionary<ulong, List<ulong>> _byPage = [];
    private readonly Block?[] _recent = new Block?[CacheSize];

    private CodeMap(AddressSpace memory)
    {
        _memory = memory;
        memory.CodeInvalidated += Drop;
    }

    /// <summary>Counts up whenever blocks are dropped, so that a running engine notices that its block is gone.</summary>
    public int Version { get; private set; }

    public static CodeMap Of(AddressSpace memory) => OfSpace.GetValue(memory, static space => new CodeMap(space));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Block? Find(ulong pc)
    {
        Block? block = _recent[(int)(pc ^ (pc >> 12)) & (CacheSize - 1)];
        return block is not null && block.Pc == pc ? block : FindSlowly(pc);
    }

    private Block? FindSlowly(ulong pc)
    {
        if (_blocks.TryGetValue(pc, out Block? block))
            _recent[(int)(pc ^ (pc >> 12)) & (CacheSize - 1)] = block;
        return block;
    }

    public void Add(Block block)
    {
        _memory.WatchCode(block.Pc, block.Code.Length);
        _blocks[block.Pc] = block;
        _recent[(int)(block.Pc ^ (block.Pc >> 12)) & (CacheSize - 1)] = block;
        for (ulong page = block.Pc / GuestAddress.PageSize; page <= (block.End - 1) / GuestAddress.PageSize; page++)
        {
            if (!_byPage.TryGetValue(page, out List<ulong>? starts))
                _byPage.Add(page, starts = []);
            starts.Add(block.Pc);
        }
    }

    private void Drop(GuestAddress address, ulong length)
    {
        Version++;
        Array.Clear(_recent);
        for (ulong page = address.Value / GuestAddress.PageSize; page * GuestAddress.PageSize < address.Value + length; page++)
        {
            if (!_byPage.Remove(page, out List<ulong>? starts))
                continue;
            foreach (ulong start in starts)
                _blocks.Remove(start);
        }
    }
}
