using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>What calls of one number in a run add up to.</summary>
public sealed class CallTally(int number)
{
    public int Number { get; } = number;

    public long Count { get; internal set; }

    public long Errors { get; internal set; }

    /// <summary>World time from beginning to end of each, summed; nanoseconds.</summary>
    public long Time { get; internal set; }

    /// <summary>How much of that they waited.</summary>
    public long Blocked { get; internal set; }

    public long Longest { get; internal set; }

    internal CallTally Copy() => (CallTally)MemberwiseClone();

    internal void Add(CallTally other)
    {
        Count += other.Count;
        Errors += other.Errors;
        Time += other.Time;
        Blocked += other.Blocked;
        Longest = Math.Max(Longest, other.Longest);
    }
}

/// <summary>Consecutive calls of one process, told as one: like calls, or a phase of mixed ones.</summary>
public sealed class CallRun
{
    private List<CallTally> _tallies = [];
    private CallRun? _mergedInto;
    private CallTally _last;

    internal CallRun(in CallRecord first, long index)
    {
        Start = first.Start;
        FirstIndex = index;
        FirstSequence = first.Sequence;
        _last = new CallTally(first.Number);
        _tallies.Add(_last);
        Extend(first, index);
    }

    /// <summary>World time, nanoseconds: from the first call's beginning to the last one's end, calls with spans of their own included.</summary>
    public long Start { get; private set; }

    public long End { get; private set; }

    /// <summary>Places of its process's first and last call in it among all records.</summary>
    public long FirstIndex { get; private set; }

    public long LastIndex { get; private set; }

    public long FirstSequence { get; private set; }

    public long LastSequence { get; private set; }

    /// <summary>By number, without the calls that have spans of their own.</summary>
    public IReadOnlyList<CallTally> Tallies => _tallies;

    /// <summary>The run this one became a part of, or itself.</summary>
    internal CallRun Root
    {
        get
        {
            CallRun run = this;
            while (run._mergedInto is { } next)
                run = next;
            return run;
        }
    }

    public CallTally Sum()
    {
        var sum = new CallTally(_tallies.Count == 1 ? _tallies[0].Number : -1);
        foreach (CallTally tally in _tallies)
            sum.Add(tally);
        return sum;
    }

    /// <summary>True for a run of calls of this number only.</summary>
    internal bool IsOf(int number) => _tallies.Count == 1 && _last.Number == number;

    /// <summary>The run reaches to this call.</summary>
    internal void Extend(in CallRecord record, long index)
    {
        Start = Math.Min(Start, record.Start);
        End = Math.Max(End, record.Start + record.Duration);
        LastIndex = index;
        FirstSequence = Math.Min(FirstSequence, record.Sequence);
        LastSequence = Math.Max(LastSequence, record.Sequence);
    }

    /// <summary>Counts a call in.</summary>
    internal void Add(in CallRecord record)
    {
        CallTally tally = _last.Number == record.Number ? _last : TallyOf(record.Number);
        long duration = record.Duration;
        tally.Count++;
        tally.Time += duration;
        tally.Blocked += record.Blocked;
        if (duration > tally.Longest)
            tally.Longest = duration;
        if (record.HasFailed)
            tally.Errors++;
        _last = tally;
    }

    /// <summary>Reaches to calls of its only number that follow, and counts them in.</summary>
    internal void Add(in LikeCalls calls, long lastIndex)
    {
        Start = Math.Min(Start, calls.Start);
        End = Math.Max(End, calls.End);
        LastIndex = lastIndex;
        FirstSequence = Math.Min(FirstSequence, calls.FirstSequence);
        LastSequence = Math.Max(LastSequence, calls.LastSequence);
        _last.Count += calls.Count;
        _last.Time += calls.Time;
        _last.Blocked += calls.Blocked;
        _last.Longest = Math.Max(_last.Longest, calls.Longest);
    }

    /// <summary>Takes over a run that comes behind.</summary>
    internal void Join(CallRun next)
    {
        foreach (CallTally tally in next._tallies)
            TallyOf(tally.Number).Add(tally);
        Start = Math.Min(Start, next.Start);
        End = Math.Max(End, next.End);
        FirstIndex = Math.Min(FirstIndex, next.FirstIndex);
        LastIndex = Math.Max(LastIndex, next.LastIndex);
        FirstSequence = Math.Min(FirstSequence, next.FirstSequence);
        LastSequence = Math.Max(LastSequence, next.LastSequence);
        next._mergedInto = this;
    }

    internal CallRun Copy()
    {
        var copy = (CallRun)MemberwiseClone();
        copy._tallies = [.. _tallies.Select(static tally => tally.Copy())];
        copy._last = copy._tallies[0];
        return copy;
    }

    private CallTally TallyOf(int number)
    {
        foreach (CallTally tally in _tallies)
        {
            if (tally.Number == number)
                return tally;
        }
        var added = new CallTally(number);
        _tallies.Add(added);
        return added;
    }
}
