using System.Globalization;
using System.Text;
using Vivarium.Messages;

namespace Vivarium.Telemetry;

/// <summary>A job's calls as tables for people.</summary>
public static class CallReport
{
    private const string Rule = "------ ----------- ----------- --------- --------- ----------------\n";

    /// <summary>The table of <c>strace -c</c>: by time, the most expensive first.</summary>
    public static string Summary(JobUsage usage)
    {
        List<CallUsage> calls = [.. usage.Calls];
        calls.Sort((a, b) => a.TotalTime != b.TotalTime ? b.TotalTime.CompareTo(a.TotalTime) : string.CompareOrdinal(a.Name, b.Name));
        long time = 0;
        ulong count = 0, errors = 0;
        foreach (CallUsage call in calls)
        {
            time += call.TotalTime;
            count += call.Count;
            errors += call.Errors;
        }
        var text = new StringBuilder();
        text.Append("% time     seconds  usecs/call     calls    errors syscall\n").Append(Rule);
        foreach (CallUsage call in calls)
            AppendRow(text, call.TotalTime, time, call.Count, call.Errors, call.Name);
        text.Append(Rule);
        AppendRow(text, time, time, count, errors, "total");
        return text.ToString();
    }

    /// <summary>What <c>--stats</c> prints.</summary>
    public static string Statistics(JobResult result)
    {
        JobUsage usage = result.Usage;
        double seconds = usage.Elapsed.TotalSeconds;
        var text = new StringBuilder();
        AppendFact(text, "instructions", usage.Instructions.ToString("N0", CultureInfo.InvariantCulture));
        AppendFact(text, "elapsed", string.Create(CultureInfo.InvariantCulture, $"{seconds:0.000} s"));
        if (seconds > 0)
            AppendFact(text, "speed", string.Create(CultureInfo.InvariantCulture, $"{usage.Instructions / seconds / 1e6:0.0} million instructions/s"));
        AppendFact(text, "peak memory", string.Create(CultureInfo.InvariantCulture, $"{usage.PeakMemory / 1048576.0:0.0} MiB"));
        AppendFact(text, "processes", usage.Processes.ToString(CultureInfo.InvariantCulture));
        TranslatorUsage translator = usage.Translator;
        if (translator.Blocks + translator.Hits > 0)
        {
            AppendFact(text, "translated", string.Create(CultureInfo.InvariantCulture, $"{translator.Blocks:N0} blocks, {translator.Bytes:N0} bytes, {translator.Evictions:N0} evictions"));
            AppendFact(text, "jumps", string.Create(CultureInfo.InvariantCulture, $"{translator.ChainedJumps:N0} chained, {translator.Hits:N0} cache hits"));
            AppendFact(text, "interpreted", string.Create(CultureInfo.InvariantCulture, $"{translator.Interpreted:N0} instructions"));
        }
        AppendCalls(text, usage);
        return text.ToString();
    }

    private static void AppendCalls(StringBuilder text, JobUsage usage)
    {
        IReadOnlyList<CallUsage> calls = usage.Calls;
        ulong total = 0;
        List<CallUsage> byCount = [.. calls];
        byCount.Sort((a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : string.CompareOrdinal(a.Name, b.Name));
        foreach (CallUsage call in byCount)
            total += call.Count;
        AppendFact(text, "calls", total.ToString("N0", CultureInfo.InvariantCulture));
        List<string> missing = [.. usage.Missing.GroupBy(static part => new Platform(part.OperatingSystem, part.Architecture)).Select(Describe)];
        HashSet<string> told = [.. usage.Missing.Select(static part => part.Name)];
        foreach (CallUsage call in byCount)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {call.Name,-24}{call.Count,12:N0}");
            text.Append(call.Errors == 0 ? "\n" : string.Create(CultureInfo.InvariantCulture, $"  ({call.Errors:N0} failed)\n"));
            if (call.IsUnimplemented && !told.Contains(call.Name))
                missing.Add(string.Create(CultureInfo.InvariantCulture, $"{call.Name} ({call.Count:N0})"));
        }
        AppendFact(text, "not implemented", missing.Count == 0 ? "none" : string.Join("; ", missing));
    }

    /// <summary>What the programs of one system and processor lacked: "freebsd/x64: syscall_900 (1), sysctl kern.geom (2)".</summary>
    private static string Describe(IGrouping<Platform, MissingUsage> parts) =>
        $"{parts.Key}: {string.Join(", ", parts.Select(static part => string.Create(CultureInfo.InvariantCulture, $"{part.Name} ({part.Count:N0})")))}";

    private static void AppendFact(StringBuilder text, string name, string value) => text.Append($"{name,-18}{value}\n");

    private static void AppendRow(StringBuilder text, long time, long allTime, ulong count, ulong errors, string name)
    {
        double share = allTime == 0 ? 0 : 100.0 * time / allTime;
        ulong each = count == 0 ? 0 : (ulong)time / 1000 / count;
        string failed = errors == 0 ? "" : errors.ToString(CultureInfo.InvariantCulture);
        text.Append(CultureInfo.InvariantCulture, $"{share,6:0.00} {time / 1e9,11:0.000000} {each,11} {count,9} {failed,9} {name}\n");
    }
}
