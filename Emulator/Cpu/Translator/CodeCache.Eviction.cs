namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// What happens when the store is full: the region that was filled longest ago is emptied, once no thread is in host code, and
/// filled anew; what is still needed of it is translated again.
/// </summary>
internal sealed unsafe partial class CodeCache
{
    private const int MostRegions = 8;

    private readonly Region[] _regions;
    private readonly List<Worker> _workers = [];
    private volatile bool _isEvicting;

    [ThreadStatic]
    private static Worker? _current;

    /// <summary>A part of the store.</summary>
    private sealed class Region
    {
        /// <summary>All blocks in it in the order of their addresses.</summary>
        public List<Translation> Translations { get; } = [];

        /// <summary>The cache's generation since it was emptied last.</summary>
        public int Generation { get; set; }
    }

    /// <summary>A thread that runs this cache's code.</summary>
    internal sealed class Worker(CodeCache cache)
    {
        private readonly Thread _thread = Thread.CurrentThread;
        private int _isInside;

        public CodeCache Cache { get; } = cache;

        public bool IsInside => Volatile.Read(ref _isInside) != 0;

        public bool IsCurrent => _thread == Thread.CurrentThread;

        public bool IsAlive => _thread.IsAlive;

        /// <summary>Whoever evicts afterwards sees it, or is seen: the fence in between is the evicting thread's, for all threads.</summary>
        public void Enter() => Volatile.Write(ref _isInside, 1);

        public void Leave() => Volatile.Write(ref _isInside, 0);
    }

    /// <summary>Counts emptied regions.</summary>
    public int Generation { get; private set; }

    /// <summary>From now until <see cref="Leave"/> no translation goes away.</summary>
    public Worker Enter()
    {
        Worker worker = _current is { } current && current.Cache == this ? current : Register();
        while (true)
        {
            worker.Enter();
            if (!_isEvicting)
                return worker;
            worker.Leave();
            Thread.Yield();
        }
    }

    public static void Leave(Worker worker) => worker.Leave();

    /// <summary>The thread's worker of this cache, which is the thread's first here or not.</summary>
    private Worker Register()
    {
        lock (_lock)
        {
            _workers.RemoveAll(static worker => !worker.IsAlive);
            _current = _workers.Find(static worker => worker.IsCurrent);
            if (_current is null)
                _workers.Add(_current = new Worker(this));
            return _current;
        }
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
    /// Makes room unless another thread just did: empties the next region, once no thread is inside. The calling thread must not be
    /// inside.
    /// </summary>
    public void Evict(int generation)
    {
        Worker[] workers;
        lock (_lock)
        {
            if (Generation != generation || _isEvicting)
                return;
            _isEvicting = true;
            workers = [.. _workers];
        }
        // Rare, and costs the other threads what each entry of theirs would.
        Interlocked.MemoryBarrierProcessWide();
        foreach (Worker worker in workers)
        {
            while (worker.IsInside)
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
