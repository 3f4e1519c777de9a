using Xunit;

namespace Vivarium.Conformance;

/// <summary>
/// Programs of tests/Guests/freebsd: what FreeBSD's and NetBSD's manual pages say of calls that no host here has. Each is silent about what is as
/// expected and ends with "as the manual says".
/// </summary>
public sealed class FreeBsdTests
{
    [Theory]
    [InlineData("kqueue")]
    [InlineData("descriptors")]
    [InlineData("umtx")]
    [InlineData("netbsd-kqueue")]
    [InlineData("netbsd-threads")]
    public async Task IsAsTheManualSays(string name)
    {
        using var scratch = new Scratch(new ConformanceCase());
        Outcome outcome = await scratch.Run(Repository.Viv, "run", "--", Repository.FreeBsdGuest(name));
        Assert.Equal(new Outcome("as the manual says\n"u8.ToArray(), [], 0).ToString(), outcome.ToString());
    }
}
