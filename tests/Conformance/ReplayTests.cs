using Xunit;

namespace Vivarium.Conformance;

/// <summary>The same seed gives the same run, call by call, and in it the calls that a case is there for succeed.</summary>
[Collection(Lanes.VirtualTime)]
public sealed class ReplayTests
{
    public static TheoryData<string> ReplayedCases => [.. ConformanceCase.All.Where(c => c.Value.Case.Replays).Select(c => c.Key)];

    [Theory]
    [MemberData(nameof(ReplayedCases))]
    public async Task ReplaysBySeed(string name)
    {
        (CaseFile file, ConformanceCase @case) = ConformanceCase.All[name];
        using var scratch = new Scratch(@case);
        string first, second;
        using (await Lanes.Turn(@case))
        {
            first = await Listing(scratch, @case.Run(file), seed: 7);
            second = await Listing(scratch, @case.Run(file), seed: 7);
        }
        Assert.Equal(first, second);
        Assert.NotEmpty(first);
        Assert.Empty(CallsUsed.By(name).Except(CallsUsed.In(first)));
        Assert.Empty(CallsUsed.UnlistedErrorsIn(first));
    }

    [Fact]
    public async Task AnotherSeedInterleavesThreadsDifferently()
    {
        using var scratch = new Scratch(new ConformanceCase());
        string guest = Repository.Guest("interleave");
        var texts = new HashSet<string>();
        for (int seed = 1; seed <= 4; seed++)
            texts.Add((await scratch.Run([.. Lanes.Viv, "run", "--clock", "virtual", "--seed", $"{seed}", "--", guest])).ToString());
        Assert.True(texts.Count > 1, "four seeds gave one interleaving");
    }

    [Fact]
    public async Task SleepingCostsNoRealTimeOnTheVirtualClock()
    {
        using var scratch = new Scratch(new ConformanceCase());
        // A day; the run's patience is minutes.
        Outcome outcome = await scratch.Run([.. Lanes.Viv, "run", "--clock", "virtual", "--seed", "1", "--", "/bin/sh", "-c", "sleep 86400; echo awake"]);
        Assert.Equal("awake\n"u8, outcome.Output);
        Assert.Equal(0, outcome.ExitCode);
    }

    private static async Task<string> Listing(Scratch scratch, List<string> commandLine, int seed)
    {
        Outcome outcome = await scratch.Run([.. Lanes.Viv, "run", "--clock", "virtual", "--seed", $"{seed}", $"--strace={scratch.SideFile}", .. commandLine]);
        return await File.ReadAllTextAsync(scratch.SideFile) + outcome;
    }
}
