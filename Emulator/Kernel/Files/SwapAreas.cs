using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Files.Devices;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>An area that was given to the system to swap to, in pages of 4096 bytes, without the one with its header.</summary>
public sealed record SwapArea(OpenFile File, ulong Pages, int Priority);

/// <summary>Swap areas of a world (swapon(2)). They are kept and told; what a world's memory limit allows stays in memory, so that nothing is swapped out.</summary>
public sealed class SwapAreas
{
    // 32 less those that stand for migration, devices, poison and markers (MAX_SWAPFILES).
    private const int Most = 24;
    private const int PageSize = 4096;
    private const int SignaturePlace = PageSize - 10;

    private readonly List<SwapArea> _areas = [];
    private int _lastPriority = -1;

    public IReadOnlyList<SwapArea> Areas => _areas;

    public ulong Bytes => _areas.Aggregate(0UL, static (sum, area) => sum + (area.Pages * PageSize));

    /// <summary>
    /// Takes an area into use, with a priority or the next below those that have none of their own. EBUSY for one that is in use, EINVAL for what is no area or has
    /// holes, EPERM when there are as many as there may be.
    /// </summary>
    public Errno Add(OpenFile file, int? priority)
    {
        Inode inode = file.Inode;
        if (_areas.Count >= Most)
            return Errno.EPERM;
        if (inode.Kind is not (FileKind.Regular or FileKind.BlockDevice))
            return Errno.EINVAL;
        if (inode.IsSwapArea || file is BlockFile { Device.IsClaimed: true })
            return Errno.EBUSY;
        Errno error = ReadHeader(file, out ulong pages);
        if (error == Errno.None && inode.Kind == FileKind.Regular)
            error = CheckHoles(inode, (long)(pages + 1) * PageSize);
        if (error != Errno.None)
            return error;
        file.AddReference();
        inode.IsSwapArea = true;
        (file as BlockFile)?.Device.Claim(1);
        _areas.Add(new SwapArea(file, pages, priority ?? --_lastPriority));
        return Errno.None;
    }

    /// <summary>The header (struct swap_header): a version, the last page and the number of bad ones at 1024, a signature at the page's end.</summary>
    private static Errno ReadHeader(OpenFile file, out ulong pages)
    {
        pages = 0;
        byte[] header = new byte[PageSize];
        IoResult read = file.ReadAt(0, header);
        if (read.Error != Errno.None || read.Count != PageSize || !header.AsSpan(SignaturePlace).SequenceEqual("SWAPSPACE2"u8))
            return Errno.EINVAL;
        uint version = BitConverter.ToUInt32(header, 1024), last = BitConverter.ToUInt32(header, 1028), bad = BitConverter.ToUInt32(header, 1032);
        if (version != 1 || last == 0 || bad > 637 || last >= file.Size / PageSize)
            return Errno.EINVAL;
        pages = last - Math.Min(bad, last - 1);
        return Errno.None;
    }

    /// <summary>Every page must have its blocks (iomap_swapfile_activate); file systems that do not tell have no areas.</summary>
    private static Errno CheckHoles(Inode inode, long length)
    {
        for (long at = 0; at < length;)
        {
            if (inode.NextExtent(at, out FileExtent extent) != Errno.None || extent.Length == 0 || extent.Offset > at)
                return Errno.EINVAL;
            at = extent.Offset + extent.Length;
        }
        return Errno.None;
    }

    /// <summary>Gives an area back; EINVAL for what is none.</summary>
    public Errno Remove(Inode inode)
    {
        int index = _areas.FindIndex(area => ReferenceEquals(area.File.Inode, inode));
        if (index < 0)
            return Errno.EINVAL;
        SwapArea area = _areas[index];
        _areas.RemoveAt(index);
        inode.IsSwapArea = false;
        (area.File as BlockFile)?.Device.Claim(-1);
        area.File.Release();
        return Errno.None;
    }

    /// <summary>/proc/swaps.</summary>
    public byte[] Text(FileContext? context)
    {
        const int nameWidth = 40, shortSize = 10_000_000;
        StringBuilder text = new("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
        foreach (SwapArea area in _areas)
        {
            string name = Encoding.Latin1.GetString(area.File.Path!.PathFrom(context?.Root, out _));
            ulong size = area.Pages * (PageSize / 1024);
            text.Append(name).Append(' ', Math.Max(1, nameWidth - name.Length)).Append(area.File.Inode.Kind == FileKind.BlockDevice ? "partition" : "file\t")
                .Append(CultureInfo.InvariantCulture, $"\t{size}\t{(size < shortSize ? "\t" : "")}0\t\t{area.Priority}\n");
        }
        return Encoding.Latin1.GetBytes(text.ToString());
    }
}
