namespace Vivarium.Emulator.Memory;

/// <summary>
/// Bytes that can be mapped: the pages of a file or of shared anonymous memory. Files of every in-memory file system keep
/// their content in one, so that read(2), write(2) and mmap(2) see the same bytes.
/// </summary>
public abstract class MemoryObject : IDisposable
{
    private readonly List<AddressSpace> _mappers = [];
    private readonly HashSet<ulong> _codePages = [];

    private int _holds = 1;

    /// <summary>The last holder is gone; the object is not usable any more.</summary>
    public bool IsReleased { get; private set; }

    /// <summary>Only the process that maps it sees what is in it.</summary>
    public bool IsSecret { get; init; }

    /// <summary>Equal for all objects that hold the same bytes for ever, so that what is made of their code can be shared; null when they may change.</summary>
    public virtual object? Identity => null;

    /// <summary>
    /// Equal for objects whose private mappings a window may keep for the next process, though the object is gone by then; null when
    /// the end of a mapping must give its memory back.
    /// </summary>
    internal virtual object? Backing => Identity;

    /// <summary>Length in bytes; accesses of a mapping beyond it (rounded up to a page) are SIGBUS.</summary>
    public abstract long Length { get; }

    /// <summary>Returns the bytes read; 0 at or past the end.</summary>
    public abstract int Read(long offset, Span<byte> destination);

    /// <summary>Writes, extending as needed; false when the accountant refuses (ENOSPC).</summary>
    public abstract bool Write(long offset, ReadOnlySpan<byte> source);

    public abstract bool SetLength(long length);

    /// <summary>The next byte at or behind an offset that was ever written, by whole pages; the length when there is none.</summary>
    public virtual long NextData(long offset) => Math.Min(offset, Length);

    /// <summary>The next byte at or behind an offset that was never written; the length at the latest.</summary>
    public virtual long NextHole(long offset) => Length;

    /// <summary>Bytes that pages are kept for.</summary>
    public virtual long Kept => Length;

    /// <summary>Makes a range read as zeros; its whole pages are given back.</summary>
    public virtual void Punch(long offset, long length)
    {
        Span<byte> zeros = stackalloc byte[(int)GuestAddress.PageSize];
        zeros.Clear();
        long end = Math.Min(offset + length, Length);
        while (offset < end)
        {
            int count = (int)Math.Min(zeros.Length, end - offset);
            Write(offset, zeros[..count]);
            offset += count;
        }
    }

    /// <summary>Can some address space write through a shared mapping?</summary>
    public bool IsMappedForWriting
    {
        get
        {
            foreach (AddressSpace space in _mappers)
            {
                if (space.MapsForWriting(this))
                    return true;
            }
            return false;
        }
    }

    /// <summary>The host descriptor to map; its file offsets are this object's.</summary>
    internal abstract int MapHandle();

    public abstract void Dispose();

    /// <summary>
    /// One holder more. Whoever made the object holds it once, and each address space that maps it once more: a file that is deleted
    /// stays while it is mapped.
    /// </summary>
    public void Hold() => _holds++;

    /// <summary>One holder less; the last one disposes the object.</summary>
    public void Release()
    {
        if (--_holds != 0)
            return;
        IsReleased = true;
        Dispose();
    }

    /// <summary>Where its pages are, on machines with several nodes.</summary>
    internal PagePlacement? Placement { get; set; }

    /// <summary>More than one address space maps it.</summary>
    internal bool IsMappedTwice => _mappers.Count > 1;

    /// <summary>Areas of all address spaces that map it.</summary>
    public int Mappings
    {
        get
        {
            int count = 0;
            foreach (AddressSpace space in _mappers)
                count += space.CountMappings(this);
            return count;
        }
    }

    internal void AddMapper(AddressSpace space)
    {
        if (!_mappers.Contains(space))
        {
            _mappers.Add(space);
            Hold();
        }
        foreach (ulong page in _codePages)
            space.ProtectObjectPage(this, page);
    }

    internal void RemoveMapper(AddressSpace space)
    {
        if (_mappers.Remove(space))
            Release();
    }

    /// <summary>Content of a range was taken away.</summary>
    internal void TellPunched(ulong offset, ulong length)
    {
        Placement?.Forget(offset & ~(GuestAddress.PageSize - 1), (offset + length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1));
        foreach (AddressSpace space in _mappers)
            space.OnPunched(this, offset, length);
    }

    /// <summary>Content of a range was lost.</summary>
    internal void TellLost(ulong offset, ulong length)
    {
        foreach (AddressSpace space in _mappers)
            space.OnLost(this, offset, length);
    }

    /// <summary>A page now holds code that an engine decoded: writes through any mapping must be noticed.</summary>
    internal void WatchCode(ulong page)
    {
        if (!_codePages.Add(page))
            return;
        foreach (AddressSpace space in _mappers)
            space.ProtectObjectPage(this, page);
    }

    /// <summary>A page is about to be written: drops the code decoded from it everywhere. False when there was none.</summary>
    internal bool ReleaseCode(ulong page)
    {
        if (_codePages.Count == 0 || !_codePages.Remove(page))
            return false;
        foreach (AddressSpace space in _mappers)
            space.ReleaseObjectPage(this, page);
        return true;
    }

    /// <summary>The same for a range of bytes about to be written through a descriptor.</summary>
    protected void ReleaseCode(long offset, int length)
    {
        if (_codePages.Count == 0 || length == 0)
            return;
        for (ulong page = (ulong)offset / GuestAddress.PageSize; page <= (ulong)(offset + length - 1) / GuestAddress.PageSize; page++)
            ReleaseCode(page);
    }
}

/// <summary>Counts committed bytes of a world against its limit (<c>--memory</c>). One per world, single-threaded.</summary>
public sealed class MemoryAccountant(ulong limit)
{
    public ulong Limit { get; } = limit;

    /// <summary>Guests are told nothing of memory that may be otherwise in the next run: which pages the host has at hand.</summary>
    public bool IsRepeatable { get; init; }

    /// <summary>Nodes that its memory lies in, evenly (numa(7)).</summary>
    public int Nodes { get; init; } = 1;

    public ulong Used { get; private set; }

    public ulong Peak { get; private set; }

    /// <summary>Areas of its address spaces.</summary>
    internal long Areas { get; set; }

    public bool TryCharge(ulong bytes)
    {
        if (bytes > Limit - Used)
            return false;
        Used += bytes;
        Peak = Math.Max(Peak, Used);
        return true;
    }

    public void Release(ulong bytes) => Used -= bytes;
}
