using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Ext;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>Volumes of ext2, ext3 and ext4 as e2fsprogs makes them: what is written is there when e2fsck and debugfs look.</summary>
public sealed class ExtTests : IDisposable
{
    private const string Everything = "-t ext4 -b 4096";

    private readonly string _scratch = Directory.CreateTempSubdirectory("viv-ext-").FullName;

    public void Dispose()
    {
        _image?.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    public static TheoryData<string, string> Volumes() => new()
    {
        { "ext2", "-t ext2 -b 1024" },
        { "ext2", "-t ext2 -b 4096 -I 128 -O ^sparse_super,^filetype,^resize_inode" },
        { "ext3", "-t ext3 -b 1024" },
        { "ext4", "-t ext4 -b 1024" },
        { "ext4", Everything },
        { "ext4", "-t ext4 -b 2048 -O ^metadata_csum,uninit_bg,^64bit" },
        { "ext4", "-t ext4 -b 1024 -O meta_bg,^resize_inode,metadata_csum_seed" },
        { "ext4", "-t ext4 -b 1024 -O ^has_journal,^extent,^flex_bg,^64bit" },
    };

    private ExtImage? _image;

    private ExtImage NewImage(string arguments, int megabytes = 16) => _image = new ExtImage(Path.Combine(_scratch, "image"), arguments, megabytes);

    private static byte[] B(string text) => Encoding.UTF8.GetBytes(text);

    private static ExtFile NewFile(FileSystem volume, string name)
    {
        Assert.Equal(Errno.None, volume.Root.Make(B(name), new NodeSpec(FileKind.Regular, 0x1A4, 0, 0), out Inode? made));
        return (ExtFile)made!;
    }

    private static Inode Find(Inode directory, string name)
    {
        Assert.Equal(Errno.None, directory.Lookup(B(name), out Inode? found));
        return found!;
    }

    /// <summary>Writes, holes, truncations and ranges at random, compared with the same on an array, and with what debugfs reads.</summary>
    [Theory]
    [MemberData(nameof(Volumes))]
    public void Content_is_what_was_written(string type, string arguments)
    {
        ExtImage image = NewImage(arguments);
        ExtFileSystem volume = image.Mount(type);
        const int most = 3 << 20;
        for (int seed = 1; seed <= 3; seed++)
        {
            ExtFile file = NewFile(volume, $"file{seed}");
            byte[] expected = new byte[most * 2];
            long size = 0;
            var random = new Random(seed);
            file.AcquireContent(forWriting: true);
            for (int step = 0; step < 250; step++)
                size = Change(random, file, expected, size, most);
            AssertContent(file, expected.AsSpan(0, (int)size), $"seed {seed}");
            file.ReleaseContent();
            File.WriteAllBytes(Path.Combine(_scratch, $"expected{seed}"), expected.AsSpan(0, (int)size).ToArray());
        }
        volume.End();
        image.Check();
        for (int seed = 1; seed <= 3; seed++)
            Assert.True(File.ReadAllBytes(Path.Combine(_scratch, $"expected{seed}")).AsSpan().SequenceEqual(image.Dump($"/file{seed}")), $"seed {seed}");
        volume = image.Mount(type);
        for (int seed = 1; seed <= 3; seed++)
            Assert.Equal(Errno.None, volume.Root.Unlink(B($"file{seed}"), Find(volume.Root, $"file{seed}")));
        volume.End();
        image.Check();
        Assert.Equal(1UL << 30, image.Accountant.Limit - image.Accountant.Used);
    }

    private static void AssertContent(ExtFile file, ReadOnlySpan<byte> expected, string because)
    {
        byte[] read = new byte[expected.Length + 1];
        Assert.Equal(expected.Length, file.ReadAt(0, read).Count);
        int different = read.AsSpan(0, expected.Length).CommonPrefixLength(expected);
        Assert.True(different == expected.Length, $"{because}: differs at {different}");
    }

    private static long Change(Random random, ExtFile file, byte[] expected, long size, int most)
    {
        long offset = random.Next(most), length = random.Next(1, random.Next(2) == 0 ? 9000 : 100_000);
        int block = (int)file.Status.BlockSize;
        switch (random.Next(12))
        {
            case 0:
                Assert.Equal(Errno.None, file.SetAttributes(new AttributeChange { Size = offset }));
                Array.Clear(expected, (int)offset, expected.Length - (int)offset);
                return offset;
            case 1 or 2:
                Assert.Equal(Errno.None, file.Allocate(offset, length, RangeChange.PunchHole, keepSize: true));
                if (offset < size)
                    Array.Clear(expected, (int)offset, (int)Math.Min(length, size - offset));
                return size;
            case 3:
                if (file.Allocate(offset, length, RangeChange.Zero, keepSize: true) != Errno.None)
                    return size;
                if (offset < size)
                    Array.Clear(expected, (int)offset, (int)Math.Min(length, size - offset));
                return size;
            case 4:
                return file.Allocate(offset, length, RangeChange.Reserve, keepSize: false) == Errno.None ? Math.Max(size, offset + length) : size;
            case 5:
                (offset, length) = (offset / block * block, ((length / block) + 1) * block);
                if (offset + length >= size || file.Allocate(offset, length, RangeChange.Collapse, keepSize: false) != Errno.None)
                    return size;
                expected.AsSpan((int)(offset + length)).CopyTo(expected.AsSpan((int)offset));
                return size - length;
            case 6:
                (offset, length) = (offset / block * block, ((length / block) + 1) * block);
                if (offset >= size || size + length > most || file.Allocate(offset, length, RangeChange.Insert, keepSize: false) != Errno.None)
                    return size;
                expected.AsSpan((int)offset, (int)(size - offset)).ToArray().CopyTo(expected, offset + length);
                Array.Clear(expected, (int)offset, (int)length);
                return size + length;
            case 7:
                return Map(random, file, expected, size);
            default:
                byte[] data = new byte[length];
                random.NextBytes(data);
                Assert.Equal(length, file.WriteAt(offset, data).Count);
                data.CopyTo(expected, offset);
                return Math.Max(size, offset + length);
        }
    }

    /// <summary>Changes it as a mapping does, behind the calls' back.</summary>
    private static long Map(Random random, ExtFile file, byte[] expected, long size)
    {
        if (size < 100)
            return size;
        Assert.Equal(Errno.None, file.MapContent(forWriting: true, out MemoryObject? content));
        byte[] data = new byte[random.Next(1, 100)];
        random.NextBytes(data);
        long offset = random.NextInt64(size - data.Length);
        Assert.True(content!.Write(offset, data));
        data.CopyTo(expected, offset);
        return size;
    }

    /// <summary>Names in their thousands, of which half go again.</summary>
    [Theory]
    [MemberData(nameof(Volumes))]
    public void Directories_grow_and_shrink(string type, string arguments)
    {
        ExtImage image = NewImage(arguments + " -N 4096");
        ExtFileSystem volume = image.Mount(type);
        Assert.Equal(Errno.None, volume.Root.Make(B("many"), new NodeSpec(FileKind.Directory, 0x1ED, 0, 0), out Inode? many));
        for (int i = 0; i < 1500; i++)
            Assert.Equal(Errno.None, many!.Make(B($"{i}-{new string('n', i % 200)}"), new NodeSpec(i % 5 == 0 ? FileKind.Directory : FileKind.Regular, 0x1A4, 1, 2), out _));
        for (int i = 0; i < 1500; i += 2)
        {
            string name = $"{i}-{new string('n', i % 200)}";
            Inode victim = Find(many!, name);
            Assert.Equal(Errno.None, i % 5 == 0 ? many!.RemoveDirectory(B(name), victim) : many!.Unlink(B(name), victim));
        }
        volume.End();
        image.Check();
        volume = image.Mount(type);
        many = Find(volume.Root, "many");
        for (int i = 1; i < 1500; i += 2)
            Find(many, $"{i}-{new string('n', i % 200)}");
        Assert.Equal(2u + 150, many.Status.Links);
        volume.End();
    }

    /// <summary>Attributes in the inode, in a block, and too many; lists; a link's text in a block.</summary>
    [Theory]
    [MemberData(nameof(Volumes))]
    public void Attributes_are_kept(string type, string arguments)
    {
        ExtImage image = NewImage(arguments);
        ExtFileSystem volume = image.Mount(type);
        ExtFile file = NewFile(volume, "file");
        Assert.Equal(Errno.None, file.SetAttribute("user.a"u8, "short"u8, create: true, replace: false));
        Assert.Equal(Errno.EEXIST, file.SetAttribute("user.a"u8, "short"u8, create: true, replace: false));
        Assert.Equal(Errno.ENODATA, file.SetAttribute("user.b"u8, "short"u8, create: false, replace: true));
        Assert.Equal(Errno.None, file.SetAttribute("user.long"u8, new byte[500], create: false, replace: false));
        Assert.Equal(Errno.None, file.SetAttribute("trusted.empty"u8, [], create: false, replace: false));
        Assert.Equal(Errno.ENOSPC, file.SetAttribute("user.huge"u8, new byte[5000], create: false, replace: false));
        var list = new AccessList([new(AccessTag.Owner, 6, 0), new(AccessTag.User, 4, 77), new(AccessTag.OwningGroup, 4, 0), new(AccessTag.Mask, 4, 0), new(AccessTag.Other, 0, 0)]);
        Assert.Equal(Errno.None, file.SetAccessList(list, isDefault: false));
        Assert.Equal(Errno.None, file.SetAttributes(new AttributeChange { AccessTime = 1_234_567_890_123_456_789, ModifyTime = -1_500_000_000, User = 70000, Group = 80000, Mode = 0xFFF }));
        Assert.Equal(Errno.None, volume.Root.Make("link"u8, new NodeSpec(FileKind.SymbolicLink, 0, 0, 0, Target: B(new string('t', 700))), out _));
        Assert.Equal(Errno.None, volume.Root.Make("device"u8, new NodeSpec(FileKind.BlockDevice, 0x180, 0, 0, DeviceNumber.Make(259, 70000)), out _));
        volume.End();
        image.Check();
        volume = image.Mount(type);
        Inode found = Find(volume.Root, "file");
        Assert.Equal(Errno.None, found.GetAttribute("user.a"u8, out byte[]? value));
        Assert.Equal(B("short"), value);
        Assert.Equal(Errno.None, found.GetAttribute("user.long"u8, out value));
        Assert.Equal(500, value!.Length);
        Assert.Equal(list.Entries, found.AccessList!.Entries);
        FileStatus status = found.Status;
        bool isFine = !arguments.Contains("-I 128");
        Assert.Equal((70000u, 80000u, 0xFFFu), (status.User, status.Group, status.Mode));
        Assert.Equal(isFine ? 1_234_567_890_123_456_789 : 1_234_567_890_000_000_000, status.AccessTime);
        Assert.Equal(isFine ? -1_500_000_000 : -2_000_000_000, status.ModifyTime);
        Assert.Equal(Errno.None, Find(volume.Root, "link").ReadLink(null, out byte[]? target));
        Assert.Equal(700, target!.Length);
        Assert.Equal(DeviceNumber.Make(259, 70000), Find(volume.Root, "device").Status.RawDevice);
        Assert.Equal(Errno.None, found.RemoveAttribute("user.long"u8));
        Assert.Equal(Errno.None, volume.Root.Unlink("file"u8, found));
        volume.End();
        image.Check();
    }

    [Theory]
    [MemberData(nameof(Volumes))]
    public void A_full_volume_refuses_and_stays_whole(string type, string arguments)
    {
        ExtImage image = NewImage(arguments, 8);
        image.MayUseReserved = false;
        ExtFileSystem volume = image.Mount(type);
        ExtFile file = NewFile(volume, "file"), other = NewFile(volume, "other");
        byte[] data = new byte[100_000];
        long at = 0;
        for (IoResult written = 1; written.Error == Errno.None; at += written.Count)
            written = file.WriteAt(at, data);
        Assert.Equal(Errno.ENOSPC, other.WriteAt(0, data).Error);
        FileSystemStatus status = volume.Status;
        Assert.Equal(0ul, status.AvailableBlocks);
        Assert.True(status.FreeBlocks > 0);
        image.MayUseReserved = true;
        Assert.True(other.WriteAt(0, data).Count > 0);
        file.AcquireContent(forWriting: true);
        Assert.Equal(Errno.None, volume.Root.Unlink("file"u8, file));
        Assert.Equal(at, file.Status.Size);
        file.ReleaseContent();
        Assert.Equal(Errno.EFBIG, other.SetAttributes(new AttributeChange { Size = long.MaxValue }) );
        volume.End();
        image.Check();
    }

    /// <summary>A hash tree that the host's kernel or e2fsck made is read, and given up when a name comes.</summary>
    [Fact]
    public void Indexed_directories_are_read_and_changed()
    {
        ExtImage image = NewImage("-t ext4 -b 1024 -N 4096");
        ExtFileSystem volume = image.Mount();
        volume.Root.Make("many"u8, new NodeSpec(FileKind.Directory, 0x1ED, 0, 0), out Inode? many);
        for (int i = 0; i < 2000; i++)
            Assert.Equal(Errno.None, many!.Make(B($"name-{i}"), new NodeSpec(FileKind.Fifo, 0x1A4, 0, 0), out _));
        volume.End();
        System.Diagnostics.Process.Start("/usr/sbin/e2fsck", $"-fyD {image.Path}").WaitForExit();
        Assert.Contains("0x81000", image.Debug("stat /many"), StringComparison.Ordinal);
        volume = image.Mount();
        many = Find(volume.Root, "many");
        for (int i = 0; i < 2000; i++)
            Find(many, $"name-{i}");
        Assert.Equal(Errno.None, many.Make("one-more"u8, new NodeSpec(FileKind.Fifo, 0x1A4, 0, 0), out _));
        Assert.Equal(Errno.None, many.Unlink("name-7"u8, Find(many, "name-7")));
        volume.End();
        image.Check();
    }

    [Theory]
    [InlineData("-t ext4 -O bigalloc -C 16384", "ext4", Errno.EINVAL)]
    [InlineData("-t ext4 -O inline_data", "ext4", Errno.EINVAL)]
    [InlineData("-t ext4 -O encrypt", "ext4", Errno.EINVAL)]
    [InlineData("-t ext4", "ext3", Errno.EINVAL)]
    [InlineData("-t ext4", "ext2", Errno.EINVAL)]
    [InlineData("-t ext2", "ext3", Errno.EINVAL)]
    [InlineData("-t ext3", "ext2", Errno.None)]
    [InlineData("-t ext2", "ext4", Errno.None)]
    public void Features_that_are_unknown_are_refused(string arguments, string type, Errno expected)
    {
        ExtImage image = NewImage(arguments, 32);
        Assert.Equal(expected, image.Mount(type, out ExtFileSystem? volume));
        Assert.Equal(expected != Errno.None, image.Log.Count > 0);
        volume?.End();
        image.Check();
    }

    /// <summary>Images with bytes changed at random: whatever is found wrong is an errno, and nothing takes for ever.</summary>
    [Theory]
    [InlineData("-t ext2 -b 1024", 1)]
    [InlineData("-t ext4 -b 1024 -O ^metadata_csum", 2)]
    [InlineData("-t ext4 -b 1024", 3)]
    public void Damaged_volumes_are_errors_and_no_more(string arguments, int seed)
    {
        int rounds = Environment.GetEnvironmentVariable("VIVARIUM_EXT_ROUNDS") is { } text ? int.Parse(text) : 60;
        ExtImage image = NewImage(arguments, 4);
        ExtFileSystem volume = image.Mount();
        Populate(volume);
        volume.End();
        byte[] whole = File.ReadAllBytes(image.Path);
        int[] used = [.. Enumerable.Range(0, whole.Length).Where(i => whole[i] != 0)];
        var random = new Random(seed);
        for (int round = 0; round < rounds; round++)
        {
            byte[] damaged = (byte[])whole.Clone();
            for (int i = random.Next(1, 40); i > 0; i--)
                Damage(random, damaged, used);
            File.WriteAllBytes(image.Path, damaged);
            if (image.Mount("ext4", out ExtFileSystem? broken) != Errno.None)
                continue;
            var watch = System.Diagnostics.Stopwatch.StartNew();
            Use(broken!.Root, random, 0);
            broken.End();
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(2), $"seed {seed}, round {round}");
        }
    }

