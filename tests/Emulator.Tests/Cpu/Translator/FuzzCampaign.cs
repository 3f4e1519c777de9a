using System.Diagnostics;
using System.Text;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Runs many random programs and reports the shortest form of what differs.</summary>
internal sealed class FuzzCampaign(DifferentialRunner runner)
{
    private const int InputsOfProgram = 2;
    private const int MostFailures = 5;
    private const long NoSlices = long.MaxValue;

    private readonly StringBuilder _report = new();

    public int Failures { get; private set; }

    public string Report => _report.ToString();

    public long Programs { get; private set; }

    /// <summary>Programs of consecutive seeds, until a number was run or the time is over.</summary>
    public void Run(ulong seed, long programs, TimeSpan time)
    {
        var watch = Stopwatch.StartNew();
        for (var i = 0UL; i < (ulong)programs && Failures < MostFailures && watch.Elapsed < time; i++)
            RunOne(seed + i);
    }

    /// <summary>The program of one seed, with each of its inputs.</summary>
    public void RunOne(ulong seed)
    {
        var (program, inputs) = ProgramGenerator.Generate(seed, InputsOfProgram);
        var random = new FuzzRandom(~seed);
        // Across the boundary of two pages now and then.
        var offset = random.Chance(150) ? (int)FuzzLayout.Page - random.Below(100) : random.Below(2000);
        if (!program.TryEncode(runner.NextPlace(offset)))
            return;
        Programs++;
        foreach (var input in inputs)
        {
            var slice = random.Chance(250) ? random.Between(1, 9) : NoSlices;
            if (runner.Difference(program, input, slice) is not { } found)
                continue;
            Shrink(seed, program, input, slice, offset, found);
            return;
        }
    }

    private void Shrink(ulong seed, FuzzProgram program, FuzzInput input, long slice, int offset, string found)
    {
        Failures++;
        var difference = Again(ref program, input, slice, offset);
        if (difference is null)
        {
            _report.AppendLine($"seed {seed}: a difference that does not come again elsewhere: {found}\n{program}");
            return;
        }

        for (var size = program.Steps.Count / 2; size > 0; size /= 2)
        {
            for (var first = program.Steps.Count - 1 - size; first >= 0; first = Math.Min(first - 1, program.Steps.Count - 1 - size))
            {
                if (program.Without(first, size) is { } shorter && shorter.FirstUndefinedRead() < 0 && Again(ref shorter, input, slice, offset) is { } same)
                    (program, difference) = (shorter, same);
            }
        }

        if (slice != NoSlices && Again(ref program, input, NoSlices, offset) is { } whole)
            (slice, difference) = (NoSlices, whole);
        for (var i = 0; i < 16; i++)
        {
            var kept = input.State.Registers[i];
            input.State.Registers[i] = 0;
            if (Again(ref program, input, slice, offset) is { } simpler)
                difference = simpler;
            else
                input.State.Registers[i] = kept;
        }

        difference = Again(ref program, input, slice, offset) ?? difference;
        _report.AppendLine($"seed {seed}{(slice == NoSlices ? "" : $" in runs of {slice}")}: {difference}\n{program}  before\n{Outcome.Describe(input.State)}");
    }

    private string? Again(ref FuzzProgram program, FuzzInput input, long slice, int offset) =>
        program.TryEncode(runner.NextPlace(offset)) ? runner.Difference(program, input, slice) : null;
}
