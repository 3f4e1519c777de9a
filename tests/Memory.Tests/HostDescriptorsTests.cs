using Vivarium.Emulator.Memory.Host;
using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

public sealed class HostDescriptorsTests
{
    [Fact]
    public void AFileIsReadToItsEnd()
    {
        string file = Path.GetTempFileName();
        foreach (int length in (int[])[0, 1, 8191, 8192, 8193, 100_000])
        {
            byte[] content = new byte[length];
            new Random(length).NextBytes(content);
            File.WriteAllBytes(file, content);
            Assert.Equal(content, HostDescriptors.TryReadAll(file));
        }
        File.Delete(file);
        Assert.Null(HostDescriptors.TryReadAll(file));
        Assert.Null(HostDescriptors.TryReadAll(Path.GetTempPath()));
        // Its status says that it is empty.
        Assert.Equal(File.ReadAllBytes("/proc/self/cmdline"), HostDescriptors.TryReadAll("/proc/self/cmdline"));
    }
}
