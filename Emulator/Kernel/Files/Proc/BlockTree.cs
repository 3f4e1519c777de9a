using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Files.Devices;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>Block devices as sysfs shows them (Documentation/ABI/stable/sysfs-block, sysfs-block-loop): a directory each, and links to it by name and by number.</summary>
internal sealed class BlockTree : GeneratedFileSystem
{
    private const string Place = "devices/virtual/block/";

    private readonly LoopDevices _loops;

    public BlockTree(IClock clock, ulong device, LoopDevices loops)
        : base(clock, device)
    {
        _loops = loops;
        Devices = new ProcNames(this, Names, MakeDevice);
        Links = new ProcNames(this, Names, name => Link("../" + Place + name));
        ClassLinks = new ProcNames(this, Names, name => Link("../../" + Place + name));
        NumberedLinks = new ProcNames(this, Numbers, number => Link("../../" + Place + "loop" + number[(number.IndexOf(':', StringComparison.Ordinal) + 1)..]));
    }

    public override string TypeName => "sysfs";

    public override Inode Root => Devices;

    public override FileSystemStatus Status => new() { Magic = 0x62656572, BlockSize = 4096, NameLength = 255, Id = Device };

    /// <summary>/sys/devices/virtual/block.</summary>
    public ProcNames Devices { get; }

    /// <summary>/sys/block.</summary>
    public ProcNames Links { get; }

    /// <summary>/sys/class/block.</summary>
    public ProcNames ClassLinks { get; }

    /// <summary>/sys/dev/block.</summary>
    public ProcNames NumberedLinks { get; }

    private IEnumerable<string> Names() => _loops.All.Select(static device => "loop" + device.Number.ToString(CultureInfo.InvariantCulture));

    private IEnumerable<string> Numbers() => _loops.All.Select(static device => string.Create(CultureInfo.InvariantCulture, $"{LoopDevices.Major}:{device.Number}"));

    private ProcLink Link(string target) => new(this, _ => Encoding.ASCII.GetBytes(target));

    private ProcDirectory MakeDevice(string name)
    {
        LoopDevice device = _loops.Find(int.Parse(name.AsSpan(4), CultureInfo.InvariantCulture))!;
        ProcDirectory directory = new(this, mode: 0x1ED);
        return directory
            .AddText("alignment_offset", static () => "0\n").AddText("capability", static () => "0\n")
            .AddText("dev", () => Line($"{LoopDevices.Major}:{device.Number}"))
            .AddText("discard_alignment", static () => "0\n").AddText("ext_range", static () => "256\n").AddText("hidden", static () => "0\n")
            .Add("holders", new ProcDirectory(this, mode: 0x1ED))
            .AddText("inflight", static () => "       0        0\n")
            .Add("loop", new LoopDirectory(this, device, Loop(device)))
            .AddText("partscan", () => Flag(device.HasPartitions))
            .Add("queue", Queue(device))
            .AddText("range", static () => "1\n").AddText("removable", static () => "0\n")
            .AddText("ro", () => Flag(device.IsReadOnly))
            .AddText("size", () => Line($"{device.Size / LoopDevice.SectorSize}"))
            .Add("slaves", new ProcDirectory(this, mode: 0x1ED))
            .AddText("stat", () => Line($"{Counters(device, 8)}"))
            .Add("subsystem", Link("../../../../class/block"))
            .AddText("uevent", () => $"MAJOR={LoopDevices.Major}\nMINOR={device.Number}\nDEVNAME=loop{device.Number}\nDEVTYPE=disk\n");
    }

    private ProcDirectory Loop(LoopDevice device) => new ProcDirectory(this, mode: 0x1ED)
        .AddText("autoclear", () => Flag(device.EndsWithLastClose))
        .Add("backing_file", new ProcText(this, call => [.. Backing(device, call), (byte)'\n']))
        .AddText("dio", () => Flag(device.IsDirect)).AddText("offset", () => Line($"{device.Offset}"))
        .AddText("partscan", () => Flag(device.HasPartitions)).AddText("sizelimit", () => Line($"{device.SizeLimit}"));

    private static byte[] Backing(LoopDevice device, CallContext? call)
    {
        if (device.Backing?.Path is not { } path)
            return [];
        byte[] name = path.PathFrom(call?.Process.FileContext.Root, out _);
        return path.Dentry.IsRemoved ? [.. name, .. " (deleted)"u8] : name;
    }

