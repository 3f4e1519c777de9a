using System.Globalization;
using Vivarium.Emulator.Cpu.Blocks;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Tests with signal handlers and fixed addresses of their own: one at a time.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FuzzCollection
{
    public const string Name = "Programs on translator and silicon";
}

/// <summary>
/// Random programs on translator, interpreter and silicon. VIVARIUM_SEED is the first program's seed, VIVARIUM_FUZZ_PROGRAMS their
/// number, VIVARIUM_FUZZ_SECONDS the time limit.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const ulong DefaultSeed = 20261121;
    private const ulong DefaultPrograms = 3000;

    /// <summary>In windows of 4 GB and of 1 TB.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1UL << 39)]
    public void NoProgramRunsDifferently(ulong furthestPage)
    {
        var seed = Setting("VIVARIUM_SEED", DefaultSeed);
        output.WriteLine($"seed {seed}");
        using var runner = new DifferentialRunner(EnginePair.Translator, withSilicon: true, furthestPage);
        var campaign = new FuzzCampaign(runner);
        campaign.Run(seed, (long)Setting("VIVARIUM_FUZZ_PROGRAMS", DefaultPrograms), TimeSpan.FromSeconds(Setting("VIVARIUM_FUZZ_SECONDS", 1_000_000)));
        output.WriteLine($"{campaign.Programs} programs, {runner.Runs} runs, {runner.RunsOnSilicon} on silicon");
        Assert.True(campaign.Failures == 0, campaign.Report);
    }

    /// <summary>Regions of the store are emptied and filled again all the time.</summary>
    [Fact]
    public void NoProgramRunsDifferentlyInATinyStore()
    {
        const int StoreSize = 1 << 20;
        var seed = Setting("VIVARIUM_SEED", DefaultSeed);
        output.WriteLine($"seed {seed}");
        var translator = new Emulator.Cpu.Translator.Translator(new BlockCache(), StoreSize);
        using var runner = new DifferentialRunner(translator, withSilicon: false);
        var campaign = new FuzzCampaign(runner);
        campaign.Run(seed, (long)Setting("VIVARIUM_FUZZ_PROGRAMS", DefaultPrograms), TimeSpan.FromSeconds(Setting("VIVARIUM_FUZZ_SECONDS", 1_000_000)));
        output.WriteLine($"{campaign.Programs} programs, {runner.Runs} runs, {translator.Statistics.Evictions} evictions");
        Assert.True(campaign.Failures == 0, campaign.Report);
        Assert.True(campaign.Programs < (long)DefaultPrograms / 2 || translator.Statistics.Evictions > 3);
    }

    [Fact]
    public void WorldsOnSeveralThreadsDoNotDisturbEachOther()
    {
        const int Threads = 3;
        var seed = Setting("VIVARIUM_SEED", DefaultSeed);
        output.WriteLine($"seed {seed}");
        var reports = new string[Threads];
        var threads = Enumerable.Range(0, Threads).Select(i => new Thread(() => reports[i] = RunOneOfSeveral(seed))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.All(reports, report => Assert.Equal("", report));
    }

    /// <summary>The same programs at the same addresses as on the other threads.</summary>
    private static string RunOneOfSeveral(ulong seed)
    {
        using var runner = new DifferentialRunner(EnginePair.Translator, withSilicon: false);
        var campaign = new FuzzCampaign(runner);
        campaign.Run(seed, (long)Setting("VIVARIUM_FUZZ_PROGRAMS", DefaultPrograms) / 4, TimeSpan.FromSeconds(Setting("VIVARIUM_FUZZ_SECONDS", 1_000_000)));
        return campaign.Report;
    }

    internal static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
