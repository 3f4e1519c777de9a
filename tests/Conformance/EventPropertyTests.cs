using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Conformance;

/// <summary>
/// Random programs of file and descriptor operations (tests/Guests/eventfuzz.c), natively and in Vivarium: inotify, epoll and poll say the
/// same, in the same order. <c>VIVARIUM_SEED</c> and <c>VIVARIUM_PROGRAMS</c> choose which and how many of each kind.
/// </summary>
[Collection(Lanes.RealTime)]
public sealed class EventPropertyTests(ITestOutputHelper output)
{
    private const int Batch = 500;

    /// <summary>How often the host is asked when it says something else: of two events at once it does not always tell the same one first.</summary>
    private const int NativeRuns = 30;

    private static ulong Seed { get; } = Setting("VIVARIUM_SEED") ?? 20261121;

    [Theory]
    [InlineData("files")]
    [InlineData("descriptors")]
    [InlineData("mixed")]
    public async Task EventsComeAsOnLinux(string kind)
    {
        output.WriteLine($"VIVARIUM_SEED={Seed}");
        string guest = Repository.Guest("eventfuzz");
        using var scratch = new Scratch(new ConformanceCase());
        ulong end = Seed + (Setting("VIVARIUM_PROGRAMS") ?? Batch);
        for (ulong seed = Seed; seed < end; seed += Batch)
        {
            string[] words = [guest, $"{seed}", $"{Math.Min(Batch, end - seed)}", kind];
            string[] native = Lines(await scratch.Run(words));
            string[] emulated = Lines(await scratch.Run([Repository.Viv, "run", "--", .. words]));
            foreach ((string one, string two) in native.Zip(emulated))
            {
                if (one != two)
                    await Explain(scratch, guest, one.Split(' ')[0], kind);
            }
            Assert.Equal(native.Length, emulated.Length);
        }
    }

    /// <summary>Runs one program again, showing all it saw. What the host says in any of several runs is right.</summary>
    private async Task Explain(Scratch scratch, string guest, string seed, string kind)
    {
        output.WriteLine($"the program of seed {seed} differs: eventfuzz {seed} 0 {kind}");
        string emulated = (await scratch.Run(Repository.Viv, "run", "--", guest, seed, "0", kind)).ToString();
        string native = "";
        for (int i = 0; i < NativeRuns && native != emulated; i++)
            native = (await scratch.Run(guest, seed, "0", kind)).ToString();
        Assert.Equal(native, emulated);
    }

    private static string[] Lines(Outcome outcome)
    {
        Assert.Equal(0, outcome.ExitCode);
        return System.Text.Encoding.ASCII.GetString(outcome.Output).Split('\n');
    }

    private static ulong? Setting(string name) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : null;
}
