namespace Vivarium.Emulator.Kernel.Pipes;

/// <summary>
/// Moving whole pages, for splice(2), tee(2) and vmsplice(2): a page that was put in takes one place however little it holds, and
/// nothing is written behind its bytes.
/// </summary>
public sealed partial class Pipe
{
    public bool IsEmpty => _pages.Count == 0;

    /// <summary>Places left, of a page each.</summary>
    public int FreePlaces => (int)Math.Min((ulong)Math.Max(0, (Capacity / PageSize) - _pages.Count), (_accountant.Limit - _accountant.Used) / PageSize);

    /// <summary>Puts a page in, which must have a place. Tell with <see cref="TellReaders"/> when all are in.</summary>
    public void PutPage(ReadOnlySpan<byte> bytes) => PutPage(bytes, isPacket: false);

    private void PutPage(ReadOnlySpan<byte> bytes, bool isPacket)
    {
        _pages.Enqueue(new Page { Bytes = bytes.ToArray(), End = bytes.Length, IsCharged = _accountant.TryCharge(PageSize), IsPacket = isPacket });
        _last = null;
        Length += bytes.Length;
    }

    /// <summary>The bytes at the head, at most one page of them; empty when the pipe is.</summary>
    public ReadOnlySpan<byte> Head => _pages.TryPeek(out Page? page) ? page.Bytes.AsSpan(page.Start, page.End - page.Start) : default;

    /// <summary>Takes bytes of the head away. Tell with <see cref="TellWriters"/> when a page went.</summary>
    public bool Take(int count)
    {
        Page page = _pages.Peek();
        page.Start += count;
        Length -= count;
        if (page.Start < page.End)
            return false;
        Retire();
        return true;
    }

    /// <summary>Moves pages to another pipe, as far as there are bytes and places; true when a place became free here. Parts of packets are packets.</summary>
    public bool MoveTo(Pipe target, long count, out long moved)
    {
        bool isFreed = false;
        for (moved = 0; moved < count && !IsEmpty && target.FreePlaces > 0;)
        {
            Page page = _pages.Peek();
            int length = page.End - page.Start;
            if (length <= count - moved)
            {
                bool mayGrow = ReferenceEquals(page, _last);
                Length -= length;
                Retire();
                isFreed = true;
                page.IsCharged = target._accountant.TryCharge(PageSize);
                target._pages.Enqueue(page);
                target._last = mayGrow ? page : null;
                target.Length += length;
                moved += length;
                continue;
            }
            int part = (int)(count - moved);
            target.PutPage(Head[..part], page.IsPacket);
            Take(part);
            moved += part;
        }
        return isFreed;
    }

    /// <summary>Puts copies of the pages into another pipe; nothing is taken here.</summary>
    public long CopyTo(Pipe target, long count)
    {
        long copied = 0;
        foreach (Page page in _pages)
        {
            if (copied == count || target.FreePlaces == 0)
                break;
            int length = (int)Math.Min(page.End - page.Start, count - copied);
            target.PutPage(page.Bytes.AsSpan(page.Start, length), page.IsPacket);
            copied += length;
        }
        return copied;
    }

    public void TellReaders()
    {
        ReadSource.Pulse();
        Source.Pulse();
    }

    public void TellWriters() => PulseWriters(Events.Readiness.Any);
}
