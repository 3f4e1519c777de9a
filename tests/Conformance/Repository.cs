using System.Diagnostics;

namespace Vivarium.Conformance;

/// <summary>Where the checkout is, and the guest programs built from its sources.</summary>
internal static class Repository
{
    private static readonly Lock BuildLock = new();

    public static string Root { get; } = FindRoot();

    public static string Viv => Path.Combine(Root, "viv");

    /// <summary>The statically linked program of <c>tests/Guests/NAME.c</c>, built when it is absent or older than its source.</summary>
    public static string Guest(string name, bool isStatic = true)
    {
        string sources = Path.Combine(Root, "tests", "Guests");
        string source = Path.Combine(sources, name + ".c");
        string program = Path.Combine(Root, ".cache", "guests", isStatic ? name : name + ".dynamic");
        lock (BuildLock)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(program)!);
            DateTime newest = File.GetLastWriteTimeUtc(source);
            DateTime header = File.GetLastWriteTimeUtc(Path.Combine(sources, "check.h"));
            if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < (header > newest ? header : newest))
                Compile(source, program, isStatic);
        }
        return program;
    }

    private static void Compile(string source, string program, bool isStatic)
    {
        string[] mode = isStatic ? ["-static"] : [];
        string[] arguments = ["-O2", "-w", .. mode, "-pthread", "-o", program, source, "-lm", "-lutil"];
        using Process compiler = Process.Start(new ProcessStartInfo("gcc", arguments) { RedirectStandardError = true })!;
        string messages = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        if (compiler.ExitCode != 0)
            throw new InvalidOperationException($"gcc {source}: {messages}");
    }

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Vivarium.slnx")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("not inside a checkout");
    }
}
