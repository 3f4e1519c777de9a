using System.Collections.Concurrent;

namespace Vivarium.Conformance;

/// <summary>
/// The two rows that tests wait in. What runs natively or on the host's clock stands in one, so that no two of them share ports, time or files. Beside it runs
/// what depends on neither: replays, at a lower priority, and limits.
/// </summary>
internal static class Lanes
{
    public const string RealTime = "real time", VirtualTime = "virtual time";

    private static readonly ConcurrentDictionary<string, SemaphoreSlim> Programs = new();

    /// <summary>How replays start Vivarium.</summary>
    public static string[] Viv { get; } = ["nice", "-n", "10", Repository.Viv];

    /// <summary>
    /// One lane at a time runs a case's program: what it makes natively in /tmp, by names that are always the same, is there for worlds as well. Until it is
    /// disposed of.
    /// </summary>
    public static async Task<IDisposable> Turn(ConformanceCase @case)
    {
        SemaphoreSlim program = Programs.GetOrAdd((@case.Guest ?? @case.Go)?.Split(' ')[0] ?? @case.Name, static _ => new SemaphoreSlim(1));
        await program.WaitAsync();
        return new TurnOf(program);
    }

    private sealed class TurnOf(SemaphoreSlim program) : IDisposable
    {
        public void Dispose() => program.Release();
    }
}
