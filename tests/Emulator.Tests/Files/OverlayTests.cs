using System.Runtime.Versioning;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.HostTrees;
using Vivarium.Emulator.Kernel.Files.Tmpfs;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

public sealed class OverlayTests : IDisposable
{
    private const int ReadWrite = 2;
    private const int CreateReadWrite = 0x42;

    private readonly string _lower = Directory.CreateTempSubdirectory("overlay-").FullName;
    private readonly Vfs _vfs;
    private readonly VfsCalls _calls;
    private readonly MemoryAccountant _accountant = new(1 << 20);

    public OverlayTests()
    {
        Directory.CreateDirectory(Path.Combine(_lower, "d/e"));
        File.WriteAllText(Path.Combine(_lower, "f"), "lower");
        File.WriteAllText(Path.Combine(_lower, "d/e/g"), "deep");
        new HostCalls(HostCalls.OpenDirectory(_lower)).Link("f", "hard", follow: false);
        TestClock clock = new();
        HostFileSystem host = HostFileSystem.Open(clock, _lower, readOnly: true, out _)!;
        _vfs = new Vfs(new MemoryFileSystem(clock, 1, () => new AnonymousObject(_accountant), host.Root) { Accountant = _accountant });
        _calls = new VfsCalls(_vfs, _vfs.Root);
    }

    public void Dispose() => Directory.Delete(_lower, recursive: true);

    private string Read(string path)
    {
        Assert.Equal(Errno.None, _calls.Open(path, 0, 0, "", out string content));
        return content;
    }

    private FileStatus Status(string path)
    {
        FileCaller caller = new(new FileContext(_vfs.Root, _vfs.Root), FileCredentials.Root);
        Assert.Equal(Errno.None, _vfs.Resolve(caller, _vfs.Root, Encoding.UTF8.GetBytes(path), WalkFlags.None, out PathEntry? entry));
        return entry!.Inode.Status;
    }

