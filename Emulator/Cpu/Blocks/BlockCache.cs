using System.Collections.Concurrent;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>
/// Every block lowered in this process, by address, mode and content, for all worlds (design decision 4): the thousandth run of a
/// program lowers nothing. Bounded: when it is full it starts anew, since address spaces keep the blocks they use.
/// </summary>
public sealed class BlockCache
{
    private const int Capacity = 400_000;

    private readonly ConcurrentDictionary<ulong, Block[]> _byAddress = new();
    private int _count;

    public static BlockCache Shared { get; } = new();

    /// <summary>The block at an address whose bytes are a prefix of <paramref name="code"/>.</summary>
    public Block? Find(ExecutionMode mode, ulong pc, ReadOnlySpan<byte> code)
    {
        if (!_byAddress.TryGetValue(mode.At(pc), out Block[]? candidates))
            return null;
        foreach (Block block in candidates)
        {
            if (code.StartsWith(block.Code))
                return block;
        }
        return null;
    }

    public void Add(ExecutionMode mode, Block block)
    {
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _byAddress.Clear();
            Interlocked.Exchange(ref _count, 1);
        }
        _byAddress.AddOrUpdate(mode.At(block.Pc), static (_, added) => [added], static (_, old, added) => Keep(old, added), block);
    }

    /// <summary>Code that is rewritten in place leaves old versions behind; only the last few are worth keeping.</summary>
    private static Block[] Keep(Block[] old, Block added)
    {
        const int versions = 4;
        return old.Length < versions ? [added, .. old] : [added, .. old.AsSpan(0, versions - 1)];
    }
}
