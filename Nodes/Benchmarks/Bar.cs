using System.Globalization;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>The most that a figure of Vivarium's is to be: so many times the host's own, or so much of its unit.</summary>
internal sealed record Bar(double Most, bool IsRatio = true)
{
    /// <summary>A thousand jobs a second, and an answer in ten milliseconds.</summary>
    private static readonly Bar Throughput = new(1, IsRatio: false), Latency = new(10, IsRatio: false);

    private static readonly Bar AsNative = new(1), TwiceTheRate = new(0.5), Kernel = new(3), Program = new(2.5), Idle = new(200, IsRatio: false);

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
        [BenchmarkSuite.MeanToQemu] = new(0.25, IsRatio: false),
        ["getppid"] = AsNative,
        ["eventfd, epoll_wait, read"] = AsNative,
        ["fork, exit, wait"] = AsNative,
        ["python3"] = Program,
        ["busybox gzip, 50 MB"] = Program,
        ["awk, 1M lines"] = Program,
        ["sqlite3, 100k inserts"] = Program,
        ["distinct blocks, once each"] = new(500, IsRatio: false),
    };

    public static Bar? Of(BenchmarkRow row) => Rows.GetValueOrDefault(row.Name);

    /// <summary>The bar, and whether the row meets it.</summary>
    public string Judge(BenchmarkRow row)
    {
        string most = Most.ToString(CultureInfo.InvariantCulture) + (IsRatio ? "×" : " " + row.Unit);
        double? figure = IsRatio ? row.Vivarium / row.Native : row.Vivarium;
        return $"{most} {(figure is not { } value ? "?" : value <= Most ? "met" : "missed")}";
    }
}
