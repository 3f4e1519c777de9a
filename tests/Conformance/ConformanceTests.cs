using Xunit;

namespace Vivarium.Conformance;

/// <summary>Every case natively and in Vivarium: the same bytes and the same exit code, and nothing changed on the host.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<string> NativeCases => [.. ConformanceCase.All.Where(c => c.Value.Case.Native).Select(c => c.Key)];

    public static TheoryData<string> ReplayedCases => [.. ConformanceCase.All.Where(c => c.Value.Case.Replays).Select(c => c.Key)];

    /// <summary>Cases that do not run as natively yet. The list only shrinks: one that passes must be taken off.</summary>
    private static readonly string[] KnownFailures = File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Conformance", "known-failures.txt"));

    [Theory]
    [MemberData(nameof(NativeCases))]
    public async Task RunsAsNatively(string name)
    {
        (CaseFile file, ConformanceCase @case) = ConformanceCase.All[name];
        using var scratch = new Scratch(@case);
        // The test host ignores SIGPIPE, its caller perhaps others, and what it starts would inherit that.
        Outcome native = await scratch.Run(["/usr/bin/env", "--default-signal", .. @case.NativeCommandLine(file)]);
        scratch.Fill();
        string before = scratch.Inventory();
        Outcome emulated = await scratch.Run([Repository.Viv, "run", "--env", $"SYSTEM={@case.System}", .. @case.Run(file)]);
        if (KnownFailures.Contains(name))
        {
            Assert.True(native.ToString() != emulated.ToString(), $"{name} runs as natively now: take it off known-failures.txt");
            return;
        }
        Assert.Equal(native.ToString(), emulated.ToString());
        Assert.Equal(native.Output, emulated.Output);
        Assert.Equal(before, scratch.Inventory());
    }

    [Theory]
    [MemberData(nameof(ReplayedCases))]
    public async Task ReplaysBySeed(string name)
    {
        (CaseFile file, ConformanceCase @case) = ConformanceCase.All[name];
        using var scratch = new Scratch(@case);
        string first = await Listing(scratch, @case.Run(file), seed: 7);
        string second = await Listing(scratch, @case.Run(file), seed: 7);
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
            texts.Add((await scratch.Run(Repository.Viv, "run", "--clock", "virtual", "--seed", $"{seed}", "--", guest)).ToString());
        Assert.True(texts.Count > 1, "four seeds gave one interleaving");
    }

    [Fact]
    public async Task SleepingCostsNoRealTimeOnTheVirtualClock()
    {
        using var scratch = new Scratch(new ConformanceCase());
        // A day; the run's patience is minutes.
        Outcome outcome = await scratch.Run(Repository.Viv, "run", "--clock", "virtual", "--seed", "1", "--", "/bin/sh", "-c", "sleep 86400; echo awake");
        Assert.Equal("awake\n"u8, outcome.Output);
        Assert.Equal(0, outcome.ExitCode);
    }

    private static async Task<string> Listing(Scratch scratch, List<string> commandLine, int seed)
    {
        Outcome outcome = await scratch.Run([Repository.Viv, "run", "--clock", "virtual", "--seed", $"{seed}", $"--strace={scratch.SideFile}", .. commandLine]);
        return await File.ReadAllTextAsync(scratch.SideFile) + outcome;
    }
}
