using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The code of one address space: the shared images it maps, translations of its own for the rest, and its jump table.</summary>
internal sealed class SpaceCode : IDisposable
{
    private readonly AddressSpace _memory;
    private readonly CodeCache _cache;
    private readonly List<CodeDomain> _images = [];
    private readonly CodeDomain _own = new(default);
    private readonly Dictionary<ulong, List<Translation>> _byPage = [];

    /// <summary>Where turns began lately: behind system calls, mostly.</summary>
    private readonly Translation?[] _recent = new Translation?[64];

    private SpaceCode(AddressSpace memory, CodeCache cache)
    {
        _memory = memory;
        _cache = cache;
        Jumps = new JumpTable(cache.Gate.EmptyEntry);
        Generation = cache.Generation;
        memory.CodeInvalidated += Drop;
    }

    public JumpTable Jumps { get; }

    /// <summary>The cache's when this was filled: after an eviction nothing here is good any more.</summary>
    public int Generation { get; private set; }

    public static SpaceCode Of(AddressSpace memory, CodeCache cache)
    {
        if (memory.EngineData is not SpaceCode code)
            memory.EngineData = code = new SpaceCode(memory, cache);
        if (code.Generation != cache.Generation)
            code.Reset();
        return code;
    }

    /// <summary>The translation at an address, if it was noted and nothing noted since has its place.</summary>
    public Translation? Recent(ulong pc) => _recent[(int)pc & (_recent.Length - 1)] is { } found && found.Block.Pc == pc ? found : null;

    public void Note(Translation translation) => _recent[(int)translation.Block.Pc & (_recent.Length - 1)] = translation;

    /// <summary>The domain that an address belongs to.</summary>
    public CodeDomain DomainOf(ulong pc)
    {
        foreach (CodeDomain image in _images)
        {
            if (pc - image.Start < image.End - image.Start)
                return image;
        }
        if (!_memory.TryWatchFixedCode(pc, out AddressSpace.FixedCode code))
            return _own;
        CodeDomain found = _cache.ImageOf(code);
        _images.Add(found);
        return found;
    }

    /// <summary>Takes note of a translation that is in no image: its pages are watched from now on.</summary>
    public void Watch(Translation translation)
    {
        Block block = translation.Block;
        _memory.WatchCode(block.Pc, block.Code.Length);
        for (ulong page = block.Pc / GuestAddress.PageSize; page <= (block.End - 1) / GuestAddress.PageSize; page++)
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
        Jumps.Dispose();
    }

    private void Reset()
    {
        Generation = _cache.Generation;
        Jumps.Clear();
        Array.Clear(_recent);
        foreach (List<Translation> list in _byPage.Values)
        {
            foreach (Translation translation in list)
                _own.Remove(translation);
        }
        _byPage.Clear();
        for (int i = 0; i < _images.Count; i++)
            _images[i] = _cache.ImageOf(_images[i].Code);
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
                foreach (Translation translation in list)
                {
                    _own.Remove(translation);
                    _cache.Unlink(translation);
                }
                any = true;
            }
        }
        if (!any)
            return;
        Jumps.Clear();
        Array.Clear(_recent);
    }
}
