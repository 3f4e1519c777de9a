using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Kernel;

/// <summary>Something of a system's that programs for a processor asked for, and nothing implements.</summary>
/// <param name="Number">A call, by the personality's number.</param>
/// <param name="Name">What is not a call, as in "sysctl kern.geom"; null = it is one.</param>
public readonly record struct MissingPart(string System, Architecture Processor, int Number, string? Name);

public sealed partial class World
{
    /// <summary>Different ones that are told of: guests choose the numbers.</summary>
    private const int MostMissing = 256;

    private readonly Dictionary<MissingPart, long> _missing = [];

    /// <summary>How often programs asked for each thing that nothing implements; of very many, the first.</summary>
    public IReadOnlyDictionary<MissingPart, long> Missing => _missing;

    /// <summary>The call under way has no handler.</summary>
    public void CountMissing(CallContext call) => CountMissing(call.Thread, call.Number, null);

    /// <summary>The call under way asked for something of that name.</summary>
    public void CountMissing(CallContext call, string name) => CountMissing(call.Thread, 0, name);

    private void CountMissing(GuestThread thread, int number, string? name)
    {
        var part = new MissingPart(thread.Process.Personality.Name, thread.Cpu.Architecture, number, name);
        if (_missing.TryGetValue(part, out long count) || _missing.Count < MostMissing)
            _missing[part] = count + 1;
    }
}
