using System.Reflection;

namespace Vivarium.Nodes.Commands;

/// <summary>What <c>viv --help</c> and its kin say.</summary>
internal static class HelpText
{
    private const string Main =
        """
        Vivarium runs unmodified Linux programs in emulated processes and shows every system call they make.

        usage: viv run [OPTIONS] [--] PROGRAM [ARG...]   run a program
               viv trace FILE|JOB                        tell what a run did and where its time went
               viv bench [--quick]                       compare with native and qemu-user

               viv node [OPTIONS]                        run a node, which takes jobs over HTTP
               viv submit [OPTIONS] [--] PROGRAM ...     submit a job to it, or many
               viv ps | top                              its jobs; nodes and jobs as they work
               viv logs | wait | cancel | signal | inspect JOB
               viv test [OPTIONS] SUITE                  run a suite of cases, here or on a cluster
               viv image push|ls|rm                      file trees for guests
               viv drain NODE                            let a node end its work and leave
               viv --help | --version                    also: viv COMMAND --help

        examples:
          viv run -- /bin/sh -c 'uname -a; ls -l / | head'
          viv run --strace -- cat /etc/hostname
          viv run --clock virtual --seed 7 -- sleep 3600

        """;

    private const string RunStart =
        """
        usage: viv run [OPTIONS] [--] PROGRAM [ARG...]

        Runs PROGRAM in a world of its own. It sees this machine's files and may write anywhere: what it writes
        stays in memory and is gone with it. Standard input, output and error pass through.

        """;

    private const string RunEnd =
        """

        Exit code: the program's own; 128+N when signal N killed it; 124 after --timeout; 126 when the program
        cannot be executed; 127 when there is no such program; 125 when Vivarium itself failed.

        examples:
          viv run -- python3 -c 'print(2**100)'
          viv run --rootfs alpine.tar.gz --user 1000 -- /bin/sh
          viv run --bind "$PWD:/src:rw" --cwd /src -- make
          viv run --strace=calls.txt --strace-summary -- find /etc -name '*.conf'
          viv run --memory 256M --timeout 10s -- ./untrusted

        """;

    public static int ShowMain()
    {
        Console.Out.Write(Main);
        return 0;
    }

    public static int ShowVersion()
    {
        Console.Out.WriteLine($"viv {Version}");
        return 0;
    }

    public static string Version => typeof(HelpText).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static int ShowRun(OptionTable options) => Show(RunStart, options, RunEnd);

    /// <summary>Shows a command's help: what it is, its options, and what is behind them.</summary>
    public static int Show(string start, OptionTable options, string end = "")
    {
        using var output = new StringWriter();
        output.Write(start);
        options.WriteHelp(output);
        output.Write(end);
        Console.Out.Write(output.ToString());
        return 0;
    }
}