    [Fact]
    public void A_write_changes_the_upper_layer_only_and_keeps_the_inode_number()
    {
        ulong before = Status("f").Inode;
        Assert.Equal(Errno.None, _calls.Open("f", ReadWrite, 0, "UP", out string content));
        Assert.Equal("UPwer", content);
        Assert.Equal("lower", File.ReadAllText(Path.Combine(_lower, "f")));
        Assert.Equal(before, Status("f").Inode);
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public void Directories_below_mounts_are_asked_for_when_somebody_looks()
    {
        string hidden = Path.Combine(_lower, "hidden");
        Directory.CreateDirectory(hidden);
        HostDirectory first = OpenLower().FindHidden("hidden"u8)!;
        File.SetUnixFileMode(hidden, UnixFileMode.UserRead);
        Assert.Equal((FileKind.Directory, 0x100u), (first.Kind, first.Status.Mode));
        File.SetUnixFileMode(hidden, UnixFileMode.UserWrite);
        // What a world saw once stays so for it.
        Assert.Equal(0x100u, first.Status.Mode);
        HostDirectory second = OpenLower().FindHidden("hidden"u8)!;
        Assert.Equal((0x80u, (ulong)new FileInfo(hidden).LastWriteTimeUtc.Ticks), (second.Status.Mode, (ulong)DateTime.UnixEpoch.AddTicks(second.Status.ModifyTime / 100).Ticks));
        // The root's times tell that names in it are others.
        Thread.Sleep(20);
        Directory.Delete(hidden);
        Assert.Null(OpenLower().FindHidden("hidden"u8));
        Thread.Sleep(20);
        File.WriteAllText(hidden, "");
        Assert.Null(OpenLower().FindHidden("hidden"u8));
        Assert.Null(OpenLower().FindHidden("f"u8));
    }

    [Fact]
    public void A_directory_that_is_shown_unasked_is_what_it_was_when_looked_up()
    {
        HostDirectory lower = OpenLower();
        var own = new MemoryFileSystem(new TestClock(), 1, () => new AnonymousObject(_accountant), lower);
        ((MemoryDirectory)own.Root).Show([(byte)'d'], lower.FindHidden("d"u8)!);
        Assert.Equal(Errno.None, own.Root.Lookup("d"u8, out Inode? shown));
        Assert.Equal(Status("d") with { AccessTime = 0 }, shown!.Status with { AccessTime = 0 });
        Assert.Equal(Errno.None, shown.Lookup("e"u8, out Inode? below));
        Assert.Equal(FileKind.Directory, below!.Kind);
        Assert.Equal(Errno.None, shown.SetAttributes(new AttributeChange { Mode = 0x1C0 }));
        Assert.Equal((0x1C0u, Status("d").Inode), (shown.Status.Mode, shown.Status.Inode));
    }

    [Fact]
    public void On_the_virtual_clock_times_of_access_and_sizes_of_directories_are_not_the_host_s()
    {
        HostFileSystem host = HostFileSystem.Open(WorldClock.Virtual(), _lower, readOnly: false, out _)!;
        Assert.Equal(Errno.None, host.Root.Lookup("d"u8, out Inode? directory));
        FileStatus before = directory!.Status;
        string path = Path.Combine(_lower, "d");
        for (int i = 0; i < 200; i++)
            File.WriteAllText(Path.Combine(path, $"{new string('n', 100)}{i}"), "");
        Assert.Equal((before.Size, before.Blocks), (directory.Status.Size, directory.Status.Blocks));
        Assert.NotEqual(before.ModifyTime, directory.Status.ModifyTime);
        HostFileSystem lower = HostFileSystem.Open(WorldClock.Virtual(), _lower, readOnly: true, out _)!;
        Assert.Equal(Errno.None, lower.Root.Lookup("f"u8, out Inode? file));
        before = file!.Status;
        File.SetLastAccessTimeUtc(Path.Combine(_lower, "f"), new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal(Errno.None, lower.Root.Lookup("f"u8, out file));
        Assert.Equal((before.ModifyTime, before.ModifyTime), (before.AccessTime, file!.Status.AccessTime));
    }

    [Fact]
    public void On_the_virtual_clock_a_time_of_access_that_the_world_set_is_told()
    {
        const long set = 1_000_000_000_000_000_000;
        HostFileSystem host = HostFileSystem.Open(WorldClock.Virtual(), _lower, readOnly: false, out _)!;
        Assert.Equal(Errno.None, host.Root.Lookup("f"u8, out Inode? file));
        Assert.Equal(Errno.None, file!.SetAttributes(new AttributeChange { AccessTime = set }));
        Assert.Equal(set, file.Status.AccessTime);
    }

    private HostDirectory OpenLower() => (HostDirectory)HostFileSystem.Open(new TestClock(), _lower, readOnly: true, out _)!.Root;

    [Fact]
    public void Hard_links_of_the_lower_layer_stay_one_file_after_a_write()
    {
        Assert.Equal(Errno.None, _calls.Open("hard", ReadWrite, 0, "HA", out _));
        Assert.Equal("HAwer", Read("f"));
        Assert.Equal(2u, Status("f").Links);
        Assert.Equal(Errno.None, _calls.Unlink("f"));
        Assert.Equal(1u, Status("hard").Links);
    }

    [Fact]
    public void A_removed_name_stays_removed_and_can_be_made_again_as_something_else()
    {
        Assert.Equal(Errno.None, _calls.Unlink("d/e/g"));
        Assert.Equal(Errno.ENOENT, _calls.Open("d/e/g", 0, 0, "", out _));
        Assert.Equal(Errno.None, _calls.RemoveDirectory("d/e"));
        Assert.Equal(Errno.None, _calls.MakeDirectory("d/e", 0x1ED));
        _calls.List("d/e", out string names);
        // The new directory is opaque: nothing of the lower one shows through.
        Assert.Equal("..:4 .:4", names);
    }

    [Fact]
    public void A_lower_directory_moves_with_all_that_is_in_it()
    {
        Assert.Equal(Errno.None, _calls.Rename("d", "moved", 0));
        Assert.Equal("deep", Read("moved/e/g"));
        Assert.Equal(Errno.ENOENT, _calls.Status("d", false, out _));
        Assert.Equal(Errno.None, _calls.MakeDirectory("d", 0x1ED));
        Assert.Equal(Errno.ENOENT, _calls.Status("d/e", false, out _));
        _calls.List(".", out string names);
        Assert.Equal("..:4 .:4 d:4 f:8 hard:8 moved:4", names);
    }

    [Fact]
    public void A_file_past_the_memory_limit_is_refused_and_nothing_leaks()
    {
        ulong before = _accountant.Used;
        Assert.Equal(Errno.None, _calls.Open("big", CreateReadWrite, 0x1A4, "x", out _));
        Assert.Equal(Errno.ENOSPC, _calls.Truncate("big", 2 << 20));
        Assert.Equal(Errno.None, _calls.Unlink("big"));
        Assert.Equal(before, _accountant.Used);
    }

    [Fact]
    public void Names_count_too()
    {
        int made = 0;
        while (_calls.MakeDirectory($"n{made}", 0x1ED) == Errno.None)
            made++;
        Assert.InRange(made, 100, 2000);
        Assert.Equal(Errno.ENOSPC, _calls.Link("f", "another", follow: false));
        Assert.Equal(Errno.None, _calls.RemoveDirectory("n7"));
        Assert.Equal(Errno.None, _calls.Rename("n8", "n7", 0));
    }

    [Fact]
    public void An_unlinked_open_file_keeps_its_bytes_until_the_last_close()
    {
        FileCaller caller = new(new FileContext(_vfs.Root, _vfs.Root), FileCredentials.Root);
        Assert.Equal(Errno.None, _vfs.Open(caller, _vfs.Root, "new"u8, OpenFlags.ReadWrite | OpenFlags.Create, 0x1A4, WalkFlags.None, out OpenFile? file));
        file!.Write("bytes"u8);
        Assert.Equal(Errno.None, _calls.Unlink("new"));
        Span<byte> buffer = stackalloc byte[8];
        Assert.Equal(5, file.ReadAt(0, buffer).Count);
        Assert.NotEqual(0UL, _accountant.Used);
        file.Release();
        Assert.Equal(0UL, _accountant.Used);
    }

    [Fact]
    public void Links_of_the_host_do_not_lead_out_of_the_tree()
    {
        File.CreateSymbolicLink(Path.Combine(_lower, "out"), "/etc");
        Assert.Equal(Errno.ENOENT, _calls.Status("out/passwd", true, out _));
        Assert.Equal(Errno.None, _calls.ReadLink("out", out string target));
        Assert.Equal("/etc", target);
    }
}
