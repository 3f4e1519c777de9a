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
    /// <param name="link">The jump that goes to it, if any, at a generation.</param>
    /// <param name="changes">The domain's before it was not found.</param>
    public Translation? Translate(CodeDomain domain, LoweredBlock block, int link, int generation, int changes)
    {
        lock (_lock)
        {
            if (domain.Changes != changes && domain.Find(block.Pc) is { } found)
                return found;
            if (!TryReserve(BlockTranslator.SizeLimit(block)))
                return null;
            BlockTranslator.Way way = WayOf(generation == Generation ? link : LinkTable.None, domain);
            Translation translation = TranslatorOf(domain.Mode.Architecture).Translate(domain, block, way, _store.Place, _store.RarePlace, _store.RunOffset, out int length, out int rareLength);
            _store.Commit(length, rareLength);
            _regions[_store.Region].Translations.Add(translation);
            Blocks++;
            Bytes += translation.Length + rareLength;
            domain.Add(translation);
            return translation;
        }
    }

    /// <summary>How a block that a jump goes to is best come to; the block that ends where the next is put may run on into it.</summary>
    private BlockTranslator.Way WayOf(int number, CodeDomain domain)
    {
        if (number == LinkTable.None || _links[number].Owner.Domain != domain)
        {
            _store.Align();
            return new BlockTranslator.Way(IsIndirect: true, Refund: 0);
        }
        ref Link link = ref _links[number];
        if (!link.IsJump || link.Owner.Entry + link.DisplacementAt + sizeof(int) != (nint)_store.Place + _store.RunOffset)
            _store.Align();
        return new BlockTranslator.Way(IsIndirect: false, link.Refund);
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
                Patch(link.Owner.Entry + link.LeaveAt, gate.LookUpOf(link.Owner.Domain.Mode.Variant).Start);
                return false;
            }
            if (link.Linked == to)
                return true;
            if (link.Linked is not null)
                _links.Disconnect(number);
            ChainedJumps++;
            _links.Connect(number, to);
            if (link.Refund == 0)
                Send(link, to.Entry);
            else if (link.Refund == to.Refund)
                Send(link, to.RefundEntry);
            else
                Patch(link.Owner.Entry + link.StubAt - sizeof(int), to.Entry);
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
            Unlink(link);
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

    private void Unlink(in Link link)
    {
        nint stub = link.Owner.Entry + link.StubAt;
        if (link.Refund == 0)
        {
            Send(link, stub);
            return;
        }
        Patch(stub - sizeof(int), stub);
        Send(link, link.Owner.Entry + link.WayAt);
    }

    /// <summary>Sets where a link's jump goes. A JMP to what comes behind it becomes a NOP, and a JMP again.</summary>
    private void Send(in Link link, nint target)
    {
        nint place = link.Owner.Entry + link.DisplacementAt;
        if (!link.IsJump)
        {
            Patch(place, target);
            return;
        }
        const ulong jump = 0xE9, nop = 0x00_00_44_1F_0F, mask = (1ul << (8 * Assembler.JumpLength)) - 1;
        nint distance = target - (place + sizeof(int));
        ulong instruction = distance == 0 ? nop : jump | ((ulong)(uint)(int)distance << 8);
        nint start = place - 1;
        // The eight bytes that are stored at once are in the instruction's line, too.
        int before = Math.Max(0, (int)(start & (Assembler.CacheLine - 1)) + sizeof(ulong) - Assembler.CacheLine);
        ref ulong bytes = ref Unsafe.AsRef<ulong>(_store.Writable(start - before));
        Interlocked.Exchange(ref bytes, (bytes & ~(mask << (8 * before))) | (instruction << (8 * before)));
    }

    /// <summary>Changes a displacement in one locked store: see <see cref="Assembler.KeepInLine"/>.</summary>
    private void Patch(nint place, nint target)
    {
        Debug.Assert(place % Assembler.CacheLine <= Assembler.CacheLine - sizeof(int));
        Interlocked.Exchange(ref Unsafe.AsRef<int>(_store.Writable(place)), (int)(target - (place + sizeof(int))));
    }
}
