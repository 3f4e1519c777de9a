using System.Globalization;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Nodes.Suites;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Views;

namespace Vivarium.Nodes.Tracing;

/// <summary>What two runs can have in common of a call: its name, and its result where it is not each run's own.</summary>
/// <param name="Name">By <see cref="WordList"/>.</param>
/// <param name="Result">The value; the error's word when <paramref name="Failed"/>.</param>
internal readonly record struct CallKey(int Name, bool Failed, long Result);

/// <summary>Words as numbers, the same for both runs that are compared.</summary>
internal sealed class WordList
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

    public int this[string word]
    {
        get
        {
            ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_numbers, word, out bool isKnown);
            return isKnown ? number : number = _numbers.Count;
        }
    }
}

/// <summary>A thread's calls in their order, with where to find all of each.</summary>
internal sealed class ThreadCalls(int process, string name)
{
    public int Process => process;

    public string Name => name;

    public List<CallKey> Keys { get; } = [];

    /// <summary>Places among the job's records; empty for a listing.</summary>
    public List<long> Places { get; } = [];

    /// <summary>Lines of a listing; empty for a trace.</summary>
    public List<string> Lines { get; } = [];

    /// <summary>
    /// Without what the first program did that became the job's: natively, tools that prepare the process; nothing where the emulator
    /// starts the program itself.
    /// </summary>
    public ThreadCalls AfterLastProgram(int execve)
    {
        int start = Keys.FindLastIndex(key => key.Name == execve && !key.Failed) + 1;
        var rest = new ThreadCalls(process, name);
        rest.Keys.AddRange(Keys[start..]);
        rest.Places.AddRange(Places.Count > 0 ? Places[start..] : []);
        rest.Lines.AddRange(Lines.Count > 0 ? Lines[start..] : []);
        return rest;
    }
}

/// <summary>One run's calls, thread by thread, from its trace or its listing.</summary>
internal sealed class RunCalls
{
    /// <summary>Calls of a run that are compared: the first of many.</summary>
    public const int Most = 1_000_000;

    /// <summary>What a call without a result has as one.</summary>
    private const long Nothing = long.MinValue;

    public List<ThreadCalls> Threads { get; } = [];

    public long Count { get; private set; }

    public static RunCalls Of(TraceIndex index, WordList words)
    {
        var run = new RunCalls();
        Dictionary<(int, int), ThreadCalls> threads = [];
        Dictionary<int, (int Name, bool HasOwnResult)> names = [];
        foreach (CallSegment segment in index.Trace.Segments)
        {
            var reader = new SegmentReader(segment);
            while (run.Count < Most && reader.Read())
            {
                ref readonly CallRecord record = ref reader.Current;
                if (!threads.TryGetValue((record.Process, record.Thread), out ThreadCalls? thread))
                    threads.Add((record.Process, record.Thread), thread = new ThreadCalls(record.Process, NameOf(index, record.Process, record.Thread)));
                if (!names.TryGetValue(record.Number, out (int Name, bool HasOwnResult) call))
                {
                    string name = CallRecorder.NameOf(record.Number);
                    names.Add(record.Number, call = (words[name], CallComparison.OwnResults.Contains(name)));
                }
                thread.Keys.Add(KeyOf(record, call.Name, call.HasOwnResult, words));
                thread.Places.Add(reader.Index);
                run.Count++;
            }
        }
        foreach (ThreadFacts facts in index.Threads)
        {
            if (threads.TryGetValue((facts.Process, facts.Thread), out ThreadCalls? thread))
                run.Threads.Add(thread);
        }
        return run;
    }

    /// <summary>The first process's calls of a listing (<c>--trace</c>); nothing when there is none.</summary>
    public static RunCalls Of(string listing, WordList words)
    {
        var run = new RunCalls();
        var thread = new ThreadCalls(0, "first process");
        foreach ((ListedCall call, string line) in CallComparison.Read(listing))
        {
            bool failed = call.Result is ['E', ..];
            long result = call.Result switch
            {
                null => 0,
                _ when failed => words[call.Result],
                _ when long.TryParse(call.Result, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) => number,
                ['0', 'x', .. var digits] when long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long number) => number,
                _ => Nothing,
            };
            thread.Keys.Add(new CallKey(words[call.Name], failed, result));
            thread.Lines.Add(line);
            run.Count++;
        }
        if (run.Count > 0)
            run.Threads.Add(thread);
        return run;
    }

    private static CallKey KeyOf(in CallRecord record, int name, bool hasOwnResult, WordList words)
    {
        if (record.Outcome is CallOutcome.Error or CallOutcome.Interrupted)
            return new CallKey(name, true, words[record.Error.ToString()]);
        long result = record.Outcome switch
        {
            CallOutcome.Value when !hasOwnResult => record.Result,
            CallOutcome.NoReturn when hasOwnResult => 0,
            // A program that became another was told of that by nothing but its start; listings say 0.
            CallOutcome.NoReturn when !record.EndsThread && name == words["execve"] => 0,
            CallOutcome.Value => 0,
            _ => Nothing,
        };
        return new CallKey(name, false, result);
    }

    private static string NameOf(TraceIndex index, int process, int thread)
    {
        ProcessFacts? facts = index.Trace.Processes.FirstOrDefault(facts => facts.Id == process);
        string name = facts?.Name ?? "process";
        return process == thread ? name : string.Create(CultureInfo.InvariantCulture, $"{name}, thread {thread}");
    }
}
