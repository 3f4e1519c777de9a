using Vivarium.Actors.Execution;
using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary><c>--os</c> and <c>--arch</c>, and what is said of programs that are for nothing that can be run.</summary>
public sealed class PlatformTests : IDisposable
{
    private const int OsAbi = 7, DataEncoding = 5, Machine = 18;

    private readonly string _folder = Directory.CreateTempSubdirectory("viv-platform-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(OsAbi, 12, "a program for openbsd, which is not supported")]
    [InlineData(OsAbi, 6, "a program for solaris, which is not supported")]
    [InlineData(OsAbi, 77, "a program for the system with ELF's number 77, which is not supported")]
    [InlineData(DataEncoding, 2, "a big-endian ELF program, which is not supported")]
    [InlineData(Machine, 22, "an ELF program for machine 22, not x86-64")]
    public void A_program_for_something_else_is_one_line(int place, byte value, string why)
    {
        string program = Marked((place, value));
        Outcome outcome = Viv.Run("run", "--", program);
        Assert.Equal(126, outcome.ExitCode);
        Assert.StartsWith($"viv: cannot run {program}: {why}", outcome.Error);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void A_program_whose_system_has_no_linker_here_is_one_line()
    {
        string program = Marked((OsAbi, 9));
        byte[] bytes = File.ReadAllBytes(program);
        int name = bytes.AsSpan().IndexOf("/lib64/ld-linux"u8);
        "/libexec/ld-elf.so.1\0"u8.CopyTo(bytes.AsSpan(name));
        File.WriteAllBytes(program, bytes);
        Outcome outcome = Viv.Run("run", "--", program);
        Assert.Equal((126, $"viv: cannot run {program}: its interpreter /libexec/ld-elf.so.1 is missing\n"), (outcome.ExitCode, outcome.Error));
    }

    [Fact]
    public void The_system_asked_for_goes_before_the_programs_mark()
    {
        Outcome outcome = Viv.Run("run", "--os", "linux", "--", Marked((OsAbi, 12)), "hello");
        Assert.Equal((0, "hello\n", ""), (outcome.ExitCode, outcome.Text, outcome.Error));
    }

    [Theory]
    [InlineData("amd64")]
    [InlineData("x86_64")]
    [InlineData("x64")]
    public void A_processor_has_several_names(string name)
    {
        Outcome outcome = Viv.Run("run", "--arch", name, "--", "/bin/echo", "hello");
        Assert.Equal((0, "hello\n"), (outcome.ExitCode, outcome.Text));
    }

    [Fact]
    public void A_program_for_another_processor_than_asked_for_does_not_run()
    {
        Outcome outcome = Viv.Run("run", "--os", "linux", "--arch", "riscv64", "--", "/bin/echo", "hello");
        Assert.Equal((126, "viv: cannot run /bin/echo: an ELF program for x86-64, not RISC-V as asked for\n"), (outcome.ExitCode, outcome.Error));
    }

    [Theory]
    [InlineData("plan9", "--os", "plan9")]
    [InlineData("freebsd/vax", "--os", "freebsd", "--arch", "vax")]
    public void What_nothing_runs_is_told_with_what_there_is(string wanted, params string[] options)
    {
        Outcome outcome = Viv.Run(["run", .. options, "--", "/bin/true"]);
        Assert.Equal(125, outcome.ExitCode);
        Assert.Equal($"viv: cannot run programs for {wanted} (there are: {string.Join(", ", EmulatedPlatforms.All)})\n", outcome.Error);
    }

    [Fact]
    public void Benchmarks_for_a_processor_are_those_that_there_are_programs_for()
    {
        Outcome outcome = Viv.Run("bench", "--arch", "vax");
        Assert.Equal(125, outcome.ExitCode);
        Assert.StartsWith("viv: cannot run programs for linux/vax (there are: ", outcome.Error);
        Assert.StartsWith("viv: no suite start (there are: cpu, micro)", Viv.Run("bench", "--arch", "riscv64", "start").Error);
    }

    /// <summary>/bin/echo with some bytes of its ELF header changed.</summary>
    private string Marked(params (int Place, byte Value)[] changes)
    {
        byte[] bytes = File.ReadAllBytes("/bin/echo");
        foreach ((int place, byte value) in changes)
            bytes[place] = value;
        string path = Path.Combine(_folder, "program");
        File.WriteAllBytes(path, bytes);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
