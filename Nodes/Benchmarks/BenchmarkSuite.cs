using System.Diagnostics;
using System.Globalization;
using Vivarium.Nodes.Hosting;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>One figure on three machines; null where it could not be had.</summary>
internal sealed record BenchmarkRow(string Name, string Unit, double? Native, double? Vivarium, double? Qemu);

/// <summary>A processor that programs are built for and compared on, if not the host's own.</summary>
/// <param name="Name">As Vivarium names it.</param>
/// <param name="Compiler">Builds programs for it.</param>
/// <param name="Qemu">Its qemu-user.</param>
internal sealed record BenchmarkTarget(string Name, string Compiler, string Qemu)
{
    public static BenchmarkTarget Own { get; } = new("x64", "gcc", "qemu-x86_64");

    public static IReadOnlyList<BenchmarkTarget> All { get; } = [Own, new("arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64"), new("riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64")];
}

/// <summary>The benchmark programs, built, and the ways to run them.</summary>
internal sealed class BenchmarkSuite
{
    public const string MeanToNative = "geometric mean, to native", MeanToQemu = "geometric mean, to qemu-user";

    /// <summary>The suite with columns of its own.</summary>
    public const string Trace = "trace";

    private static readonly string[] Programs = ["hello", "cpu", "micro", "spawn", "idle", "translate", "calls", "cost"];

    /// <summary>What is compared for other processors than the host's.</summary>
    private static readonly string[] Foreign = ["cpu", "micro"];

    private readonly BenchmarkTarget _target;
    private readonly string _sources;
    private readonly string _folder;
    private readonly bool _hasMusl;
    private readonly string[] _vivarium;
    private readonly string[]? _qemu;

