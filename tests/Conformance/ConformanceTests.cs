using Xunit;

namespace Vivarium.Conformance;

/// <summary>Every case natively and in Vivarium: the same bytes and the same exit code, and nothing changed on the host.</summary>
[Collection(Lanes.RealTime)]
public sealed class ConformanceTests
{
    public static TheoryData<string> NativeCases => [.. ConformanceCase.All.Where(c => c.Value.Case.Native).Select(c => c.Key)];

    /// <summary>Cases that do not run as natively yet. The list only shrinks: one that passes must be taken off.</summary>
    private static readonly string[] KnownFailures = File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Conformance", "known-failures.txt"));

    [Theory]
    [MemberData(nameof(NativeCases))]
    public async Task RunsAsNatively(string name)
    {
        (CaseFile file, ConformanceCase @case) = ConformanceCase.All[name];
        using var scratch = new Scratch(@case);
        // The test host ignores SIGPIPE, its caller perhaps others, and what it starts would inherit that.
        Outcome native;
        using (await Lanes.Turn(@case))
            native = await scratch.Run(["/usr/bin/env", "--default-signal", .. @case.NativeCommandLine(file)]);
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
}
