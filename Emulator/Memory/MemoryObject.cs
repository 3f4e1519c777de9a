namespace Vivarium.Emulator.Memory;

/// <summary>
/// Bytes that can be mapped: the pages of a file or of shared anonymous memory. Files of every in-memory file system keep
/// their content in one, so that read(2), write(2) and mmap(2) see the same bytes.
/// </summary>
public abstract class MemoryObject : IDisposable
{
    /// <summary>Length in bytes; accesses of a mapping beyond it (rounded up to a page) are SIGBUS.</summary>
    public abstract long Length { get; }

    /// <summary>Returns the bytes read; 0 at or past the end.</summary>
    public abstract int Read(long offset, Span<byte> destination);

    /// <summary>Writes, extending as needed; false when the accountant refuses (ENOSPC).</summary>
    public abstract bool Write(long offset, ReadOnlySpan<byte> source);

    public abstract bool SetLength(long length);

    public abstract void Dispose();
}

/// <summary>Counts committed bytes of a world against its limit (<c>--memory</c>). One per world, single-threaded.</summary>
public sealed class MemoryAccountant(ulong limit)
{
    public ulong Limit { get; } = limit;

    public ulong Used { get; private set; }

    public ulong Peak { get; private set; }

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
