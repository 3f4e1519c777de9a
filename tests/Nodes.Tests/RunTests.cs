using System.Diagnostics;
using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary><c>viv run</c> from outside: streams, exit codes, signals, limits.</summary>
public sealed class RunTests
{
    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 42", 42)]
    [InlineData("exit 255", 255)]
    [InlineData("kill -9 $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    public void The_exit_code_is_the_guests(string script, int code)
    {
        Outcome outcome = Viv.Run("run", "--", "/bin/sh", "-c", script);
        Assert.Equal(code, outcome.ExitCode);
        Assert.Empty(outcome.Output);
        Assert.Empty(outcome.Error);
    }

    [Fact]
    public void Streams_are_kept_apart()
    {
        Outcome outcome = Viv.Run("run", "--", "/bin/sh", "-c", "echo out; echo err >&2");
        Assert.Equal("out\n", outcome.Text);
        Assert.Equal("err\n", outcome.Error);
    }

    [Fact]
    public void Bytes_pass_through_unchanged()
    {
        byte[] bytes = new byte[300_000];
        new Random(1).NextBytes(bytes);
        Outcome outcome = Viv.Run(bytes, "run", "--", "cat");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(bytes, outcome.Output);
    }

    [Fact]
    public void A_guest_takes_no_more_input_than_it_reads()
    {
        // The shell outside reads what the guest left.
        string script = $"printf 'one\\ntwo\\n' | {{ '{Viv.Root}/viv' run -- /bin/sh -c 'read line; echo \"guest $line\"'; cat; }}";
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Viv.Root,
        })!;
        Assert.Equal("guest one\ntwo\n", Viv.Finish(shell, []).Text);
    }

