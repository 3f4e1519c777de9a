using System.Globalization;
using Xunit;

namespace Vivarium.Actors.Tests.Simulation;

/// <summary>
/// The shard protocol and the journal under faults, over many seeds. A seed that fails is printed; VIVARIUM_SEED replays it, and
/// VIVARIUM_SEEDS says how many are tried.
/// </summary>
public sealed class SimulationTests
{
    private const int Seeds = 500;

    [Fact]
    public void Every_accepted_job_ends_once_and_nobody_works_without_a_lease()
    {
        int first = Number("VIVARIUM_SEED", 1);
        int count = Number("VIVARIUM_SEEDS", Environment.GetEnvironmentVariable("VIVARIUM_SEED") is null ? Seeds : 1);
        for (int seed = first; seed < first + count; seed++)
        {
            var cluster = new SimulatedCluster(seed);
            cluster.Run();
            Assert.True(cluster.Violations.Count == 0, $"VIVARIUM_SEED={seed}:\n{string.Join('\n', cluster.Violations)}");
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void A_seed_is_one_run(int seed)
    {
        var once = new SimulatedCluster(seed);
        var again = new SimulatedCluster(seed);
        once.Run();
        again.Run();
        Assert.Equal(once.Trace, again.Trace);
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
