namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>The pages of a file, counted where the file system has limits.</summary>
public sealed partial class MemoryFile
{
    private PageSet? _pages;

    private protected override ulong Pages => _pages?.Count ?? 0;

    /// <summary>Counts the pages that a write fills. What does not fit is cut off; ENOSPC or EDQUOT when nothing fits.</summary>
    private Errno MakeRoom(long offset, ref ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return Errno.None;
        Errno error = AddPages(offset, offset + source.Length, out long end);
        if (end <= offset)
            return error;
        source = source[..(int)Math.Min(source.Length, end - offset)];
        return Errno.None;
    }

    /// <summary>Counts the pages of a range up to the first for which there is no room; <paramref name="reached"/> is where that begins.</summary>
    private Errno AddPages(long start, long end, out long reached)
    {
        reached = end;
        if (Owner.Space is not { } space)
            return Errno.None;
        _pages ??= new PageSet();
        for (long page = start / PageSize; page <= (end - 1) / PageSize; page++)
        {
            if (_pages.Contains(page))
                continue;
            Errno error = space.TryAddPages(State.User, State.Group, 1);
            if (error != Errno.None)
            {
                reached = page * PageSize;
                return error;
            }
            _pages.Add(page);
        }
        return Errno.None;
    }

    /// <summary>Whole pages of a range are gone.</summary>
    private void DropPages(long start, long end)
    {
        if (_pages is null || Owner.Space is not { } space)
            return;
        long last = end == long.MaxValue ? long.MaxValue >> 13 : end / PageSize;
        space.RemovePages(State.User, State.Group, _pages.Remove((start + PageSize - 1) / PageSize, last));
    }

    /// <summary>Pages that came into being by writes to a mapping are counted when somebody asks.</summary>
    internal void CountMapped()
    {
        if (_content is null || Owner.Space is not { } space)
            return;
        _pages ??= new PageSet();
        ulong before = _pages.Count;
        for (long at = _content.NextData(0); at < _content.Length;)
        {
            long end = _content.NextHole(at);
            for (long page = at / PageSize; page <= (end - 1) / PageSize; page++)
                _pages.Add(page);
            at = _content.NextData(end);
        }
        space.AddPages(State.User, State.Group, _pages.Count - before);
        if (!_content.IsMappedForWriting)
            space.Forget(this);
    }

    /// <summary>Fills the holes of a range with zeros, as a reservation does here; ENOSPC or EDQUOT, and then nothing is changed.</summary>
    private Errno Fill(long start, long end)
    {
        if (Owner.Space is null)
            return Errno.None;
        var had = _pages;
        List<long> holes = [];
        for (long page = start / PageSize; page <= (end - 1) / PageSize; page++)
        {
            if (had?.Contains(page) != true)
                holes.Add(page);
        }
        if (holes.Count == 0)
            return Errno.None;
        Errno error = Owner.Space.TryAddPages(State.User, State.Group, (ulong)holes.Count);
        if (error != Errno.None)
            return error;
        _pages ??= new PageSet();
        foreach (long page in holes)
            _pages.Add(page);
        return Errno.None;
    }
}
