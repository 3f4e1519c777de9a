using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>Pages that differ from their backing: guest addresses, whole pages.</summary>
internal readonly record struct PageRun(ulong Start, ulong End)
{
    public ulong Pages => (End - Start) / GuestAddress.PageSize;
}

/// <summary>The host's page tables, by /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).</summary>
internal static unsafe class PageMap
{
    private const ulong Present = 1ul << 63;
    private const ulong Swapped = 1ul << 62;
    private const ulong FileOrShared = 1ul << 61;
    private const int Batch = 512;

    // PAGEMAP_SCAN, since Linux 6.7 (include/uapi/linux/fs.h).
    private const ulong ScanRequest = 0xC0606610;
    private const ulong IsFile = 1 << 2;
    private const ulong IsPresent = 1 << 3;
    private const ulong IsSwapped = 1 << 4;
    private const ulong IsZeroPage = 1 << 5;
    private const int ScanBatch = 256;

    private static readonly int File = OpenPageMap();

    /// <summary>struct pm_scan_arg.</summary>
    private struct ScanArguments
    {
        public ulong Size;
        public ulong Flags;
        public ulong Start;
        public ulong End;
        public ulong WalkEnd;
        public ulong Regions;
        public ulong RegionCount;
        public ulong MostPages;
        public ulong Inverted;
        public ulong AllOf;
        public ulong AnyOf;
        public ulong Returned;
    }

    /// <summary>struct page_region.</summary>
    private readonly record struct Region(ulong Start, ulong End, ulong Categories);

    /// <summary>One call tells of a whole window.</summary>
    public static bool CanScan { get; } = TryScan((byte*)GuestAddress.PageSize, 0, GuestAddress.PageSize, []);

    /// <summary>
    /// Adds the pages of private mappings in a range of a window that no longer are their backing's: written, or at least touched
    /// where they have none. Where the host <see cref="CanScan"/>, the range may hold anything.
    /// </summary>
    public static void AddChanged(byte* window, ulong start, ulong end, List<PageRun> runs)
    {
        if (CanScan)
        {
            if (!TryScan(window, start, end, runs))
                throw new InvalidOperationException($"cannot scan the page map (error {Marshal.GetLastPInvokeError()})");
            return;
        }
        ulong* entries = stackalloc ulong[Batch];
        for (ulong at = start; at < end;)
        {
            int count = Read(entries, window + at, end - at);
            for (int i = 0; i < count; i++, at += GuestAddress.PageSize)
            {
                if ((entries[i] & (Present | Swapped)) != 0 && (entries[i] & FileOrShared) == 0)
                    Add(runs, at, at + GuestAddress.PageSize);
            }
        }
    }

    /// <summary>Adds the pages of a range of a window that its page table has, whatever is behind them.</summary>
    public static void AddPresent(byte* window, ulong start, ulong end, List<PageRun> runs)
    {
        ulong* entries = stackalloc ulong[Batch];
        for (ulong at = start; at < end;)
        {
            int count = Read(entries, window + at, end - at);
            for (int i = 0; i < count; i++, at += GuestAddress.PageSize)
            {
                if ((entries[i] & Present) != 0)
                    Add(runs, at, at + GuestAddress.PageSize);
            }
        }
    }

    /// <summary>Whether a page of a private mapping is no longer its backing's.</summary>
    public static bool IsCopied(byte* page)
    {
        ulong entry;
        Read(&entry, page, GuestAddress.PageSize);
        return (entry & (Present | Swapped)) != 0 && (entry & FileOrShared) == 0;
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

    private static bool TryScan(byte* window, ulong start, ulong end, List<PageRun> runs)
    {
        Region* regions = stackalloc Region[ScanBatch];
        var arguments = new ScanArguments
        {
            Size = (ulong)sizeof(ScanArguments),
            Start = (ulong)window + start,
            End = (ulong)window + end,
            Regions = (ulong)regions,
            RegionCount = ScanBatch,
            Inverted = IsFile | IsZeroPage,
            AllOf = IsFile | IsZeroPage,
            AnyOf = IsPresent | IsSwapped,
        };
        while (arguments.Start < arguments.End)
        {
            int count = LibC.Control(File, ScanRequest, &arguments);
            if (count < 0)
                return false;
            for (int i = 0; i < count; i++)
                Add(runs, regions[i].Start - (ulong)window, regions[i].End - (ulong)window);
            arguments.Start = arguments.WalkEnd;
        }
        return true;
    }

    private static void Add(List<PageRun> runs, ulong start, ulong end)
    {
        if (runs.Count > 0 && runs[^1].End == start)
            runs[^1] = runs[^1] with { End = end };
        else
            runs.Add(new PageRun(start, end));
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
