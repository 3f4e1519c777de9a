using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Vivarium.Nodes.Images;
using Xunit;

namespace Vivarium.Nodes.Tests;

public sealed class ImageTests : IDisposable
{
    private readonly ArchiveStore _files = new(new ImageLimits(1 << 20));

    public void Dispose() => _files.Dispose();

    [Fact]
    public void The_same_tree_has_the_same_hash_however_it_comes()
    {
        PaxTarEntry[] entries = [Folder("a"), File("a/b", "text"), Link("a/c", "/b"), Hard("d", "a/b")];
        BuiltImage plain = Build(Tar(entries));
        Assert.Equal(plain.Hash, Build(Zip(Tar([entries[2], entries[1], entries[0], entries[3]]))).Hash);
        Assert.Equal(plain.Hash, Build(plain.Archive).Hash);
        Assert.NotEqual(plain.Hash, Build(Tar([File("a/b", "other")])).Hash);
        Assert.Equal(["5 a/", "0 a/b text", "2 a/c -> /b", "1 d -> a/b"], List(plain));
    }

    [Fact]
    public void Long_names_times_and_owners_survive()
    {
        string name = string.Join('/', Enumerable.Repeat(new string('n', 60), 4));
        PaxTarEntry file = File(name, "x");
        file.ModificationTime = new DateTimeOffset(2020, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(1234567);
        (file.Uid, file.Gid, file.Mode) = (3_000_000, 4_000_000, (UnixFileMode)0x9ED);
        var archive = Build(Tar([file])).Archive;
        using var reader = new TarReader(archive);
        TarEntry read = null!;
        while (reader.GetNextEntry() is { } next)
            read = next;
        Assert.Equal((name, file.ModificationTime, 3_000_000, 4_000_000, file.Mode), (read.Name, read.ModificationTime, read.Uid, read.Gid, read.Mode));
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    public async Task Programs_of_this_machine_decompress_what_its_owner_pushes_and_nothing_of_others(string program)
    {
        byte[] plain = Tar([File("a", "text"), File("b", new string('x', 100_000))]).ToArray();
        var compressed = new MemoryStream();
        using (var compressor = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(program, ["-c"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!)
        {
            Task reading = compressor.StandardOutput.BaseStream.CopyToAsync(compressed);
            compressor.StandardInput.BaseStream.Write(plain);
            compressor.StandardInput.Close();
            await reading;
        }
        byte[] bytes = compressed.ToArray();
        using var files = new ArchiveStore(new ImageLimits(1 << 20), hasPrograms: true);
        Assert.Equal(Build(new MemoryStream(plain)).Hash, ImageBuilder.FromArchive(new MemoryStream(bytes), files, new ImageLimits(1 << 20)).Hash);
        Assert.Contains("compressed with " + program, Assert.Throws<ImageException>(() => Build(new MemoryStream(bytes))).Message);
        Assert.Contains("damaged", Assert.Throws<ImageException>(() => ImageBuilder.FromArchive(new MemoryStream(bytes[..^20]), files, new ImageLimits(1 << 20))).Message);
        using var small = new ArchiveStore(new ImageLimits(10), hasPrograms: true);
        Assert.ThrowsAny<ImageException>(() => ImageBuilder.FromArchive(new MemoryStream(bytes), small, new ImageLimits(10)));
    }

    public static TheoryData<string, string> Tricks => new()
    {
        { "climbs", "../evil" }, { "climbs", "a/../../evil" }, { "climbs", "/../evil" }, { "not UTF-8", "a\uFFFD" }, { "part longer", new string('x', 300) },
    };

    [Theory]
    [MemberData(nameof(Tricks))]
    public void Names_that_climb_out_are_refused(string why, string name) =>
        Assert.Contains(why, Assert.Throws<ImageException>(() => Build(Tar([File(name, "x")]))).Message);

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../../etc/passwd")]
    [InlineData("not/there")]
    public void Hard_links_lead_only_to_what_is_in_the_archive(string target) =>
        Assert.ThrowsAny<ImageException>(() => Build(Tar([Hard("link", target)])));

    [Fact]
    public void Absolute_names_and_links_on_the_way_stay_inside()
    {
        BuiltImage image = Build(Tar([File("/etc/absolute", "1"), Link("out", "/../../../tmp"), File("out/file", "2"), Folder("usr"), Link("lib", "usr"), File("lib/x", "3")]));
        Assert.Equal(["5 etc/", "0 etc/absolute 1", "2 lib -> usr", "2 out -> /../../../tmp", "5 tmp/", "0 tmp/file 2", "5 usr/", "0 usr/x 3"], List(image));
        Assert.False(System.IO.File.Exists("/tmp/file"));
        Assert.Contains("too many links", Assert.Throws<ImageException>(() => Build(Tar([Link("a", "b"), Link("b", "a"), File("a/x", "")]))).Message);
    }

    [Fact]
    public void Devices_are_left_out_and_told()
    {
        BuiltImage image = Build(Tar([new PaxTarEntry(TarEntryType.CharacterDevice, "dev/null") { DeviceMajor = 1, DeviceMinor = 3 }, File("a", "")]));
        Assert.Equal(["0 a "], List(image).Where(line => !line.StartsWith("5 ")));
        Assert.Contains("1 device nodes left out", Assert.Single(image.Notes));
    }

    [Fact]
    public void What_unpacks_to_too_much_is_refused()
    {
        ImageException large = Assert.Throws<ImageException>(() => Build(Zip(Tar([File("big", new string('\0', 3 << 20))]))));
        Assert.True(large.IsTooLarge);
        Assert.True(Assert.Throws<ImageException>(() => Build(Tar([File("big", new string('\0', 3 << 20))]))).IsTooLarge);
    }

    [Theory]
    [InlineData("nonsense that is no archive at all, though it is longer than one block of five hundred and twelve bytes")]
    [InlineData("\u001F\u008B broken gzip")]
    [InlineData("BZh9")]
    [InlineData("")]
    public void What_is_no_archive_is_refused(string text) =>
        Assert.Throws<ImageException>(() => Build(new MemoryStream(Encoding.Latin1.GetBytes(text))));

    [Fact]
    public void Every_damage_is_an_image_exception()
    {
        byte[] good = Tar([Folder("a"), File("a/b", new string('x', 700)), Link("c", "a"), Hard("d", "a/b"), File(new string('n', 200), "y")]).ToArray();
        var random = new Random(7);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bad = [.. good];
            for (int n = random.Next(1, 8); n > 0; n--)
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0)
                bad = bad[..random.Next(bad.Length)];
            try
            {
                using var files = new ArchiveStore(new ImageLimits(1 << 20));
                ImageBuilder.FromArchive(new MemoryStream(bad), files, new ImageLimits(1 << 20));
            }
            catch (ImageException)
            {
            }
        }
    }

    [Fact]
    public void Layers_of_containers_lie_over_each_other()
    {
        MemoryStream lower = Zip(Tar([Folder("etc"), File("etc/a", "1"), File("etc/b", "1"), Folder("var"), File("var/x", "1"), Link("bin", "usr/bin"), Folder("usr"), Folder("usr/bin"), File("usr/bin/p", "1"), Hard("keep", "etc/a")]));
        MemoryStream upper = Tar([File("etc/.wh.a", ""), File("etc/b", "2"), Folder("var"), File("var/.wh..wh..opq", ""), File("var/y", "2"), File("bin/q", "2"), File("usr/.wh.bin/no", "")]);
        string[] expected = ["2 bin -> usr/bin", "5 etc/", "0 etc/b 2", "0 keep 1", "5 usr/", "5 usr/.wh.bin/", "0 usr/.wh.bin/no ", "5 usr/bin/", "0 usr/bin/p 1", "0 usr/bin/q 2", "5 var/", "0 var/y 2"];
        Assert.Equal(expected, List(Build(Layout(lower, upper))));
        Assert.Equal(expected, List(Build(Saved(lower, upper))));
    }

    [Fact]
    public void Blobs_must_be_what_their_digests_say()
    {
        MemoryStream layer = Tar([File("a", "1")]);
        ImageException wrong = Assert.Throws<ImageException>(() => Build(Layout(damage: true, layer)));
        Assert.Contains("another content", wrong.Message);
        Assert.Contains("not for linux/amd64", Assert.Throws<ImageException>(() => Build(Layout("arm64", layer))).Message);
    }

    private BuiltImage Build(Stream archive)
    {
        archive.Position = 0;
        return ImageBuilder.FromArchive(archive, _files, new ImageLimits(1 << 20));
    }

    private static List<string> List(BuiltImage image)
    {
        List<string> lines = [];
        image.Archive.Position = 0;
        using var reader = new TarReader(image.Archive, leaveOpen: true);
        while (reader.GetNextEntry(copyData: true) is { } entry)
        {
            string content = entry.DataStream is { } data ? new StreamReader(data).ReadToEnd() : "";
            lines.Add($"{(char)entry.EntryType} {entry.Name}" + (entry.LinkName.Length > 0 ? " -> " + entry.LinkName : entry.EntryType == TarEntryType.RegularFile ? " " + content : ""));
        }
        return lines;
    }

    private static readonly DateTimeOffset Time = DateTimeOffset.UnixEpoch.AddDays(1);

    private static PaxTarEntry Folder(string name) => new(TarEntryType.Directory, name) { ModificationTime = Time };

    private static PaxTarEntry File(string name, string text) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)), ModificationTime = Time };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target, ModificationTime = Time };

    private static PaxTarEntry Hard(string name, string target) => new(TarEntryType.HardLink, name) { LinkName = target, ModificationTime = Time };

    private static MemoryStream Tar(PaxTarEntry[] entries)
    {
        var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (PaxTarEntry entry in entries)
            {
                if (entry.DataStream is { } data)
                    data.Position = 0;
                writer.WriteEntry(entry);
            }
        }
        archive.Position = 0;
        return archive;
    }

    private static MemoryStream Zip(MemoryStream plain)
    {
        var zipped = new MemoryStream();
        using (var stream = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
            stream.Write(plain.ToArray());
        zipped.Position = 0;
        return zipped;
    }

    private static MemoryStream Saved(params MemoryStream[] layers) => Tar(
    [
        File("manifest.json", "[{\"Config\":\"c.json\",\"RepoTags\":[\"x:1\"],\"Layers\":[" + string.Join(',', layers.Select((_, i) => $"\"l{i}/layer.tar\"")) + "]}]"),
        .. layers.Select((layer, i) => new PaxTarEntry(TarEntryType.RegularFile, $"l{i}/layer.tar") { DataStream = new MemoryStream(layer.ToArray()) }),
    ]);

    private static MemoryStream Layout(params MemoryStream[] layers) => Layout("amd64", false, layers);

    private static MemoryStream Layout(string architecture, params MemoryStream[] layers) => Layout(architecture, false, layers);

    private static MemoryStream Layout(bool damage, params MemoryStream[] layers) => Layout("amd64", damage, layers);

    private static MemoryStream Layout(string architecture, bool damage, MemoryStream[] layers)
    {
        List<PaxTarEntry> entries = [File("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}")];
        string Blob(byte[] content)
        {
            string hash = Convert.ToHexStringLower(SHA256.HashData(content));
            entries.Add(new PaxTarEntry(TarEntryType.RegularFile, "blobs/sha256/" + hash) { DataStream = new MemoryStream(content) });
            return "\"digest\":\"sha256:" + hash + "\",\"size\":" + content.Length;
        }
        string[] digests = [.. layers.Select(layer => Blob(layer.ToArray()))];
        string manifest = Blob(Encoding.UTF8.GetBytes("{\"layers\":[" + string.Join(',', digests.Select(digest => "{" + digest + "}")) + "]}"));
        if (damage)
            entries[1].DataStream = new MemoryStream("other"u8.ToArray());
        entries.Add(File("index.json", "{\"manifests\":[{" + manifest + ",\"platform\":{\"os\":\"linux\",\"architecture\":\"" + architecture + "\"}}]}"));
        return Tar([.. entries]);
    }
}
