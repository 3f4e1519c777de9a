using System.Globalization;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>What the most is measured in.</summary>
internal enum BarUnit
{
    TimesNative,

    TimesQemu,

    /// <summary>The row's own unit.</summary>
    Absolute,
}

/// <summary>The most that a figure of Vivarium's is to be: so many times the host's own or qemu-user's, or so much of its unit.</summary>
internal sealed record Bar(double Most, BarUnit Unit = BarUnit.TimesNative)
{
    /// <summary>A thousand jobs a second, and an answer in ten milliseconds.</summary>
    private static readonly Bar Throughput = new(1, BarUnit.Absolute), Latency = new(10, BarUnit.Absolute);

    private static readonly Bar AsNative = new(1), AsQemu = new(1, BarUnit.TimesQemu), TwiceTheRate = new(0.5), Kernel = new(3), Program = new(2.5), FourTimesQemu = new(0.25, BarUnit.Absolute), Idle = new(200, BarUnit.Absolute);

    /// <summary>By row; most rows have none.</summary>
    private static readonly Dictionary<string, Bar> Rows = new()
    {
        ["job in a warm node, glibc"] = TwiceTheRate,
        ["job in a warm node, musl"] = TwiceTheRate,
        ["a job of many, SQLite"] = Throughput,
        ["a job of many, PostgreSQL"] = Throughput,
        ["submission to result, SQLite"] = Latency,
        ["submission to result, PostgreSQL"] = Latency,
        ["sleeping process by fork"] = Idle,
        ["sleeping process by spawn"] = Idle,
        ["sieve"] = Kernel,
        ["sha256"] = Kernel,
        ["nbody"] = Kernel,
        ["memcpy 1M"] = Kernel,
        ["qsort"] = Kernel,
        ["mark"] = Kernel,
        [BenchmarkSuite.MeanToNative] = new(1.8),
        [BenchmarkSuite.MeanToQemu] = FourTimesQemu,
        ["getppid"] = AsNative,
        ["eventfd, epoll_wait, read"] = AsNative,
        ["fork, exit, wait"] = AsNative,
        ["python3"] = Program,
        ["busybox gzip, 50 MB"] = Program,
        ["awk, 1M lines"] = Program,
        ["sqlite3, 100k inserts"] = Program,
        ["distinct blocks, once each"] = new(500, BarUnit.Absolute),
    };

    /// <summary>The same for programs for another processor: each no slower than qemu, all together four times as fast.</summary>
    private static readonly Dictionary<string, Bar> ForeignRows = new()
    {
        ["sieve"] = AsQemu,
        ["sha256"] = AsQemu,
        ["nbody"] = AsQemu,
        ["memcpy 1M"] = AsQemu,
        ["qsort"] = AsQemu,
        ["mark"] = AsQemu,
        [BenchmarkSuite.MeanToNative] = Program,
        [BenchmarkSuite.MeanToQemu] = FourTimesQemu,
    };

    public static Bar? Of(BenchmarkRow row, bool isForeign) => (isForeign ? ForeignRows : Rows).GetValueOrDefault(row.Name);

    /// <summary>The bar, and whether the row meets it.</summary>
    public string Judge(BenchmarkRow row)
    {
        string most = Most.ToString(CultureInfo.InvariantCulture) + (Unit switch { BarUnit.TimesNative => "×", BarUnit.TimesQemu => "× qemu", _ => " " + row.Unit });
        double? figure = Unit switch { BarUnit.TimesNative => row.Vivarium / row.Native, BarUnit.TimesQemu => row.Vivarium / row.Qemu, _ => row.Vivarium };
        return $"{most} {(figure is not { } value ? "?" : value <= Most ? "met" : "missed")}";
    }
}
