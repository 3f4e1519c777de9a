using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Views;

/// <summary>
/// One thing to see in a thread's row: a call, or consecutive calls too short to be seen alone. Times are nanoseconds since the program's
/// first instruction.
/// </summary>
/// <param name="Count">Calls in it.</param>
/// <param name="Time">Their durations, summed.</param>
/// <param name="Blocked">How much of that they waited.</param>
/// <param name="Longest">The longest call.</param>
/// <param name="Call">The number of the call that occurs most.</param>
/// <param name="Other">The next one's; -1 = all are alike.</param>
/// <param name="First">Places of the first and last call among all the job's.</param>
public readonly record struct TimelineBar(long Start, long End, long Count, long Time, long Blocked, long Errors, long Longest, int Call, int Other, long First, long Last);

/// <summary>
/// Folds a thread's calls, in their order, into bars for a level of detail: what is shorter than a bar can be, and near to its neighbour,
/// becomes one with it, if it is a like call or the bar would not be seen otherwise. A loop of two or three calls so becomes one bar too.
/// </summary>
/// <param name="shortest">Nanoseconds of the shortest bar that can be seen.</param>
internal sealed class BarFolder(long shortest)
{
    private const int Kinds = 6;

    private readonly List<TimelineBar> _bars = [];
    private readonly (int Number, long Count)[] _kinds = new (int, long)[Kinds];
    private int _kindCount;
    private long _start, _end, _count, _time, _blocked, _errors, _longest, _first, _last;

    public int Count => _bars.Count;

    /// <param name="start">When it began, counted from where bars count from.</param>
    /// <param name="record">The call.</param>
    /// <param name="index">Its place among all.</param>
    public void Add(long start, in CallRecord record, long index)
    {
        if (_count > 0 && !Joins(start, record))
            Close();
        long end = start + record.Duration;
        if (_count == 0)
            (_start, _end, _first) = (start, end, index);
        _end = Math.Max(_end, end);
        _last = index;
        _count++;
        _time += record.Duration;
        _blocked += record.Blocked;
        _errors += record.HasFailed ? 1 : 0;
        _longest = Math.Max(_longest, record.Duration);
        CountKind(record.Number);
    }

    public IReadOnlyList<TimelineBar> Finish()
    {
        if (_count > 0)
            Close();
        return _bars;
    }

    private bool Joins(long start, in CallRecord record)
    {
        if (start - _end >= shortest || record.Duration >= shortest || (_count == 1 && _longest >= shortest))
            return false;
        if (_end - _start < shortest)
            return true;
        for (int i = 0; i < _kindCount; i++)
        {
            if (_kinds[i].Number == record.Number)
                return true;
        }
        return false;
    }

    /// <summary>Kinds past the few that are kept count for none.</summary>
    private void CountKind(int number)
    {
        for (int i = 0; i < _kindCount; i++)
        {
            if (_kinds[i].Number != number)
                continue;
            _kinds[i].Count++;
            return;
        }
        if (_kindCount < Kinds)
            _kinds[_kindCount++] = (number, 1);
    }

    private void Close()
    {
        (int call, int other, long most, long next) = (-1, -1, 0, 0);
        foreach ((int number, long count) in _kinds.AsSpan(0, _kindCount))
        {
            if (count > most)
                (other, next, call, most) = (call, most, number, count);
            else if (count > next)
                (other, next) = (number, count);
        }
        _bars.Add(new TimelineBar(_start, _end, _count, _time, _blocked, _errors, _longest, call, other, _first, _last));
        (_kindCount, _count, _time, _blocked, _errors, _longest) = (0, 0, 0, 0, 0, 0);
    }
}
