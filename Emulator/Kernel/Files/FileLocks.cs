using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>One byte-range lock; <see cref="End"/> is inclusive, long.MaxValue for "to the end of the file".</summary>
public readonly record struct RecordLock(object Owner, int ProcessId, long Start, long End, bool IsExclusive);

/// <summary>
/// The locks on one file: byte ranges owned by processes (POSIX) or open file descriptions (OFD), as fcntl(2) has them, and the
/// whole-file locks of flock(2), which are a separate set that does not see the others.
/// </summary>
public sealed class FileLocks
{
    private readonly List<RecordLock> _records = [];
    private readonly List<(OpenFile Owner, bool IsExclusive)> _files = [];

    /// <summary>Pulsed when a lock goes or shrinks.</summary>
    public Source Source { get; } = new();

    public static FileLocks Of(Inode inode) => inode.Locks ??= new FileLocks();

    /// <summary>The first lock of another owner that stands in the way, or null.</summary>
    public RecordLock? FindConflict(in RecordLock wanted)
    {
        foreach (RecordLock held in _records)
        {
            if (!ReferenceEquals(held.Owner, wanted.Owner) && held.Start <= wanted.End && wanted.Start <= held.End
                && (held.IsExclusive || wanted.IsExclusive))
            {
                return held;
            }
        }
        return null;
    }

    /// <summary>Sets a lock that has no conflict: the owner's own locks in the range are replaced, neighbours of the same type merged.</summary>
    public void Set(in RecordLock wanted)
    {
        Cut(wanted.Owner, wanted.Start, wanted.End);
        RecordLock merged = wanted;
        for (int i = _records.Count - 1; i >= 0; i--)
        {
            RecordLock held = _records[i];
            bool touches = held.End == merged.Start - 1 || (merged.End != long.MaxValue && held.Start == merged.End + 1);
            if (!ReferenceEquals(held.Owner, merged.Owner) || held.IsExclusive != merged.IsExclusive || !touches)
                continue;
            merged = merged with { Start = Math.Min(merged.Start, held.Start), End = Math.Max(merged.End, held.End) };
            _records.RemoveAt(i);
        }
        // Ordered by start, so that F_GETLK finds the first in the file.
        int place = _records.FindIndex(held => held.Start > merged.Start);
        _records.Insert(place < 0 ? _records.Count : place, merged);
        // A lock that went from exclusive to shared lets readers in.
        Source.Pulse();
    }

    public void Clear(object owner, long start, long end)
    {
        if (Cut(owner, start, end))
            Source.Pulse();
    }

    private bool Cut(object owner, long start, long end)
    {
        bool changed = false;
        for (int i = _records.Count - 1; i >= 0; i--)
        {
            RecordLock held = _records[i];
            if (!ReferenceEquals(held.Owner, owner) || held.Start > end || start > held.End)
                continue;
            changed = true;
            _records.RemoveAt(i);
            if (held.End > end)
                _records.Insert(i, held with { Start = end + 1 });
            if (held.Start < start)
                _records.Insert(i, held with { End = start - 1 });
        }
        return changed;
    }

    /// <summary>flock(2): false when another description's lock stands in the way; the own one is then already given up, as on Linux.</summary>
    public bool TryLockFile(OpenFile owner, bool exclusive)
    {
        UnlockFile(owner);
        foreach ((OpenFile _, bool isExclusive) in _files)
        {
            if (exclusive || isExclusive)
                return false;
        }
        _files.Add((owner, exclusive));
        return true;
    }

    public void UnlockFile(OpenFile owner)
    {
        if (_files.RemoveAll(held => ReferenceEquals(held.Owner, owner)) != 0)
            Source.Pulse();
    }

    /// <summary>A process closed a descriptor of the file: its record locks go.</summary>
    public void ReleaseProcess(FileTable owner) => Clear(owner, 0, long.MaxValue);

    /// <summary>The last reference to a description is gone: its OFD and flock locks go.</summary>
    public void ReleaseOpenFile(OpenFile owner)
    {
        Clear(owner, 0, long.MaxValue);
        UnlockFile(owner);
    }

    /// <summary>
    /// Would waiting for <paramref name="blocker"/> close a cycle of processes (EDEADLK)? <paramref name="waitsFor"/> tells whom an owner
    /// is waiting for.
    /// </summary>
    public static bool ClosesCycle(object waiter, object blocker, Func<object, object?> waitsFor)
    {
        object? current = blocker;
        for (int depth = 0; current is not null && depth < 64; depth++)
        {
            if (ReferenceEquals(current, waiter))
                return true;
            current = waitsFor(current);
        }
        return false;
    }
}
