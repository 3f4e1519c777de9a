using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

/// <summary>Sets of pages against sets of numbers.</summary>
public sealed class PageRunsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void IsASet(int seed)
    {
        const int places = 40;
        var random = new Random(seed);
        var runs = new PageRuns();
        var model = new bool[places + 1];
        for (int step = 0; step < 2000; step++)
        {
            int start = random.Next(places), end = Math.Min(places, start + random.Next(8));
            switch (random.Next(3))
            {
                case 0:
                    runs.Add((ulong)start, (ulong)end);
                    Array.Fill(model, true, start, end - start);
                    break;
                case 1:
                    runs.Remove((ulong)start, (ulong)end);
                    Array.Fill(model, false, start, end - start);
                    break;
                default:
                    int target = random.Next(places - (end - start) + 1);
                    if (target < end && start < target + (end - start))
                        break;
                    bool[] moved = model[start..end];
                    runs.Move((ulong)start, (ulong)end, (ulong)target);
                    Array.Fill(model, false, start, end - start);
                    moved.CopyTo(model, target);
                    break;
            }
            Check(runs, model);
        }
    }

    private static void Check(PageRuns runs, bool[] model)
    {
        for (int at = 0; at < model.Length; at++)
        {
            Assert.Equal(model[at], runs.Contains((ulong)at));
            int end = at;
            while (end < model.Length && model[end] == model[at])
                end++;
            Assert.Equal(end == model.Length ? ulong.MaxValue : (ulong)end, runs.EndOf((ulong)at));
        }
        for (int i = 1; i < runs.Count; i++)
            Assert.True(runs[i - 1].End < runs[i].Start);
    }
}
