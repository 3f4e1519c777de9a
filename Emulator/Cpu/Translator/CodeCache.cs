using System.Diagnostics;
using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// All translations of this process, for all worlds (design decision 4): host code, the images it was made of, and the direct
/// jumps between blocks. Thread-safe; host code is only written under the lock, and jumps are patched with one store.
/// </summary>
internal sealed unsafe partial class CodeCache
{
    private readonly Lock _lock = new();
    private readonly CodeStore _store;
    private readonly Gate?[] _gates = new Gate?[ExecutionMode.Architectures];
    private readonly BlockTranslator?[] _translators = new BlockTranslator?[ExecutionMode.Architectures];
    private readonly LinkTable _links = new();
    private readonly Dictionary<(AddressSpace.FixedCode, ExecutionMode), CodeDomain> _images = [];

    public CodeCache(int size)
    {
        // Half of a region holds the largest block at least.
        int regions = Math.Clamp(size / (4 * BlockTranslator.LargestBlock), 1, MostRegions);
        _store = new CodeStore(size, ExecutionMode.Architectures * Gate.Size, regions);
        _regions = new Region[regions];
        for (int i = 0; i < regions; i++)
            _regions[i] = new Region();
    }

    /// <summary>The way into an architecture's code, made when the first such program runs.</summary>
    public Gate GateOf(Architecture architecture)
    {
        lock (_lock)
            return _gates[(int)architecture] ??= new Gate(_store, RegisterMap.Of(architecture));
    }

    private BlockTranslator TranslatorOf(Architecture architecture) => _translators[(int)architecture] ??= new BlockTranslator(_gates[(int)architecture]!, _links);

    public long Blocks { get; private set; }

    public long Bytes { get; private set; }

    public long ChainedJumps { get; private set; }

    public CodeDomain ImageOf(in AddressSpace.FixedCode code, ExecutionMode mode)
    {
        lock (_lock)
        {
            if (!_images.TryGetValue((code, mode), out CodeDomain? image))
                _images.Add((code, mode), image = new CodeDomain(code, mode));
            return image;
        }
    }

    /// <summary>The translation of a block in a domain, made now unless another world just did; null when there is no room.</summary>
    public Translation? Translate(CodeDomain domain, LoweredBlock block)
    {
        lock (_lock)
        {
            if (domain.Find(block.Pc) is { } found)
                return found;
            if (!TryReserve(BlockTranslator.SizeLimit(block)))
                return null;
            Translation translation = TranslatorOf(domain.Mode.Architecture).Translate(domain, block, _store.Place, _store.RarePlace, _store.RunOffset, out int rareLength);
            _store.Commit(Assembler.TargetCheckLength(translation.Pc) + translation.Length, rareLength);
            _regions[_store.Region].Translations.Add(translation);
            Blocks++;
            Bytes += translation.Length + rareLength;
            domain.Add(translation);
            return translation;
        }
    }

    /// <summary>
    /// Lets a jump go to a block directly, or, across domains, which may come apart, through the jump table: false then.
    /// </summary>
    public bool Join(int number, Translation to)
    {
        lock (_lock)
        {
            ref Link link = ref _links[number];
            if (link.Owner.Domain != to.Domain)
            {
                Gate gate = _gates[(int)link.Owner.Domain.Mode.Architecture]!;
                Patch(link.Owner.Entry + link.LeaveAt, link.Owner.Domain.Mode.Variant == 0 ? gate.Lookup : gate.Miss);
                return false;
            }
            if (link.Linked == to)
                return true;
            if (link.Linked is not null)
                _links.Disconnect(number);
            ChainedJumps++;
            _links.Connect(number, to);
            Patch(link.Owner.Entry + link.DisplacementAt, to.Entry);
            return true;
        }
    }

    /// <summary>Forgets blocks whose guest code changes: nothing finds them any more, and no other block jumps to them.</summary>
    public void Drop(List<Translation> translations)
    {
        lock (_lock)
        {
            foreach (Translation translation in translations)
            {
                if (translation.IsEvicted)
                    continue;
                translation.Domain.Remove(translation);
                Unlink(translation);
            }
        }
    }

    /// <summary>Takes a block out of the jumps of others.</summary>
    private void Unlink(Translation translation)
    {
        while (translation.Incoming != LinkTable.None)
        {
            ref Link link = ref _links[translation.Incoming];
            Patch(link.Owner.Entry + link.DisplacementAt, link.Owner.Entry + link.StubAt);
            _links.Disconnect(translation.Incoming);
        }
        for (int number = translation.FirstLink; number < translation.FirstLink + translation.LinkCount; number++)
        {
            if (_links[number].Linked is not null)
                _links.Disconnect(number);
        }
    }

    /// <summary>The block that a host address is in.</summary>
    public Translation At(nint address)
    {
        lock (_lock)
        {
            List<Translation> translations = _regions[_store.RegionOf(address)].Translations;
            int low = 0, high = translations.Count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                if (translations[middle].Entry <= address)
                    low = middle;
                else
                    high = middle - 1;
            }
            return translations[low];
        }
    }

    /// <summary>One store: see <see cref="Assembler.AlignDisplacement"/>.</summary>
    private void Patch(nint place, nint target)
    {
        Debug.Assert(place % sizeof(long) <= sizeof(int));
        Unsafe.WriteUnaligned(_store.Writable(place), (int)(target - (place + sizeof(int))));
    }
}
