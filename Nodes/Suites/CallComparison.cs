using System.Globalization;
using System.Text.RegularExpressions;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>One call of a listing: its name, and its result where two runs can have the same.</summary>
internal readonly record struct ListedCall(string Name, string? Result)
{
    public override string ToString() => Result is null ? Name : $"{Name} = {Result}";
}

/// <summary>Runs a case natively as well, and finds the first call of its first process that came out otherwise.</summary>
internal sealed partial class CallComparison(ApiClient api, string run)
{
    /// <summary>Their results are addresses, process numbers or times: each run has its own.</summary>
    internal static readonly HashSet<string> OwnResults =
    [
        "mmap", "brk", "mremap", "shmat", "getpid", "gettid", "getppid", "getpgid", "getpgrp", "getsid", "setsid", "set_tid_address",
        "clone", "clone3", "fork", "vfork", "wait4", "waitid", "time", "times", "rt_sigreturn",
    ];

    /// <summary>What differs: outcome first, then calls; null for nothing.</summary>
    public async Task<(string? Problem, string? Call)> Compare(PlannedRun planned, JobRequest emulated, JobDetail done, byte[] output, CancellationToken cancelled)
    {
        JobRequest native = emulated with { Backend = "native", Image = null, Engine = null, Clock = null, Seed = null, Name = null };
        string key = Http.TokenFile.Hash(planned.Name)[..24];
        JobDetail there = await Run(native, key + "n", cancelled).ConfigureAwait(false);
        if (there.Result?.End is JobEnd.NotStarted)
            return ($"natively: {there.Result.Message}", null);
        byte[] nativeOutput = await api.Output(there.Id, "stdout", cancelled).ConfigureAwait(false);
        string? problem = there.ExitCode != done.ExitCode
            ? $"exit code {done.ExitCode}, natively {there.ExitCode}"
            : nativeOutput.AsSpan().SequenceEqual(output) ? null : "output differs from the native one";
        JobDetail listed = await Run(Listed(emulated), key + "le", cancelled).ConfigureAwait(false), nativeListed = await Run(Listed(native), key + "ln", cancelled).ConfigureAwait(false);
        string here = System.Text.Encoding.UTF8.GetString(await api.Output(listed.Id, "stderr", cancelled).ConfigureAwait(false));
        string host = System.Text.Encoding.UTF8.GetString(await api.Output(nativeListed.Id, "stderr", cancelled).ConfigureAwait(false));
        return (problem, FirstDifference(Parse(here), Parse(host)));
    }

    /// <summary>The same, its calls alone on the error stream: both backends write their listings there.</summary>
    private static JobRequest Listed(JobRequest job) => job with
    {
        Command = ["/bin/sh", "-c", "exec \"$@\" 2>/dev/null", "sh", .. job.Command],
        Tracing = new TracingRequest { Listing = true },
    };

    private async Task<JobDetail> Run(JobRequest job, string key, CancellationToken cancelled)
    {
        SubmitAnswer answer = await api.Submit(new SubmitRequest { Job = job }, $"{run} {key}", cancelled).ConfigureAwait(false);
        return await api.Wait(answer.Jobs[0], cancelled).ConfigureAwait(false);
    }

    /// <summary>Where two lists part; null when they do not.</summary>
    public static string? FirstDifference(IReadOnlyList<ListedCall> here, IReadOnlyList<ListedCall> native)
    {
        for (int i = 0; i < Math.Max(here.Count, native.Count); i++)
        {
            string one = i < here.Count ? here[i].ToString() : "nothing", other = i < native.Count ? native[i].ToString() : "nothing";
            if (one != other)
                return string.Create(CultureInfo.InvariantCulture, $"call {i + 1}: {one}, natively {other}");
        }
        return null;
    }

    /// <summary>The first process's calls since its last execve, as strace -f lists them.</summary>
    public static IReadOnlyList<ListedCall> Parse(string listing)
    {
        List<ListedCall> own = [.. Read(listing).Select(static read => read.Call)];
        int start = own.FindLastIndex(static call => call.Name == "execve" && call.Result == "0");
        return start < 0 ? own : own[start..];
    }

    /// <summary>All calls of a listing's first process, each with its line.</summary>
    public static IReadOnlyList<(ListedCall Call, string Line)> Read(string listing)
    {
        List<(int Process, ListedCall Call, string Line)> calls = [];
        foreach (string line in listing.Split('\n'))
        {
            if (CallPattern().Match(line) is not { Success: true } match)
                continue;
            string name = match.Groups["name"].Value;
            string? result = OwnResults.Contains(name) && !match.Groups["error"].Success ? null : match.Groups["error"].Success ? match.Groups["error"].Value : match.Groups["value"].Value;
            calls.Add((match.Groups["pid"].Success ? int.Parse(match.Groups["pid"].Value, CultureInfo.InvariantCulture) : 0, new ListedCall(name, result), line));
        }
        // Who is alone has no number; of several, the first process has the lowest.
        int first = calls.Where(static call => call.Process != 0).Select(static call => call.Process).DefaultIfEmpty(0).Min();
        return [.. calls.Where(call => call.Process == 0 || call.Process == first).Select(static call => (call.Call, call.Line))];
    }

    [GeneratedRegex(@"^(\[pid +(?<pid>\d+)\] )?(<\.\.\. (?<name>\w+) resumed>.*|(?<name>\w+)\(.*) = (-1 (?<error>E[A-Z0-9]+)|(?<value>\S+))")]
    private static partial Regex CallPattern();
}
