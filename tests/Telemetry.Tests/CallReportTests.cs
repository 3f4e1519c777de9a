using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Telemetry.Tests;

public sealed class CallReportTests
{
    private static JobUsage Usage()
    {
        var ledger = new CallLedger();
        for (int i = 0; i < 3; i++)
            ledger.Add([Call(0, 1_000_000, i == 0 ? Errno.EIO : Errno.None)]);
        ledger.Add([Call(1, 1_000_000, Errno.None)]);
        ledger.Add([Call(999, 0, Errno.ENOSYS)]);
        return new JobUsage
        {
            Calls = ledger.ToUsage(number => number switch { 0 => "read", 1 => "write", _ => $"syscall_{number}" }),
            Instructions = 2_000_000,
            PeakMemory = 3 << 20,
            Processes = 2,
            Elapsed = TimeSpan.FromSeconds(0.5),
        };
    }

    private static CallRecord Call(int number, long duration, Errno error) => new()
    {
        Number = number,
        End = duration,
        Error = error,
        Outcome = error == Errno.None ? CallOutcome.Value : CallOutcome.Error,
    };

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
    public void What_is_missing_is_told_by_system_and_processor()
    {
        JobUsage usage = Usage() with
        {
            Missing =
            [
                new MissingUsage("freebsd", "x64", "syscall_900", 1),
                new MissingUsage("freebsd", "x64", "sysctl kern.geom", 1200),
                new MissingUsage("linux", "riscv64", "syscall_999", 1),
            ],
        };
        Assert.Contains(
            "not implemented   freebsd/x64: syscall_900 (1), sysctl kern.geom (1,200); linux/riscv64: syscall_999 (1)\n",
            CallReport.Statistics(new JobResult { End = JobEnd.Exited, Usage = usage }));
    }

    [Fact]
    public void Calls_that_do_not_return_are_not_in_the_summary()
    {
        var ledger = new CallLedger();
        ledger.Add([new CallRecord { Number = 231, Outcome = CallOutcome.NoReturn, EndsThread = true }]);
        Assert.Empty(ledger.ToUsage(_ => "exit_group"));
        Assert.Equal(1UL, ledger.Count);
    }
}
