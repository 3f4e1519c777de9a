namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// What happens when the store is full: the region that was filled longest ago is emptied, once no thread is in host code, and
/// filled anew; what is still needed of it is translated again.
/// </summary>
internal sealed unsafe partial class CodeCache
{
    private const int MostRegions = 8;

    private readonly Region[] _regions;
    private readonly HashSet<SpaceCode> _spaces = [];
    private volatile bool _isEvicting;

    /// <summary>A part of the store.</summary>
    private sealed class Region
    {
        /// <summary>All blocks in it in the order of their addresses.</summary>
        public List<Translation> Translations { get; } = [];

        /// <summary>The cache's generation since it was emptied last.</summary>
        public int Generation { get; set; }
    }

    /// <summary>Counts emptied regions.</summary>
    public int Generation { get; private set; }

    /// <summary>A region is being emptied: nobody may enter.</summary>
    public bool IsEvicting => _isEvicting;

    public void Add(SpaceCode space)
    {
        lock (_lock)
            _spaces.Add(space);
    }

    public void Remove(SpaceCode space)
    {
        lock (_lock)
            _spaces.Remove(space);
    }

    /// <summary>Room in the present region, or in the next one when that was never filled.</summary>
    private bool TryReserve(int length)
    {
        if (_store.HasRoom(length))
            return true;
        if (_regions[NextRegion].Translations.Count > 0)
            return false;
        _store.Begin(NextRegion);
        return _store.HasRoom(length);
    }

    private int NextRegion => (_store.Region + 1) % _regions.Length;

    /// <summary>
    /// Makes room unless another thread just did: empties the next region, once no space's code runs. That of the calling thread must
    /// not.
    /// </summary>
    public void Evict(int generation)
    {
        SpaceCode[] spaces;
        lock (_lock)
        {
            if (Generation != generation || _isEvicting)
                return;
            _isEvicting = true;
            spaces = [.. _spaces];
        }
        // Rare, and costs the other threads what each entry of theirs would.
        Interlocked.MemoryBarrierProcessWide();
        foreach (SpaceCode space in spaces)
        {
            while (space.IsInside)
                Thread.Yield();
        }
        lock (_lock)
        {
            int next = NextRegion;
            Empty(_regions[next]);
            _store.Begin(next);
            _isEvicting = false;
        }
    }

    private void Empty(Region region)
    {
        foreach (Translation translation in region.Translations)
        {
            translation.Domain.Remove(translation);
            Unlink(translation);
            _links.Release(translation.FirstLink, translation.LinkCount);
            translation.IsEvicted = true;
        }
        region.Translations.Clear();
        foreach (((Memory.AddressSpace.FixedCode, ExecutionMode) key, CodeDomain image) in _images)
        {
            // Images that nobody maps any more go as their code does.
            if (image.Count == 0)
                _images.Remove(key);
        }
        region.Generation = ++Generation;
    }

    /// <summary>Takes the places of what was evicted since a generation out of a jump table.</summary>
    public void RemoveEvicted(JumpTable jumps, int since)
    {
        for (int i = 0; i < _regions.Length; i++)
        {
            if (_regions[i].Generation > since)
                jumps.RemoveBetween(_store.StartOf(i), _store.StartOf(i) + _store.RegionSize);
        }
    }
}
