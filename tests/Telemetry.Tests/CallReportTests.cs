using Vivarium.Messages;
using Xunit;

namespace Vivarium.Telemetry.Tests;

public sealed class CallReportTests
{
    private static JobUsage Usage()
    {
        var ledger = new CallLedger();
        for (int i = 0; i < 3; i++)
            ledger.Add(0, 1_000_000, failed: i == 0, unimplemented: false);
        ledger.Add(1, 1_000_000, failed: false, unimplemented: false);
        ledger.Add(999, 0, failed: true, unimplemented: true);
        return new JobUsage
        {
            Calls = ledger.ToUsage(number => number switch { 0 => "read", 1 => "write", _ => null }),
            Instructions = 2_000_000,
            PeakMemory = 3 << 20,
            Processes = 2,
            Elapsed = TimeSpan.FromSeconds(0.5),
        };
    }

    [Fact]
    public void The_summary_is_straces()
    {
        const string Expected =
            """
            % time     seconds  usecs/call     calls    errors syscall
            ------ ----------- ----------- --------- --------- ----------------
             75.00    0.003000        1000         3         1 read
             25.00    0.001000        1000         1           write
              0.00    0.000000           0         1         1 syscall_999
            ------ ----------- ----------- --------- --------- ----------------
            100.00    0.004000         800         5         2 total

            """;
        Assert.Equal(Expected, CallReport.Summary(Usage()));
    }

    [Fact]
    public void Statistics_name_what_is_missing()
    {
        string text = CallReport.Statistics(new JobResult { End = JobEnd.Exited, Usage = Usage() });
        Assert.Contains("instructions      2,000,000\n", text);
        Assert.Contains("speed             4.0 million instructions/s\n", text);
        Assert.Contains("peak memory       3.0 MiB\n", text);
        Assert.Contains("calls             5\n", text);
        Assert.Contains("  read                               3  (1 failed)\n", text);
        Assert.Contains("not implemented   syscall_999 (1)\n", text);
    }

    [Fact]
    public void Histograms_count_by_powers_of_two()
    {
        var ledger = new CallLedger();
        foreach (long duration in (long[])[0, 1, 2, 3, 1024])
            ledger.Add(5, duration, false, false);
        IReadOnlyList<ulong> histogram = ledger.Histogram(5);
        Assert.Equal([2UL, 2UL], histogram.Take(2));
        Assert.Equal(1UL, histogram[10]);
    }
}