    [Fact]
    public void A_reader_that_goes_away_is_a_broken_pipe()
    {
        string script = $"{{ '{Viv.Root}/viv' run -- yes; echo $? >&2; }} | head -n 1";
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Viv.Root,
        })!;
        Outcome outcome = Viv.Finish(shell, []);
        Assert.Equal("y\n", outcome.Text);
        Assert.Equal("141\n", outcome.Error);
    }

    [Fact]
    public void Arguments_need_not_be_text()
    {
        string script = $"'{Viv.Root}/viv' run -- /bin/sh -c 'printf %s \"$1\"' x \"$(printf 'a\\377b')\"";
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Viv.Root,
        })!;
        Assert.Equal([(byte)'a', 0xFF, (byte)'b'], Viv.Finish(shell, []).Output);
    }

    [Fact]
    public void A_missing_program_is_127()
    {
        Outcome outcome = Viv.Run("run", "--", "/no/such/program");
        Assert.Equal(127, outcome.ExitCode);
        Assert.StartsWith("viv: ", outcome.Error);
        Assert.Equal(1, outcome.Error.Count(c => c == '\n'));
        Assert.Equal(127, Viv.Run("run", "no-such-name-in-the-path").ExitCode);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("/tmp")]
    public void What_cannot_be_executed_is_126(string path)
    {
        Outcome outcome = Viv.Run("run", "--", path);
        Assert.Equal(126, outcome.ExitCode);
        Assert.StartsWith("viv: ", outcome.Error);
        Assert.Equal(1, outcome.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("INT", "interrupted\n", 7)]
    [InlineData("TERM", "terminated\n", 8)]
    public void Signals_reach_the_guest(string signal, string expected, int code)
    {
        using Process process = Viv.Start("run", "--", "/bin/sh", "-c",
            "trap 'echo interrupted; exit 7' INT; trap 'echo terminated; exit 8' TERM; echo ready; while :; do sleep 0.05; done");
        Assert.Equal("ready", process.StandardOutput.ReadLine());
        Process.Start("/bin/kill", [$"-{signal}", $"{process.Id}"]).WaitForExit();
        Outcome outcome = Viv.Finish(process, []);
        Assert.Equal(expected, outcome.Text);
        Assert.Equal(code, outcome.ExitCode);
    }

    [Fact]
    public void A_guest_without_a_handler_dies_of_Ctrl_C()
    {
        using Process process = Viv.Start("run", "--", "/bin/sh", "-c", "echo ready; exec sleep 100");
        Assert.Equal("ready", process.StandardOutput.ReadLine());
        Process.Start("/bin/kill", ["-INT", $"{process.Id}"]).WaitForExit();
        Assert.Equal(130, Viv.Finish(process, []).ExitCode);
    }

    [Theory]
    [InlineData("sleep 10000")]
    [InlineData("while :; do :; done")]
    public void A_timeout_is_124(string script)
    {
        Outcome outcome = Viv.Run("run", "--timeout", "500ms", "--", "/bin/sh", "-c", script);
        Assert.Equal(124, outcome.ExitCode);
        Assert.StartsWith("viv: stopped after 0.5 s", outcome.Error);
    }

    [Fact]
    public void The_environment_is_passed_on_changed_and_clean()
    {
        Outcome outcome = Viv.Run("run", "--env", "NEW=1 2", "--env", "HOME=/x", "--", "env");
        string[] lines = outcome.Text.TrimEnd('\n').Split('\n');
        Assert.Contains("NEW=1 2", lines);
        Assert.Contains("HOME=/x", lines);
        Assert.Contains("PATH=" + Environment.GetEnvironmentVariable("PATH"), lines);
        // Nothing of ours, beyond what the test's own runner has set.
        Assert.DoesNotContain(lines, line => line.StartsWith("DOTNET_", StringComparison.Ordinal)
            && Environment.GetEnvironmentVariable(line.Split('=')[0]) is null);
    }

    [Fact]
    public void The_working_directory_is_the_present_one_or_the_one_asked_for()
    {
        Assert.Equal(Viv.Root + "\n", Viv.Run("run", "--", "/bin/sh", "-c", "pwd -P").Text);
        Assert.Equal("/usr\n", Viv.Run("run", "--cwd", "/usr", "--", "/bin/sh", "-c", "pwd -P").Text);
        Outcome outcome = Viv.Run("run", "--cwd", "/no/such", "--", "/bin/sh", "-c", "pwd -P");
        Assert.Equal(125, outcome.ExitCode);
        Assert.Contains("/no/such", outcome.Error);
    }

    [Fact]
    public void Writes_stay_in_the_world_unless_bound()
    {
        DirectoryInfo scratch = Directory.CreateTempSubdirectory("viv");
        try
        {
            string file = Path.Combine(scratch.FullName, "f");
            Outcome outcome = Viv.Run("run", "--", "/bin/sh", "-c", $"echo lost > {file}; cat {file}");
            Assert.Equal("lost\n", outcome.Text);
            Assert.False(File.Exists(file));

            outcome = Viv.Run("run", "--bind", $"{scratch.FullName}:/shared:rw", "--", "/bin/sh", "-c", "echo kept > /shared/f");
            Assert.Equal("", outcome.Error);
            Assert.Equal("kept\n", File.ReadAllText(file));

            outcome = Viv.Run("run", "--bind", $"{scratch.FullName}:/shared", "--", "/bin/sh", "-c", "cat /shared/f; echo no > /shared/f");
            Assert.Equal("kept\n", outcome.Text);
            Assert.Equal("kept\n", File.ReadAllText(file));
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_user_is_the_one_asked_for() =>
        Assert.Equal("1234 567\n", Viv.Run("run", "--user", "1234:567", "--", "/bin/sh", "-c", "echo $(id -u) $(id -g)").Text);

    [Fact]
    public void Past_its_memory_limit_a_guest_gets_ENOMEM()
    {
        Outcome outcome = Viv.Run("run", "--memory", "64M", "--", "/bin/sh", "-c", "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c; echo \"after $?\"");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("memory", outcome.Error);
        Assert.EndsWith("after 0\n", outcome.Text);
    }

    [Fact]
    public void Calls_are_listed_in_a_file()
    {
        string file = Path.GetTempFileName();
        try
        {
            Outcome outcome = Viv.Run("run", $"--strace={file}", "--", "/bin/sh", "-c", "echo hello");
            Assert.Equal("hello\n", outcome.Text);
            Assert.Empty(outcome.Error);
            string listing = File.ReadAllText(file);
            Assert.Contains("execve(\"/bin/sh\"", listing);
            Assert.Matches(@"(?m)^write\(1, ""hello\\n"", 6\) += 6 <\d+\.\d{6}>$", listing);
            Assert.Matches(@"(?m)^exit_group\(0\) += \?$", listing);
            Assert.EndsWith("+++ exited with 0 +++\n", listing);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void The_summary_counts_calls()
    {
        Outcome outcome = Viv.Run("run", "--strace-summary", "--", "/bin/sh", "-c", "echo hello");
        Assert.Equal("hello\n", outcome.Text);
        Assert.StartsWith("% time", outcome.Error);
        Assert.Matches(@"\s1\s+write\n", outcome.Error);
    }

    [Fact]
    public void Statistics_follow_the_guests_output()
    {
        Outcome outcome = Viv.Run("run", "--stats", "--", "/bin/sh", "-c", "echo hello");
        Assert.Equal("hello\n", outcome.Text);
        Assert.Matches(@"^instructions +[1-9]", outcome.Error);
        Assert.Matches(@"(?m)^  write +1$", outcome.Error);
        Assert.Contains("peak memory", outcome.Error);
        Assert.Contains("not implemented", outcome.Error);
    }

    [Fact]
    public void A_broken_file_is_one_clear_line()
    {
        string file = Path.GetTempFileName();
        try
        {
            byte[] program = File.ReadAllBytes("/bin/true");
            File.WriteAllBytes(file, program.AsSpan(0, 100));
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            Outcome outcome = Viv.Run("run", "--", file);
            Assert.Equal(126, outcome.ExitCode);
            Assert.StartsWith("viv: ", outcome.Error);
            Assert.Equal(1, outcome.Error.Count(c => c == '\n'));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void An_unsupported_instruction_is_named()
    {
        // vaddps %ymm0,%ymm1,%ymm0: AVX, which the guest's CPUID does not offer.
        DirectoryInfo scratch = Directory.CreateTempSubdirectory("viv");
        try
        {
            string source = Path.Combine(scratch.FullName, "avx.c"), program = Path.Combine(scratch.FullName, "avx");
            File.WriteAllText(source, "int main(void) { __asm__ volatile(\".byte 0xc5,0xf4,0x58,0xc0\"); return 0; }");
            using Process compiler = Process.Start("gcc", ["-o", program, source]);
            compiler.WaitForExit();
            Outcome outcome = Viv.Run("run", "--", program);
            Assert.Equal(132, outcome.ExitCode);
            Assert.Matches(@"^viv: unsupported instruction: vaddps at 0x[0-9a-f]+ \(bytes c5 f4 58 c0\)\n$", outcome.Error);
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_day_of_virtual_sleep_takes_no_time()
    {
        // It would not wait for that long.
        Outcome outcome = Viv.Run("run", "--clock", "virtual", "--seed", "1", "--", "/bin/sh", "-c", "sleep 86400; echo awake");
        Assert.Equal("awake\n", outcome.Text);
    }
}
