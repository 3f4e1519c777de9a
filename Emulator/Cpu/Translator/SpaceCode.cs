using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The code of one address space in one mode: the shared images it maps, translations of its own for the rest, and its jump table.</summary>
internal sealed unsafe class SpaceCode : IDisposable
{
    private readonly AddressSpace _memory;
    private readonly CodeCache _cache;
    private readonly List<CodeDomain> _images = [];
    private readonly CodeDomain _own;
    private readonly Dictionary<ulong, List<Translation>> _byPage = [];

    /// <summary>Where turns began lately: behind system calls, mostly.</summary>
    private readonly Translation?[] _recent = new Translation?[64];

    /// <summary>Instructions of translations that the interpreter ran lately.</summary>
    private readonly Block?[] _singles = new Block?[128];

    /// <summary>The same space's code for other modes.</summary>
    private SpaceCode? _next;

    /// <summary>Its world runs translated code of it. One world runs a space, on one thread at a time.</summary>
    private int _isInside;

    private TimeStampCounter? _clock;
    private TickScale? _scale;

    private SpaceCode(AddressSpace memory, CodeCache cache, ExecutionMode mode)
    {
        _memory = memory;
        _cache = cache;
        Mode = mode;
        Gate = cache.GateOf(mode.Architecture);
        _own = new CodeDomain(default, mode);
        Context = (GateContext*)NativeMemory.AllocZeroed((nuint)sizeof(GateContext));
        Jumps = new JumpTable(memory, Context, Gate.LookUpOf(mode.Variant), mode.Variant);
        Generation = cache.Generation;
        memory.CodeInvalidated += Drop;
        cache.Add(this);
    }

    public ExecutionMode Mode { get; }

    /// <summary>The way into it.</summary>
    public Gate Gate { get; }

    /// <summary>What its code is entered with.</summary>
    public GateContext* Context { get; private set; }

    public JumpTable Jumps { get; }

    public bool IsInside => Volatile.Read(ref _isInside) != 0;

    /// <summary>From now until <see cref="Leave"/> no translation goes away.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter()
    {
        // Whoever evicts afterwards sees it, or is seen: the fence in between is the evicting thread's, for all threads.
        Volatile.Write(ref _isInside, 1);
        if (_cache.IsEvicting)
            Await();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leave() => Volatile.Write(ref _isInside, 0);

    /// <summary>What its code reads the time stamp counter by, until another is told; null: those instructions are the interpreter's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ShowClock(TimeStampCounter? counter)
    {
        TickScale? scale = counter?.Counter?.Scale;
        if (!ReferenceEquals(counter, _clock) || !ReferenceEquals(scale, _scale))
            ShowOther(counter, scale);
    }

    private void ShowOther(TimeStampCounter? counter, TickScale? scale)
    {
        (_clock, _scale) = (counter, scale);
        (Context->ClockFunction, Context->ClockOffset) = (counter?.Function ?? 0, counter?.Offset ?? 0);
        // Without a scale the counter is always too far from its start.
        Context->NegatedStart = -(scale?.Start ?? 0);
        Context->TickMultiplier = scale?.Multiplier ?? 0;
        Context->StartTime = (scale?.Nanoseconds ?? 0) + Context->ClockOffset;
    }

    private void Await()
    {
        do
        {
            Leave();
            Thread.Yield();
            Volatile.Write(ref _isInside, 1);
        }
        while (_cache.IsEvicting);
    }

    /// <summary>The cache's when this was looked through last: after an eviction some of it may be gone.</summary>
    public int Generation { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SpaceCode Of(AddressSpace memory, CodeCache cache, ExecutionMode mode)
    {
        return memory.EngineData is SpaceCode code && code.Mode == mode && code.Generation == cache.Generation ? code : Find(memory, cache, mode);
    }

    private static SpaceCode Find(AddressSpace memory, CodeCache cache, ExecutionMode mode)
    {
        if (memory.EngineData is not SpaceCode code)
            memory.EngineData = code = new SpaceCode(memory, cache, mode);
        while (code.Mode != mode)
            code = code._next ??= new SpaceCode(memory, cache, mode);
        if (code.Generation != cache.Generation)
            code.ForgetEvicted();
        return code;
    }

    /// <summary>The translation at an address, if it was noted and nothing noted since has its place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Translation? Recent(ulong pc) => _recent[(int)pc & (_recent.Length - 1)] is { } found && found.Pc == pc ? found : null;

    public void Note(Translation translation) => _recent[(int)translation.Pc & (_recent.Length - 1)] = translation;

    /// <summary>The block of one instruction, if it was noted and nothing noted since has its place.</summary>
    public Block? Single(ulong pc) => _singles[PlaceOf(pc)] is { } found && found.Pc == pc ? found : null;

    /// <summary>Keeps the block of an instruction that is part of a translation, as long as no translation is dropped.</summary>
    public void Note(Block single) => _singles[PlaceOf(single.Pc)] = single;

    private int PlaceOf(ulong pc) => (int)(pc ^ (pc >> 7)) & (_singles.Length - 1);

    /// <summary>The domain that an address belongs to.</summary>
    public CodeDomain DomainOf(ulong pc)
    {
        foreach (CodeDomain image in CollectionsMarshal.AsSpan(_images))
        {
            if (pc - image.Start < image.End - image.Start)
                return image;
        }
        if (!_memory.TryWatchFixedCode(pc, out AddressSpace.FixedCode code))
            return _own;
        CodeDomain found = _cache.ImageOf(code, Mode);
        _images.Add(found);
        return found;
    }

    /// <summary>Takes note of a translation that is in no image: its pages are watched from now on.</summary>
    public void Watch(Translation translation)
    {
        _memory.WatchCode(translation.Pc, translation.GuestLength);
        for (ulong page = translation.Pc / GuestAddress.PageSize; page <= (translation.End - 1) / GuestAddress.PageSize; page++)
        {
            if (!_byPage.TryGetValue(page, out List<Translation>? list))
                _byPage.Add(page, list = []);
            list.Add(translation);
        }
    }

    public bool IsOwn(CodeDomain domain) => domain == _own;

    public void Dispose()
    {
        _memory.CodeInvalidated -= Drop;
        _cache.Remove(this);
        Jumps.Dispose();
        NativeMemory.Free(Context);
        Context = null;
        _next?.Dispose();
    }

    private void ForgetEvicted()
    {
        int since = Generation;
        Generation = _cache.Generation;
        _cache.RemoveEvicted(Jumps, since);
        Array.Clear(_recent);
        Array.Clear(_singles);
        foreach ((ulong page, List<Translation> list) in _byPage)
        {
            list.RemoveAll(static translation => translation.IsEvicted);
            if (list.Count == 0)
                _byPage.Remove(page);
        }
        for (int i = 0; i < _images.Count; i++)
            _images[i] = _cache.ImageOf(_images[i].Code, Mode);
    }

    private void Drop(GuestAddress address, ulong length)
    {
        bool any = _images.RemoveAll(image => image.Start < address.Value + length && image.End > address.Value) > 0;
        if (_byPage.Count > 0)
        {
            for (ulong page = address.Value / GuestAddress.PageSize; page * GuestAddress.PageSize < address.Value + length; page++)
            {
                if (!_byPage.Remove(page, out List<Translation>? list))
                    continue;
                _cache.Drop(list);
                any = true;
            }
        }
        if (!any)
            return;
        Jumps.Clear();
        Array.Clear(_recent);
        Array.Clear(_singles);
    }
}
