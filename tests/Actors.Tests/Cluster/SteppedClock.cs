using System.Diagnostics;
using Xunit;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>The clock of the day as one process sees it, which a test can set (clock.c).</summary>
internal sealed class SteppedClock
{
    private readonly string _library;
    private readonly string _file;

    public SteppedClock(string folder, string name)
    {
        _library = Path.Combine(folder, "clock.so");
        _file = Path.Combine(folder, name + ".clock");
        if (!File.Exists(_library))
            Compile(_library);
        Step(TimeSpan.Zero);
    }

    public Dictionary<string, string> Environment => new() { ["LD_PRELOAD"] = _library, ["CLOCK_OFFSET"] = _file };

    /// <summary>Sets it so far from the machine's.</summary>
    public void Step(TimeSpan offset)
    {
        // Eight bytes in one write: the process that has mapped them sees the old or the new.
        using var file = new FileStream(_file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(BitConverter.GetBytes(offset.Ticks * 100));
    }

    private static void Compile(string library)
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Vivarium.slnx")))
            root = root.Parent;
        string source = Path.Combine(root!.FullName, "tests/Actors.Tests/Cluster/clock.c");
        using Process compiler = Process.Start("gcc", ["-O1", "-shared", "-fPIC", "-o", library, source]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
    }
}
