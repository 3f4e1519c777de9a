using System.Collections.Concurrent;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Translations that hold together: whoever may run one of them may run all, so that they jump to each other directly. One for
/// each mapped image of fixed code, shared by all address spaces that map it at the same place; one for the rest of each space.
/// </summary>
internal sealed class CodeDomain
{
    private readonly ConcurrentDictionary<ulong, Translation> _translations = new();

    public CodeDomain(AddressSpace.FixedCode code) => Code = code;

    /// <summary>The image; nothing for a space's own domain.</summary>
    public AddressSpace.FixedCode Code { get; }

    public ulong Start => Code.Start;

    public ulong End => Code.End;

    public Translation? Find(ulong pc) => _translations.GetValueOrDefault(pc);

    public void Add(Translation translation) => _translations[translation.Block.Pc] = translation;

    public void Remove(Translation translation) => _translations.TryRemove(new KeyValuePair<ulong, Translation>(translation.Block.Pc, translation));
}
