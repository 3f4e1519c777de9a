using System.Text;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>
/// A volume on a loop device and areas to swap to are for the superuser of a whole machine, so that tests leave the host's alone: <c>volumes.expected</c> is what
/// <c>volumes.sh</c> of tests/Guests said on Linux 6.18 (FS_IOC_FIEMAP, FIBMAP, swapon(2), /sys/block).
/// </summary>
[Collection(Lanes.VirtualTime)]
public sealed class VolumeTests
{
    [Fact]
    public async Task A_volume_on_a_loop_device_is_as_on_Linux()
    {
        using var scratch = new Scratch(new ConformanceCase());
        string guests = Path.Combine(Repository.Root, "tests", "Guests");
        Outcome outcome = await scratch.Run([.. Lanes.Viv, "run", "--user", "0:0", "--", "/bin/sh", Path.Combine(guests, "volumes.sh"), Repository.Guest("volumes")]);
        byte[] expected = await File.ReadAllBytesAsync(Path.Combine(guests, "volumes.expected"));
        Assert.Equal(new Outcome(expected, [], 0).ToString(), outcome.ToString());
        Assert.Equal(Encoding.ASCII.GetString(expected), Encoding.ASCII.GetString(outcome.Output));
    }
}
