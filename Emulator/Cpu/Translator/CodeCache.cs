using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// All translations of this process, for all worlds (design decision 4): host code, the images it was made of, and the direct
/// jumps between blocks. Thread-safe; host code is only written under the lock, and jumps are patched with one store.
/// </summary>
internal sealed unsafe class CodeCache
{
    private readonly Lock _lock = new();
    private readonly CodeStore _store;
    private readonly BlockTranslator _translator;
    private readonly int _firstCode;
    private readonly LinkTable _links = new();
    private readonly Dictionary<AddressSpace.FixedCode, CodeDomain> _images = [];

    /// <summary>All translations in the order of their addresses.</summary>
    private readonly List<Translation> _byAddress = [];

    public CodeCache(int size)
    {
        _store = new CodeStore(size);
        Gate = new Gate(_store);
        _firstCode = _store.Used;
        _translator = new BlockTranslator(Gate, _links);
    }

    public Gate Gate { get; }

    /// <summary>Counts evictions.</summary>
    public int Generation { get; private set; }

    public long Blocks { get; private set; }

    public long Bytes { get; private set; }

    public long ChainedJumps { get; private set; }

    public CodeDomain ImageOf(in AddressSpace.FixedCode code)
    {
        lock (_lock)
        {
            if (!_images.TryGetValue(code, out CodeDomain? image))
                _images.Add(code, image = new CodeDomain(code));
            return image;
        }
    }

    /// <summary>The translation of a block in a domain, made now unless another world just did; null when there is no room.</summary>
    public Translation? Translate(CodeDomain domain, Block block)
    {
        lock (_lock)
        {
            if (domain.Find(block.Pc) is { } found)
                return found;
            byte* place = _store.Reserve(BlockTranslator.SizeLimit(block));
            if (place is null)
                return null;
            Translation translation = _translator.Translate(block, place, _store.RunOffset);
            translation.Domain = domain;
            _store.Commit(translation.Length);
            _byAddress.Add(translation);
            Blocks++;
            Bytes += translation.Length;
            domain.Add(translation);
            return translation;
        }
    }

    /// <summary>
    /// Lets a jump go to a block directly; across domains, which may come apart, through the jump table.
    /// </summary>
    public void Join(int number, Translation to)
    {
        lock (_lock)
        {
            Link link = _links.Get(number);
            if (link.Owner.Domain != to.Domain)
            {
                Patch(link.Owner.Entry + link.LeaveAt, Gate.Lookup);
                return;
            }
            if (link.Linked == to)
                return;
            link.Linked = to;
            ChainedJumps++;
            to.Incoming.Add(link);
            Patch(link.Owner.Entry + link.DisplacementAt, to.Entry);
        }
    }

    /// <summary>Takes a block out of the jumps of others.</summary>
    public void Unlink(Translation translation)
    {
        lock (_lock)
        {
            foreach (Link link in translation.Incoming)
            {
                link.Linked = null;
                Patch(link.Owner.Entry + link.DisplacementAt, link.Owner.Entry + link.StubAt);
            }
            translation.Incoming.Clear();
            foreach (Link link in translation.Links)
                link.Linked?.Incoming.Remove(link);
        }
    }

    /// <summary>The block that a host address is in.</summary>
    public Translation At(nint address)
    {
        lock (_lock)
        {
            int low = 0, high = _byAddress.Count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                if (_byAddress[middle].Entry <= address)
                    low = middle;
                else
                    high = middle - 1;
            }
            return _byAddress[low];
        }
    }

    // ---- eviction --------------------------------------------------------------------------------------------------

    /// <summary>A thread that runs translated code.</summary>
    internal sealed class Worker
    {
        private int _isInside;

        public bool IsInside => Volatile.Read(ref _isInside) != 0;

        /// <summary>A full fence: whoever evicts afterwards sees it, or is seen.</summary>
        public void Enter() => Interlocked.Exchange(ref _isInside, 1);

        public void Leave() => Volatile.Write(ref _isInside, 0);
    }

    [ThreadStatic]
    private static Worker? _current;

    private readonly List<Worker> _workers = [];
    private volatile bool _isEvicting;

    /// <summary>From now until <see cref="Leave"/> no translation goes away.</summary>
    public Worker Enter()
    {
        Worker worker = _current ?? Register();
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

    private Worker Register()
    {
        _current = new Worker();
        lock (_lock)
            _workers.Add(_current);
        return _current;
    }

    /// <summary>
    /// Forgets everything, once no thread is inside: the store is full, and what is still needed is translated again in less time
    /// than keeping books about it would take. The calling thread must not be inside.
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
        foreach (Worker worker in workers)
        {
            while (worker.IsInside)
                Thread.Yield();
        }
        lock (_lock)
        {
            _images.Clear();
            _byAddress.Clear();
            _links.Clear();
            _store.Reset(_firstCode);
            Generation++;
            _isEvicting = false;
        }
    }

    private void Patch(nint place, nint target) =>
        Unsafe.WriteUnaligned(_store.Writable(place), (int)(target - (place + sizeof(int))));
}
