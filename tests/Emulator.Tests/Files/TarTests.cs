using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>Archives as roots, in each dialect, whole and damaged.</summary>
public sealed class TarTests : IDisposable
{
    private readonly string _archive = Path.Combine(Path.GetTempPath(), $"tree-{Guid.NewGuid():N}.tar");

    public void Dispose() => File.Delete(_archive);

    private static TarEntry New(TarEntryFormat format, TarEntryType type, string name) => format switch
    {
        TarEntryFormat.Pax => new PaxTarEntry(type, name),
        TarEntryFormat.Gnu => new GnuTarEntry(type, name),
        _ => new UstarTarEntry(type, name),
    };

    private void Write(TarEntryFormat format, bool compress)
    {
        using FileStream file = File.Create(_archive);
        using Stream stream = compress ? new GZipStream(file, CompressionLevel.Fastest) : file;
        using TarWriter writer = new(stream, format);
        TarEntry directory = New(format, TarEntryType.Directory, "./etc/");
        directory.Mode = (UnixFileMode)0x1ED;
        writer.WriteEntry(directory);
        TarEntry passwd = New(format, TarEntryType.RegularFile, "etc/" + LongName(format));
        (passwd.Mode, passwd.Uid, passwd.Gid) = ((UnixFileMode)0x9A4, 12, 34);
        passwd.DataStream = new MemoryStream(Encoding.UTF8.GetBytes("root:x:0:0"));
        writer.WriteEntry(passwd);
        TarEntry hard = New(format, TarEntryType.HardLink, "hard");
        hard.LinkName = "etc/" + LongName(format);
        writer.WriteEntry(hard);
        TarEntry link = New(format, TarEntryType.SymbolicLink, "link");
        link.LinkName = "etc";
        writer.WriteEntry(link);
    }

    private static string LongName(TarEntryFormat format) => format == TarEntryFormat.Ustar ? "passwd" : new string('n', 180);

    private Vfs? Open(out string? problem) => new WorldTree
    {
        Clock = new TestClock(),
        Accountant = new MemoryAccountant(1 << 30),
        Random = static bytes => bytes.Clear(),
        Processes = new NoProcesses(),
        System = new SystemInfo(),
        RootPath = _archive,
    }.Build(out problem);

    [Theory]
    [InlineData(TarEntryFormat.Ustar, false)]
    [InlineData(TarEntryFormat.Pax, true)]
    [InlineData(TarEntryFormat.Gnu, false)]
    public void An_archive_is_a_root_that_can_be_written_over(TarEntryFormat format, bool compress)
    {
        Write(format, compress);
        Vfs vfs = Open(out string? problem)!;
        Assert.Null(problem);
        VfsCalls calls = new(vfs, vfs.Root);
        string name = "link/" + LongName(format);
        calls.Status(name, true, out string status);
        Assert.Equal("104644 2 12:34 10", status);
        Assert.Equal(Errno.None, calls.Open(name, 2, 0, "toor", out string content));
        Assert.Equal("toor:x:0:0", content);
        Assert.Equal(Errno.None, calls.Open("hard", 0, 0, "", out content));
        Assert.Equal("toor:x:0:0", content);
        Assert.Equal(Errno.None, calls.Status("proc/cpuinfo", true, out _));
    }

    [Fact]
    public void Damage_is_one_sentence()
    {
        Write(TarEntryFormat.Pax, compress: false);
        byte[] whole = File.ReadAllBytes(_archive);
        Random random = new(20261);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = whole[..random.Next(1, whole.Length)];
            for (int j = random.Next(4); j > 0; j--)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(_archive, damaged);
            Vfs? vfs = Open(out string? problem);
            Assert.True(vfs is not null != problem is not null);
        }
        File.WriteAllText(_archive, "not an archive at all");
        Assert.Null(Open(out string? reason));
        Assert.EndsWith("the file is no tar archive", reason);
    }

    private sealed class NoProcesses : IProcessSource
    {
        public IReadOnlyList<int> ProcessIds => [];

        public IProcessView? Find(int id) => null;
    }
}