    private ProcDirectory Queue(LoopDevice device)
    {
        ProcDirectory queue = new(this, mode: 0x1ED);
        foreach ((string name, string text) in ((string, string)[])
            [("add_random", "0"), ("chunk_sectors", "0"), ("dax", "0"), ("discard_granularity", "4096"), ("discard_max_bytes", "4294966784"), ("discard_max_hw_bytes", "4294966784"),
             ("discard_zeroes_data", "0"), ("dma_alignment", "511"), ("fua", "0"), ("io_poll", "0"), ("iostats", "1"), ("max_discard_segments", "1"), ("max_hw_sectors_kb", "1280"),
             ("max_integrity_segments", "0"), ("max_sectors_kb", "1280"), ("max_segment_size", "65536"), ("max_segments", "128"), ("nomerges", "0"), ("nr_requests", "128"),
             ("nr_zones", "0"), ("optimal_io_size", "0"), ("rotational", "0"), ("rq_affinity", "1"), ("scheduler", "[none]"), ("stable_writes", "0"),
             ("virt_boundary_mask", "0"), ("write_cache", "write back"), ("write_same_max_bytes", "0"), ("write_zeroes_max_bytes", "4294966784"), ("zone_append_max_bytes", "0"),
             ("zone_write_granularity", "0"), ("zoned", "none")])
        {
            queue.AddText(name, () => text + "\n");
        }
        foreach (string name in (string[])["hw_sector_size", "logical_block_size", "minimum_io_size", "physical_block_size"])
            queue.AddText(name, () => Line($"{device.BlockSize}"));
        return queue.AddText("read_ahead_kb", () => Line($"{device.ReadAhead / 2}"));
    }

    /// <summary>Requests, merged ones, sectors and milliseconds of reads, then of writes; those under way and two times; the same of discards, and of flushes.</summary>
    private static string Counters(LoopDevice device, int width)
    {
        // A request takes no time that a world could tell: a tenth of a millisecond stands for each.
        ulong busy = (device.Reads.Requests + device.Writes.Requests + 9) / 10;
        ulong[] counters = [device.Reads.Requests, 0, device.Reads.Sectors, 0, device.Writes.Requests, 0, device.Writes.Sectors, 0, 0, busy, busy, 0, 0, 0, 0, 0, 0];
        return string.Join(' ', counters.Select(counter => counter.ToString(CultureInfo.InvariantCulture).PadLeft(width)));
    }

    private static string Line(FormattableString text) => FormattableString.Invariant(text) + "\n";

    private static string Flag(bool isSet) => isSet ? "1\n" : "0\n";

    /// <summary>/proc/partitions: devices that have something on them, in blocks of 1024 bytes.</summary>
    public static string Partitions(LoopDevices loops)
    {
        StringBuilder text = new("major minor  #blocks  name\n\n");
        foreach (LoopDevice device in loops.All.Where(static device => device.Size > 0))
            text.Append(CultureInfo.InvariantCulture, $"{LoopDevices.Major,4}  {device.Number,7} {device.Size / 1024,10} loop{device.Number}\n");
        return text.ToString();
    }

    /// <summary>/proc/diskstats.</summary>
    public static string Statistics(LoopDevices loops)
    {
        StringBuilder text = new();
        foreach (LoopDevice device in loops.All.Where(static device => device.Size > 0))
            text.Append(CultureInfo.InvariantCulture, $"{LoopDevices.Major,4} {device.Number,7} loop{device.Number} {Counters(device, 0)}\n");
        return text.ToString();
    }

    /// <summary>What a loop device has only while it has a file.</summary>
    private sealed class LoopDirectory(BlockTree owner, LoopDevice device, ProcDirectory content) : ProcDirectory(owner, mode: 0x1ED)
    {
        public override bool CachesNames => false;

        public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
        {
            inode = null;
            return device.Backing is null ? Errno.ENOENT : content.Lookup(name, out inode);
        }

        public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink) => device.Backing is null ? Errno.None : content.List(call, cookie, sink);
    }
}

/// <summary>A directory of names that come and go.</summary>
internal sealed class ProcNames(GeneratedFileSystem owner, Func<IEnumerable<string>> names, Func<string, Inode> make) : ProcDirectory(owner, mode: 0x1ED)
{
    private readonly Dictionary<string, Inode> _known = new(StringComparer.Ordinal);

    public override bool CachesNames => false;

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        string text = Encoding.Latin1.GetString(name);
        bool isThere = names().Contains(text);
        inode = isThere ? Find(text) : null;
        return isThere ? Errno.None : Errno.ENOENT;
    }

    private Inode Find(string name)
    {
        if (!_known.TryGetValue(name, out Inode? node))
            _known.Add(name, node = make(name));
        return node;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        ulong place = 0;
        foreach (string name in names().ToArray())
        {
            if (place++ < cookie)
                continue;
            Inode node = Find(name);
            if (!sink.Add(Encoding.Latin1.GetBytes(name), node.Status.Inode, node.Kind, place))
                break;
        }
        return Errno.None;
    }
}
