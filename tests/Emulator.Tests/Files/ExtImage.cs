using System.Diagnostics;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Kernel.Files.Ext;
using Vivarium.Emulator.Kernel.Files.HostTrees;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>A volume in a file of the host, made and checked by the host's e2fsprogs.</summary>
internal sealed class ExtImage : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly string _path;
    private readonly List<HostFileSystem> _opened = [];

    public ExtImage(string path, string arguments, int megabytes = 16)
    {
        _path = path;
        using (FileStream file = File.Create(path))
            file.SetLength(megabytes * 1024L * 1024);
        Assert.True(Run("/usr/sbin/mke2fs", $"-q -F {arguments} {path}", out string told), told);
    }

    public string Path => _path;

    public MemoryAccountant Accountant { get; } = new(1UL << 30);

    public List<string> Log { get; } = [];

    /// <summary>Whoever runs may have reserved blocks.</summary>
    public bool MayUseReserved { get; set; } = true;

    public Errno Mount(string type, out ExtFileSystem? made, bool isReadOnly = false)
    {
        HostFileSystem opened = HostFileSystem.Open(_clock, _path, readOnly: false, out _)!;
        Inode inode = opened.Root;
        Assert.Equal(Errno.None, inode.AcquireContent(forWriting: true));
        _opened.Add(opened);
        var device = new LoopDevice(0);
        Assert.Equal(Errno.None, device.Bind(new RegularFile(inode, null!, OpenFlags.ReadWrite), LoopDevice.SectorSize, isReadOnly: false));
        byte seed = 0;
        var parts = new ExtParts(_clock, bytes => bytes.Fill(++seed), Accountant, () => new AnonymousObject(Accountant), () => MayUseReserved);
        return ExtMount.Make(parts, device, type, new FileSystemRequest(null!, "", []) { IsReadOnly = isReadOnly }, Log.Add, out made);
    }

    public ExtFileSystem Mount(string type = "ext4")
    {
        Errno error = Mount(type, out ExtFileSystem? made);
        Assert.True(error == Errno.None, $"{error}: {string.Join('\n', Log)}");
        return made!;
    }

    /// <summary>Closes the file, as often as it was mounted.</summary>
    public void Dispose()
    {
        foreach (HostFileSystem opened in _opened)
        {
            opened.Root.ReleaseContent();
            opened.Release();
        }
        _opened.Clear();
    }

    /// <summary>e2fsck finds nothing to mend.</summary>
    public void Check(string because = "") => Assert.True(Run("/usr/sbin/e2fsck", $"-fn {_path}", out string told), because + told);

    public string Debug(string command)
    {
        Run("/usr/sbin/debugfs", $"-R \"{command}\" {_path}", out string told);
        return told;
    }

    /// <summary>Lets debugfs write, by commands one after the other.</summary>
    public void Change(params string[] commands)
    {
        string script = _path + ".commands";
        File.WriteAllLines(script, commands);
        Assert.True(Run("/usr/sbin/debugfs", $"-w -f {script} {_path}", out string told), told);
    }

    /// <summary>The bytes of a file as debugfs sees them.</summary>
    public byte[] Dump(string name)
    {
        string copy = _path + ".dump";
        Run("/usr/sbin/debugfs", $"-R \"dump {name} {copy}\" {_path}", out _);
        return File.ReadAllBytes(copy);
    }

    private static bool Run(string program, string arguments, out string told)
    {
        using var process = System.Diagnostics.Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        told = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
