using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Proc;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>The world's own name in /etc/hosts: it is there whenever a program looks, by whatever way.</summary>
public sealed class HostNameTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("viv-hosts-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private void WriteHosts(string text)
    {
        Directory.CreateDirectory(Path.Combine(_root, "etc"));
        File.WriteAllText(Path.Combine(_root, "etc", "hosts"), text);
    }

    private static FileCaller CallerIn(CallMachine machine) => new(machine.Thread.Process.FileContext, FileCredentials.Root);

    private static string Content(Inode file)
    {
        Assert.Equal(Errno.None, file.AcquireContent(forWriting: false));
        byte[] bytes = new byte[file.Status.Size];
        Assert.Equal(bytes.Length, file.ReadAt(0, bytes).Count);
        file.ReleaseContent();
        return Encoding.Latin1.GetString(bytes);
    }

    [Fact]
    public void The_name_is_behind_what_the_tree_has()
    {
        WriteHosts("10.1.2.3\tother\n");
        using var machine = new CallMachine(_root);
        Vfs vfs = machine.Thread.Process.World.Vfs!;
        Assert.Equal(Errno.None, vfs.Resolve(CallerIn(machine), vfs.Root, "/etc/hosts"u8, WalkFlags.None, out PathEntry? found));
        Assert.Equal($"10.1.2.3\tother\n127.0.1.1\t{new SystemInfo().HostName}\n", Content(found!.Inode));
        Assert.Equal("10.1.2.3\tother\n", File.ReadAllText(Path.Combine(_root, "etc", "hosts")));
    }

    [Fact]
    public void A_directory_that_was_renamed_first_has_it_too()
    {
        WriteHosts("");
        using var machine = new CallMachine(_root);
        Vfs vfs = machine.Thread.Process.World.Vfs!;
        FileCaller caller = CallerIn(machine);
        Assert.Equal(Errno.None, vfs.Rename(caller, vfs.Root, "/etc"u8, vfs.Root, "/moved"u8, default));
        Assert.Equal(Errno.None, vfs.Resolve(caller, vfs.Root, "/moved/hosts"u8, WalkFlags.None, out PathEntry? found));
        Assert.Contains(new SystemInfo().HostName, Content(found!.Inode), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_removed_stays_removed()
    {
        WriteHosts("10.1.2.3\tother\n");
        using var machine = new CallMachine(_root);
        Vfs vfs = machine.Thread.Process.World.Vfs!;
        FileCaller caller = CallerIn(machine);
        Assert.Equal(Errno.None, vfs.Unlink(caller, vfs.Root, "/etc/hosts"u8));
        Assert.Equal(Errno.ENOENT, vfs.Resolve(caller, vfs.Root, "/etc/hosts"u8, WalkFlags.None, out _));
    }

    [Fact]
    public void A_tree_without_the_directory_stays_without()
    {
        using var machine = new CallMachine(_root);
        Vfs vfs = machine.Thread.Process.World.Vfs!;
        Assert.Equal(Errno.ENOENT, vfs.Resolve(CallerIn(machine), vfs.Root, "/etc"u8, WalkFlags.None, out _));
    }
}
