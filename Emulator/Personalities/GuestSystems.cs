using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.FreeBsd;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.NetBsd;

namespace Vivarium.Emulator.Personalities;

/// <summary>The systems whose programs can be run, and on which processors: a system and what it runs are known by being here.</summary>
public static class GuestSystems
{
    public static IReadOnlyList<IPersonality> All { get; } = [LinuxPersonality.Instance, FreeBsdPersonality.Instance, NetBsdPersonality.Instance];

    /// <summary>Every system with every processor that it has programs for.</summary>
    public static IEnumerable<(IPersonality System, Architecture Processor)> Pairs() =>
        All.SelectMany(static system => Processors.All.Where(processor => system.Runs(Processors.ElfMachine(processor))), static (system, processor) => (system, processor));

    /// <summary>The system of a name; null when there is none.</summary>
    public static IPersonality? Find(string name)
    {
        foreach (IPersonality system in All)
        {
            if (system.Name == name)
                return system;
        }
        return null;
    }
}