    private BenchmarkSuite(BenchmarkTarget target, string sources, string folder, bool hasMusl, string[]? qemu)
    {
        _target = target;
        _sources = sources;
        _folder = folder;
        _hasMusl = hasMusl;
        _qemu = qemu;
        _vivarium = [Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "viv.dll"), "run", "--"];
        // Started by its own executable rather than by `dotnet`: that takes no assembly.
        if (Path.GetFileNameWithoutExtension(_vivarium[0]) != "dotnet")
            _vivarium = [_vivarium[0], "run", "--"];
    }

    public static IReadOnlyList<string> Names { get; } = ["start", "cluster", "idle", "cpu", "micro", "programs", "translate", Trace];

    /// <summary>The suites that there are for a processor.</summary>
    public static IReadOnlyList<string> NamesFor(BenchmarkTarget target) => target == BenchmarkTarget.Own ? Names : Foreign;

    /// <summary>Builds what is missing or older than its source; null when that is not possible, and why.</summary>
    public static BenchmarkSuite? Prepare(BenchmarkTarget target, out string? error)
    {
        error = null;
        if (FindRoot() is not { } root)
        {
            error = "bench needs the repository: no bench/ above " + AppContext.BaseDirectory;
            return null;
        }
        string sources = Path.Combine(root, "bench"), folder = Path.Combine(root, ".cache", "bench");
        if (!TryBuild(BenchmarkTarget.Own, sources, folder, Programs, out error)
            || (target != BenchmarkTarget.Own && !TryBuild(target, sources, Path.Combine(folder, target.Name), Foreign, out error)))
        {
            return null;
        }
        bool hasMusl = TryBuildMusl(Path.Combine(sources, "hello.c"), Path.Combine(folder, "hello-musl"));
        bool hasQemu = TryCapture([target.Qemu, "--version"], out _, out _);
        return new BenchmarkSuite(target, sources, folder, hasMusl, hasQemu ? [target.Qemu] : null);
    }

    private static bool TryBuild(BenchmarkTarget target, string sources, string folder, string[] programs, out string? error)
    {
        error = null;
        Directory.CreateDirectory(folder);
        foreach (string program in programs)
        {
            string source = Path.Combine(sources, program + ".c"), built = Path.Combine(folder, program);
            if (File.Exists(built) && File.GetLastWriteTimeUtc(built) > File.GetLastWriteTimeUtc(source))
                continue;
            if (!TryCapture([target.Compiler, "-O2", "-static", "-o", built, source, "-lm", "-lpthread"], out _, out string failure))
                error ??= $"cannot build {program}.c with {target.Compiler}: {failure}";
        }
        return error is null;
    }

    private static bool TryBuildMusl(string source, string built) =>
        TryCapture(["musl-gcc", "-O2", "-static", "-o", built, source], out _, out _);

    public IReadOnlyList<BenchmarkRow> Run(string name, double scale)
    {
        if (name == "start")
            return Start(scale);
        if (name == "idle")
            return Idle(scale);
        if (name == "programs")
            return RunPrograms(scale);
        if (name == "cluster")
            return RunCluster(scale).GetAwaiter().GetResult();
        string times = scale.ToString(CultureInfo.InvariantCulture);
        // Native is always the host's own build of the same source.
        string[] own = [Path.Combine(_folder, name), times];
        string[] command = _target == BenchmarkTarget.Own ? own : [Path.Combine(_folder, _target.Name, name), times];
        List<BenchmarkRow> rows = Compare(own, [.. _vivarium, .. command], _qemu is null ? null : [.. _qemu, .. command]);
        if (name == "cpu")
            AddMeans(rows);
        return rows;
    }

    /// <summary>What watching costs.</summary>
    public IReadOnlyList<TraceCostRow> RunTrace(double scale) =>
        new TraceCost(_folder, Path.Combine(Path.GetDirectoryName(_folder)!, "npm"), static command => Measure(command) is [var figure, ..] ? figure.Value : null).Run(scale);

    /// <summary>How much slower all are together: as against native, then as against qemu-user.</summary>
    private static void AddMeans(List<BenchmarkRow> rows)
    {
        double? vivarium = GeometricMean(rows, row => row.Vivarium / row.Native), qemu = GeometricMean(rows, row => row.Qemu / row.Native);
        rows.Add(new BenchmarkRow(MeanToNative, "×", 1, vivarium, qemu));
        rows.Add(new BenchmarkRow(MeanToQemu, "×", 1 / qemu, vivarium / qemu, qemu is null ? null : 1));
    }

    /// <summary>Null when a row has no such ratio: a mean of the others would be another figure.</summary>
    private static double? GeometricMean(List<BenchmarkRow> rows, Func<BenchmarkRow, double?> ratio)
    {
        double? sum = 0;
        foreach (BenchmarkRow row in rows)
            sum += ratio(row) is { } value ? Math.Log(value) : null;
        return rows.Count > 0 && sum is { } logarithm ? Math.Exp(logarithm / rows.Count) : null;
    }

    /// <summary>Whole runs from outside, start of <c>viv</c> and translation included. qemu-user, the slow one, runs each once.</summary>
    private List<BenchmarkRow> RunPrograms(double scale)
    {
        string spawn = Path.Combine(_folder, "spawn");
        List<BenchmarkRow> rows = [];
        foreach ((string name, string[] command) in new RealPrograms(_sources, _folder).Commands(scale))
        {
            List<BenchmarkRow> compared = Compare(
                [spawn, "3", .. command],
                [spawn, "3", .. _vivarium, .. command],
                _qemu is null ? null : [spawn, "1", .. _qemu, .. command]);
            rows.AddRange(compared.Select(row => row with { Name = name }));
        }
        return rows;
    }

    /// <summary>How long it takes to start the smallest program: from outside, and from inside one running machine.</summary>
    private List<BenchmarkRow> Start(double scale)
    {
        string spawn = Path.Combine(_folder, "spawn"), hello = Path.Combine(_folder, "hello");
        string count = Math.Max(10, (int)(50 * scale)).ToString(CultureInfo.InvariantCulture);
        string[] native = [spawn, count, hello];
        List<BenchmarkRow> rows = Compare(
            native,
            [spawn, count, .. _vivarium, hello],
            _qemu is null ? null : [spawn, count, .. _qemu, hello]);
        List<BenchmarkRow> result = [.. rows.Select(row => row with { Name = "start from the host" })];
        foreach (string program in _hasMusl ? (string[])["hello", "hello-musl"] : ["hello"])
            result.AddRange(Warm(program, Math.Max(100, (int)(1000 * scale))));
        return result;
    }

    /// <summary>Jobs of a static program through a node's API: many at a time, and one by one. Native is the program's start alone.</summary>
    private async Task<IReadOnlyList<BenchmarkRow>> RunCluster(double scale)
    {
        List<BenchmarkRow> rows = [];
        string program = Path.Combine(_folder, "hello");
        double? native = Measure([Path.Combine(_folder, "spawn"), "200", program]) is [var start, ..] ? start.Value : null;
        List<(string Name, string Store)> stores = [("SQLite", "sqlite")];
        if (NodeSettings.Load(AppContext.BaseDirectory, out _) is { } settings && settings.Store.StartsWith("postgres", StringComparison.Ordinal))
            stores.Add(("PostgreSQL", settings.Store));
        foreach ((string name, string store) in stores)
        {
            await using ClusterNode node = await ClusterNode.Start(store, _folder, program).ConfigureAwait(false);
            int count = Math.Max(200, (int)(5000 * scale));
            TimeSpan before = Environment.CpuUsage.TotalTime;
            double many = await node.RunMany(count).ConfigureAwait(false);
            double spent = (Environment.CpuUsage.TotalTime - before).TotalMilliseconds / count;
            double[] alone = await node.RunOneByOne(Math.Max(20, (int)(500 * scale))).ConfigureAwait(false);
            Array.Sort(alone);
            rows.Add(new BenchmarkRow($"a job of many, {name}", "ms", native, many, null));
            rows.Add(new BenchmarkRow($"a job of many, {name}: processor time", "ms", native, spent, null));
            rows.Add(new BenchmarkRow($"submission to result, {name}", "ms", native, alone[alone.Length / 2], null));
        }
        return rows;
    }

    /// <summary>Memory of a sleeping process beyond the first of its program.</summary>
    private List<BenchmarkRow> Idle(double scale)
    {
        string idle = Path.Combine(_folder, "idle");
        int count = Math.Max(100, (int)(1000 * scale));
        List<BenchmarkRow> rows = [];
        foreach (string mode in (string[])["fork", "spawn"])
        {
            rows.Add(new BenchmarkRow(
                $"sleeping process by {mode}",
                "kB",
                IdleProcesses.Kilobytes([idle], mode, count),
                IdleProcesses.Kilobytes([.. _vivarium, idle], mode, count),
                // A program that qemu's guest executes is the host's.
                _qemu is null || mode == "spawn" ? null : IdleProcesses.Kilobytes([.. _qemu, idle], mode, count)));
        }
        return rows;
    }

    /// <summary>The same start where everything has run before: as jobs of one node, and as children in one world.</summary>
    private List<BenchmarkRow> Warm(string program, int count)
    {
        string name = Path.Combine(_folder, program), library = program == "hello" ? "glibc" : "musl";
        string[] native = [Path.Combine(_folder, "spawn"), count.ToString(CultureInfo.InvariantCulture), name];
        BenchmarkRow inside = Compare(native, [.. _vivarium, .. native], null)[0];
        using var node = new WarmNode();
        node.WarmUp(name);
        double[] times = node.Run(count, name);
        Array.Sort(times);
        return
        [
            inside with { Name = $"posix_spawn in the guest, {library}" },
            inside with { Name = $"job in a warm node, {library}", Vivarium = times[count / 2] },
        ];
    }

    /// <summary>Joins the lines "name, value, unit" that each command prints.</summary>
    private static List<BenchmarkRow> Compare(string[] native, string[] vivarium, string[]? qemu)
    {
        List<(string Name, double Value, string Unit)> first = Measure(native);
        Dictionary<string, double> second = Measure(vivarium).ToDictionary(figure => figure.Name, figure => figure.Value);
        Dictionary<string, double> third = qemu is null ? [] : Measure(qemu).ToDictionary(figure => figure.Name, figure => figure.Value);
        return first.ConvertAll(figure => new BenchmarkRow(
            figure.Name,
            figure.Unit,
            figure.Value,
            second.TryGetValue(figure.Name, out double value) ? value : null,
            third.TryGetValue(figure.Name, out value) ? value : null));
    }

    private static List<(string Name, double Value, string Unit)> Measure(string[] command)
    {
        List<(string, double, string)> figures = [];
        if (!TryCapture(command, out string output, out string error))
            Console.Error.WriteLine($"viv: bench: {string.Join(' ', command)}: {error}");
        foreach (string line in output.Split('\n'))
        {
            string[] fields = line.Split('\t');
            if (fields is [string name, string value, string unit])
                figures.Add((name, double.Parse(value, CultureInfo.InvariantCulture), unit));
        }
        return figures;
    }

    private static bool TryCapture(string[] command, out string output, out string error)
    {
        output = "";
        var start = new ProcessStartInfo(command[0], command.AsSpan(1).ToArray())
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            Task<string> errors = process.StandardError.ReadToEndAsync();
            output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            error = errors.Result.Split('\n')[0] is { Length: > 0 } line ? line : $"exit code {process.ExitCode}";
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            error = failure.Message;
            return false;
        }
    }

    private static string? FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Vivarium.slnx")))
                return folder.FullName;
        }
        return null;
    }
}