    /// <summary>A transaction that writes zeros over its own commit: the replay, which would go round for ever, ends with EIO.</summary>
    [Fact]
    public void A_journal_that_writes_into_itself_is_an_error()
    {
        ExtImage image = NewImage("-t ext4 -b 1024 -O ^metadata_csum");
        // Behind the descriptor, at block 1, and the copy that it speaks of.
        string commit = image.Debug("bmap <8> 3").Split('\n', StringSplitOptions.RemoveEmptyEntries)[0], zeros = Path.Combine(_scratch, "zeros");
        File.WriteAllBytes(zeros, new byte[1024]);
        image.Change("jo", $"jw -b {commit} {zeros}", "jc");
        Assert.Equal(Errno.EIO, image.Mount("ext4", out _));
        Assert.Contains(image.Log, line => line.Contains("error in recovery", StringComparison.Ordinal));
    }

    private static void Damage(Random random, byte[] image, int[] used)
    {
        int at = random.Next(4) == 0 ? 1024 + random.Next(64 * 1024) : used[random.Next(used.Length)];
        image[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)(image[at] ^ (1 << random.Next(8))), _ => (byte)(random.Next(2) * 255) };
    }

    private static void Populate(ExtFileSystem volume)
    {
        Inode directory = volume.Root;
        for (int i = 0; i < 4; i++)
        {
            directory.Make(B("d"), new NodeSpec(FileKind.Directory, 0x1ED, 0, 0), out Inode? below);
            for (int j = 0; j < 12; j++)
            {
                directory.Make(B($"f{j}"), new NodeSpec(FileKind.Regular, 0x1A4, 0, 0), out Inode? file);
                for (int k = 0; k < 1 + (j * 2); k++)
                    file!.WriteAt(k * 20_000L, B($"data {k}"));
                file!.SetAttribute("user.name"u8, new byte[j * 20], create: false, replace: false);
            }
            directory.Make(B("l"), new NodeSpec(FileKind.SymbolicLink, 0, 0, 0, Target: B(new string('t', 100))), out _);
            directory = below!;
        }
    }

    private static void Use(Inode directory, Random random, int depth)
    {
        var names = new Names();
        directory.List(null, 0, names);
        foreach (byte[] name in names.All)
        {
            if (directory.Lookup(name, out Inode? node) != Errno.None)
                continue;
            node!.ListAttributes(out _);
            _ = node.AccessList;
            node.ReadLink(null, out _);
            node.ReadAt(random.Next(1 << 20), new byte[50_000]);
            node.WriteAt(random.Next(1 << 20), new byte[random.Next(1, 50_000)]);
            node.Allocate(random.Next(1 << 20), 1 + random.Next(1 << 18), (RangeChange)random.Next(5), keepSize: false);
            node.NextHole(0);
            node.NextData(1 << 20);
            node.SetAttribute("user.new"u8, new byte[random.Next(800)], create: false, replace: false);
            node.SetAttributes(new AttributeChange { Size = random.Next(1 << 20) });
            if (node.Kind == FileKind.Directory && depth < 6)
                Use(node, random, depth + 1);
            directory.Make([.. name, (byte)'+'], new NodeSpec(FileKind.Regular, 0x1A4, 0, 0), out _);
            if (random.Next(3) == 0)
                _ = node.Kind == FileKind.Directory ? directory.RemoveDirectory(name, node) : directory.Unlink(name, node);
        }
    }

    private sealed class Names : IDirectorySink
    {
        public List<byte[]> All { get; } = [];

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            All.Add(name.ToArray());
            return All.Count < 100;
        }
    }
}
