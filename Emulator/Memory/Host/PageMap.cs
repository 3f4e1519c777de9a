using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>Runs of pages as (offset, length) in bytes, with their total.</summary>
internal readonly struct PageRuns(List<(ulong Offset, ulong Length)> runs, ulong pages)
{
    public ulong Pages { get; } = pages;

    public static PageRuns Whole(ulong length) => new([(0, length)], length / GuestAddress.PageSize);

    public List<(ulong Offset, ulong Length)>.Enumerator GetEnumerator() => runs.GetEnumerator();
}

/// <summary>The host's page tables, by /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).</summary>
internal static unsafe class PageMap
{
    private const ulong Present = 1ul << 63;
    private const ulong Swapped = 1ul << 62;
    private const ulong FileOrShared = 1ul << 61;
    private const int Batch = 512;

    private static readonly int File = OpenPageMap();

    /// <summary>The pages of a private mapping that no longer are its backing's: written, or at least touched when it has none.</summary>
    public static PageRuns ChangedRuns(byte* start, ulong length)
    {
        var runs = new List<(ulong, ulong)>();
        ulong pages = 0;
        ulong* entries = stackalloc ulong[Batch];
        for (ulong offset = 0; offset < length;)
        {
            int count = Read(entries, start + offset, length - offset);
            for (int i = 0; i < count; i++, offset += GuestAddress.PageSize)
            {
                if ((entries[i] & (Present | Swapped)) == 0 || (entries[i] & FileOrShared) != 0)
                    continue;
                pages++;
                if (runs.Count > 0 && runs[^1].Item1 + runs[^1].Item2 == offset)
                    runs[^1] = (runs[^1].Item1, runs[^1].Item2 + GuestAddress.PageSize);
                else
                    runs.Add((offset, GuestAddress.PageSize));
            }
        }
        return new PageRuns(runs, pages);
    }

    public static ulong CountPresent(byte* start, ulong length)
    {
        ulong pages = 0;
        ulong* entries = stackalloc ulong[Batch];
        for (ulong offset = 0; offset < length;)
        {
            int count = Read(entries, start + offset, length - offset);
            for (int i = 0; i < count; i++, offset += GuestAddress.PageSize)
                pages += entries[i] >> 63;
        }
        return pages;
    }

    private static int Read(ulong* entries, byte* address, ulong length)
    {
        int count = (int)Math.Min(Batch, length / GuestAddress.PageSize);
        long place = (long)((ulong)address / GuestAddress.PageSize * sizeof(ulong));
        nint got = LibC.Read(File, entries, (nuint)(count * sizeof(ulong)), place);
        if (got <= 0)
            throw new InvalidOperationException($"cannot read the page map (error {Marshal.GetLastPInvokeError()})");
        return (int)got / sizeof(ulong);
    }

    private static int OpenPageMap()
    {
        const int readOnlyCloseOnExec = 0x80000;
        ReadOnlySpan<byte> path = "/proc/self/pagemap\0"u8;
        fixed (byte* start = path)
        {
            int file = LibC.Open(start, readOnlyCloseOnExec, 0);
            return file >= 0 ? file : throw new InvalidOperationException("cannot open " + Encoding.ASCII.GetString(path[..^1]));
        }
    }
}
