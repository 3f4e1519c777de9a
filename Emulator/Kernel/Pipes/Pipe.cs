using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Pipes;

/// <summary>
/// The buffer between the ends of a pipe or FIFO, as pages: a write goes into the last page only when all of its odd part fits,
/// else into new ones, so that PIPE_BUF bytes are never torn and the capacity shows as it does on Linux (pipe(7)). A page may be a packet
/// (pipe(2), O_DIRECT): nothing is added to it, and a read ends with it.
/// </summary>
public sealed partial class Pipe
{
    public const int PageSize = 4096;
    public const int DefaultCapacity = 16 * PageSize;

    private readonly Queue<Page> _pages = new();
    private readonly MemoryAccountant _accountant;
    private Page? _last;

    /// <summary>Opening the node again (a FIFO's name, /proc/self/fd of a pipe) finds the pipe by it.</summary>
    public Pipe(Inode inode, MemoryAccountant accountant)
    {
        Inode = inode;
        _accountant = accountant;
        inode.Attachment = this;
    }

    public Inode Inode { get; }

    /// <summary>Pulsed at every change, for who waits at both ends: openings, and FIFOs open for reading and writing.</summary>
    public Source Source { get; } = new();

    /// <summary>Pulsed when reading may go on.</summary>
    public Source ReadSource { get; } = new();

    /// <summary>Pulsed when writing may go on.</summary>
    public Source WriteSource { get; } = new();

    private Source? _async;

    /// <summary>Pulsed by each write for readers, by each read for writers, and for both when the other side is gone: what O_ASYNC tells.</summary>
    public Source Async => _async ??= new Source();

    public int Readers { get; private set; }

    public int Writers { get; private set; }

    /// <summary>Ends opened so far: a FIFO's open waits until the other count moves.</summary>
    public long ReaderOpenings { get; private set; }

    public long WriterOpenings { get; private set; }

    public int Capacity { get; private set; } = DefaultCapacity;

    /// <summary>Counts its pages for who made it; null for FIFOs.</summary>
    public PipeShare? Share
    {
        get;
        init
        {
            field = value;
            Capacity = value is null ? DefaultCapacity : value.Pages * PageSize;
        }
    }

    /// <summary>Bytes in the pipe.</summary>
    public int Length { get; private set; }

    public bool IsFull => _pages.Count >= Capacity / PageSize;

    public void Open(OpenFlags flags)
    {
        if ((flags & OpenFlags.Read) != 0)
        {
            Readers++;
            ReaderOpenings++;
        }
        if ((flags & OpenFlags.Write) != 0)
        {
            Writers++;
            WriterOpenings++;
        }
        PulseBoth();
    }

    public void Close(OpenFlags flags)
    {
        if ((flags & OpenFlags.Read) != 0)
            Readers--;
        if ((flags & OpenFlags.Write) != 0)
            Writers--;
        if (Readers == 0 && Writers == 0)
        {
            while (_pages.Count > 0)
                Retire();
            Length = 0;
            Share?.End();
        }
        // The end of the last one on a side is news to the other (pipe_release in fs/pipe.c).
        if ((Readers == 0) == (Writers == 0))
            return;
        PulseBoth();
        _async?.Pulse(Readiness.In | Readiness.Out);
    }

    public IoResult Read(Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        if (Length == 0)
        {
            _async?.Pulse(Readiness.Out);
            return Writers == 0 ? 0 : IoResult.WouldBlock;
        }
        int done = 0;
        bool wasFull = IsFull;
        bool isAtEnd = false;
        while (done < destination.Length && !isAtEnd && _pages.TryPeek(out Page? page))
        {
            int length = page.End - page.Start, count = Math.Min(destination.Length - done, length);
            page.Bytes.AsSpan(page.Start, count).CopyTo(destination[done..]);
            done += count;
            isAtEnd = page.IsPacket;
            // What did not fit of a packet is lost.
            Take(isAtEnd ? length : count);
        }
        // Writers wait for a whole page: what is read from a pipe that was not full is no news.
        if (wasFull && !IsFull)
            PulseWriters(Readiness.Out);
        _async?.Pulse(Readiness.Out);
        return done;
    }

    /// <param name="asPackets">Each page of it is a packet; bytes that fit behind older ones that are none go there all the same.</param>
    public IoResult Write(ReadOnlySpan<byte> source, bool asPackets = false)
    {
        if (source.IsEmpty)
            return 0;
        if (Readers == 0)
            return Errno.EPIPE;
        int odd = source.Length % PageSize;
        int done = 0;
        if (odd != 0 && _last is { } last && last.End + odd <= PageSize)
            done = Append(last, source[..odd]);
        while (done < source.Length && !IsFull)
        {
            Page page = new() { IsPacket = asPackets };
            if (!TryAdd(page))
                return done == 0 ? Errno.ENOMEM : Written(done);
            _last = asPackets ? null : page;
            done += Append(page, source.Slice(done, Math.Min(PageSize, source.Length - done)));
        }
        return done == 0 ? IoResult.WouldBlock : Written(done);
    }

    private IoResult Written(int count)
    {
        Length += count;
        ReadSource.Pulse(Readiness.In);
        Source.Pulse(Readiness.In);
        _async?.Pulse(Readiness.In);
        return count;
    }

    /// <summary>False when the world's memory is used up.</summary>
    private bool TryAdd(Page page)
    {
        page.IsCharged = _accountant.TryCharge(PageSize);
        if (page.IsCharged)
            _pages.Enqueue(page);
        return page.IsCharged;
    }

    /// <summary>F_SETPIPE_SZ: rounds up to a power of two pages; EBUSY when more is in use.</summary>
    public Errno Resize(int bytes)
    {
        int capacity = PageSize;
        while (capacity < bytes)
            capacity *= 2;
        if (_pages.Count > capacity / PageSize)
            return Errno.EBUSY;
        Share?.Become(capacity / PageSize);
        Capacity = capacity;
        PulseWriters(Readiness.Any);
        return Errno.None;
    }

    private void PulseWriters(Readiness edges)
    {
        WriteSource.Pulse(edges);
        Source.Pulse(edges);
    }

    private void PulseBoth()
    {
        ReadSource.Pulse();
        WriteSource.Pulse();
        Source.Pulse();
    }

    private static int Append(Page page, ReadOnlySpan<byte> bytes)
    {
        if (page.Bytes.Length < page.End + bytes.Length)
            Array.Resize(ref page.Bytes, Math.Min(PageSize, Math.Max(page.End + bytes.Length, 2 * page.Bytes.Length)));
        bytes.CopyTo(page.Bytes.AsSpan(page.End));
        page.End += bytes.Length;
        return bytes.Length;
    }

    private void Retire()
    {
        Page page = _pages.Dequeue();
        if (page.IsCharged)
            _accountant.Release(PageSize);
        if (page == _last)
            _last = null;
    }

    private sealed class Page
    {
        public byte[] Bytes = new byte[64];
        public int Start;
        public int End;
        public bool IsCharged;
        public bool IsPacket;
    }
}
