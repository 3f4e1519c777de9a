using Xunit;

namespace Vivarium.Conformance;

/// <summary>
/// Programs of tests/Guests/freebsd: what FreeBSD's and NetBSD's manual pages say of calls that no host here has. Each is silent about what is as
/// expected and ends with "as the manual says".
/// </summary>
[Collection(Lanes.RealTime)]
public sealed class FreeBsdTests
{
    [Theory]
    [InlineData("kqueue")]
    [InlineData("descriptors")]
    [InlineData("umtx")]
    [InlineData("semaphores")]
    [InlineData("routing")]
    [InlineData("mounts")]
    [InlineData("netbsd-kqueue")]
    [InlineData("netbsd-threads")]
    [InlineData("netbsd-semaphores")]
    [InlineData("netbsd-routing")]
    [InlineData("netbsd-mounts")]
    public Task IsAsTheManualSays(string name) => Check(name, "");

    /// <summary>What depends on registers and instructions, on both processors.</summary>
    [Theory]
    [InlineData("tracing", "")]
    [InlineData("tracing", "arm64")]
    [InlineData("netbsd-tracing", "")]
    [InlineData("netbsd-tracing", "arm64")]
    public Task TracesAsTheManualSays(string name, string architecture) => Check(name, architecture);

    private static async Task Check(string name, string architecture)
    {
        using var scratch = new Scratch(new ConformanceCase());
        // They pause until others wait: on the virtual clock nobody wakes before all the others have come as far as they come.
        Outcome outcome = await scratch.Run(Repository.Viv, "run", "--clock", "virtual", "--seed", "1", "--", Repository.FreeBsdGuest(name, architecture));
        Assert.Equal(new Outcome("as the manual says\n"u8.ToArray(), [], 0).ToString(), outcome.ToString());
    }

    /// <summary>Go's own readers of routing messages (package syscall, package net) find devices, addresses, groups and routes, and what changes them.</summary>
    [Theory]
    [InlineData("freebsd", "", 0x100805, "[224.0.0.1 ff01::1 ff02::1 ff02::1:ff00:1]")]
    [InlineData("freebsd", "arm64", 0x100805, "[224.0.0.1 ff01::1 ff02::1 ff02::1:ff00:1]")]
    [InlineData("netbsd", "", 0x40005, "[]")]
    [InlineData("netbsd", "arm64", 0x40005, "[]")]
    public async Task GoReadsTheRoutingTable(string system, string architecture, int ownFlags, string groups)
    {
        const int done = 0x40;
        (string own, string told) = ($"{ownFlags:x}", $"{ownFlags | done:x}");
        using var scratch = new Scratch(new ConformanceCase());
        Outcome outcome = await scratch.Run(Repository.Viv, "run", "--", Repository.GoGuest("routes", system, architecture));
        string expected = $"""
            1 lo 65536 up|loopback [127.0.0.1/8 ::1/128] <nil> {groups} <nil>
            type 4 flags 0x{own} device 1 sequence 0 error errno 0: 0=127.0.0.1 1=link#1 4=link#1 5=127.0.0.1
            type 4 flags 0x{own} device 1 sequence 0 error errno 0: 0=::1 1=link#1 4=link#1 5=::1
            asked <nil>
            type 4 flags 0x{told} device 1 sequence 4 error errno 0: 0=127.0.0.1 1=link#1
            asked no such process
            type 4 flags 0x5 device 0 sequence 5 error no such process: 0=203.0.113.1
            asked <nil>
            type 1 flags 0x843 device 0 sequence 6 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            asked file exists
            type 1 flags 0x801 device 0 sequence 7 error file exists: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            asked file exists
            type 1 flags 0x801 device 0 sequence 8 error file exists: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            type 4 flags 0x{own} device 1 sequence 0 error errno 0: 0=127.0.0.1 1=link#1 4=link#1 5=127.0.0.1
            type 4 flags 0x803 device 1 sequence 0 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0 4=link#1 5=127.0.0.1
            type 4 flags 0x{own} device 1 sequence 0 error errno 0: 0=::1 1=link#1 4=link#1 5=::1
            asked <nil>
            type 4 flags 0x843 device 1 sequence 9 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            asked <nil>
            type 2 flags 0x843 device 1 sequence 10 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            asked no such process
            type 2 flags 0x1 device 0 sequence 11 error no such process: 0=203.0.0.0 2=255.255.128.0
            heard type 4 flags 0x{told} device 1 sequence 4 error errno 0: 0=127.0.0.1 1=link#1
            heard type 4 flags 0x5 device 0 sequence 5 error no such process: 0=203.0.113.1
            heard type 1 flags 0x843 device 0 sequence 6 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            heard type 1 flags 0x801 device 0 sequence 7 error file exists: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            heard type 1 flags 0x801 device 0 sequence 8 error file exists: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            heard type 4 flags 0x843 device 1 sequence 9 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            heard type 2 flags 0x843 device 1 sequence 10 error errno 0: 0=203.0.0.0 1=127.0.0.1 2=255.255.128.0
            heard type 2 flags 0x1 device 0 sequence 11 error no such process: 0=203.0.0.0 2=255.255.128.0

            """;
        Assert.Equal(new Outcome(System.Text.Encoding.ASCII.GetBytes(expected), [], 0).ToString(), outcome.ToString());
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
