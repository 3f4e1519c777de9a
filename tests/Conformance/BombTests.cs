using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>A guest that takes all it can get (tests/Guests/bombs.c) meets the world's limits, and the machine does not notice.</summary>
[Collection(Lanes.VirtualTime)]
public sealed class BombTests
{
    /// <summary>MiB: the world's memory, and what the process may take in all with its own.</summary>
    private const int World = 128, Most = World + 512;

    [Theory]
    [InlineData("forks", "fork: ENOMEM after many\nagain 1\n")]
    [InlineData("threads", "pthread_create: EAGAIN after many\n")]
    [InlineData("files", "open: ENOSPC after many\nwrite: ENOSPC after some\nunlinked 0\n")]
    [InlineData("memory", "mmap: ENOMEM after some\n")]
    [InlineData("mappings", "mmap: ENOMEM after many\n")]
    [InlineData("reservations", "mmap: ENOMEM after some\n")]
    [InlineData("tables", "mmap: ENOMEM after few\n")]
    [InlineData("promises", "killed 9\n")]
    [InlineData("pipes", "pipe: ENFILE after some\n")]
    [InlineData("sockets", "socketpair: ENFILE after many\n")]
    [InlineData("watches", "inotify_add_watch: ENOSPC after many\ninotify_init: EMFILE after some\n")]
    [InlineData("networks", "SIOCADDRT: ENOBUFS after many\nTUNSETIFF: ENOBUFS after many\n")]
    [InlineData("deep", "depth 100000\ngetcwd(block, 4096) == NULL ? -1 : 0 = -1 ERANGE\nfile 1\nopen(\"loop\", O_RDONLY) = -1 ELOOP\nopen(\"l0\", O_RDONLY) = -1 ELOOP\nleft 0\n")]
    [InlineData("queues", "sigqueue: EAGAIN after many\nshmget: ENOMEM after some\nsemget: ENOSPC after many\nmsgget: ENOSPC after many\ntimer_create: EAGAIN after few\neventfd: ENFILE after many\n")]
    public void Ends_at_the_limits(string kind, string expected)
    {
        Assert.Equal((0, expected + "done\n"), Run(kind));
    }

    [Fact]
    public void Ends_with_all_its_children()
    {
        // It kills its whole group, itself too.
        Assert.Equal((143, "pipe: ENFILE after many\n"), Run("descriptors"));
    }

    private static (int Code, string Output) Run(string kind)
    {
        string[] words = ["run", "--memory", $"{World}M", "--cwd", "/tmp", "--", Repository.Guest("bombs"), kind];
        using Process viv = Process.Start(new ProcessStartInfo(Repository.Viv, words) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        viv.StandardInput.Close();
        Task<string> output = viv.StandardOutput.ReadToEndAsync();
        long peak = 0;
        var patience = Stopwatch.StartNew();
        while (!viv.WaitForExit(50))
        {
            peak = Math.Max(peak, PeakOf(viv.Id));
            if (peak > Most || patience.Elapsed > TimeSpan.FromMinutes(5))
            {
                viv.Kill();
                Assert.Fail($"{kind}: {peak} MiB, {patience.Elapsed.TotalSeconds:0} s");
            }
        }
        return (viv.ExitCode, output.Result);
    }

    /// <summary>The most that a process had in memory so far, MiB; 0 when it is gone.</summary>
    private static long PeakOf(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(static text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(6).Trim()[..^3], CultureInfo.InvariantCulture) / 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
