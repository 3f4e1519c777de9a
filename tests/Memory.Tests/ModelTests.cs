using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Memory.Tests;

/// <summary>
/// Random programs of mapping calls against a table of pages: what is mapped, how it is protected and what it holds agree after every
/// step, in every fork. <c>VIVARIUM_FUZZ=STEPS[:SEED]</c> runs more of them.
/// </summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    private const int StepsOfAProgram = 300, DefaultSeed = 20261121;

    [Fact]
    public void Mappings_agree_with_a_table_of_pages()
    {
        string[] words = (Environment.GetEnvironmentVariable("VIVARIUM_FUZZ") ?? "").Split(':');
        int steps = int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : 15_000;
        int seed = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : DefaultSeed;
        output.WriteLine($"{steps} steps, first seed {seed}");
        for (; steps > 0; steps -= StepsOfAProgram, seed++)
        {
            using var program = new RandomMappings(seed);
            for (int i = 0; i < StepsOfAProgram; i++)
                program.Step(i);
            program.End();
        }
    }
}
