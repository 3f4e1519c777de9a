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

    /// <summary>The numbers of a filter are Linux's calls: under one, no program of another system can be executed.</summary>
    [Fact]
    public async Task NoFilterIsLeftBehindByAnotherSystemsProgram()
    {
        using var scratch = new Scratch(new ConformanceCase());
        Outcome outcome = await scratch.Run(Repository.Viv, "run", "--", Repository.Guest("screened"), Repository.FreeBsdGuest("descriptors"));
        string told = "as the manual says\nprctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) = 0\nprctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) = 0\n"
            + "execv(arguments[1], arguments + 1) = -1 EACCES\n";
        Assert.Equal(new Outcome(System.Text.Encoding.ASCII.GetBytes(told), [], 0).ToString(), outcome.ToString());
    }
}
