using System.Collections.Concurrent;
using System.Diagnostics;

namespace Vivarium.Conformance;

/// <summary>Where the checkout is, and the guest programs built from its sources.</summary>
internal static class Repository
{
    /// <summary>One for each program, so that two are built at once.</summary>
    private static readonly ConcurrentDictionary<string, Lock> BuildLocks = new();

    public static string Root { get; } = FindRoot();

    public static string Viv => Path.Combine(Root, "viv");

    /// <summary>The program of <c>tests/Guests/NAME.c</c>, static with glibc or musl or else dynamic, built when it is absent or older than its source.</summary>
    public static string Guest(string name, string library = "glibc", string architecture = "")
    {
        string sources = Path.Combine(Root, "tests", "Guests");
        string source = Path.Combine(sources, name + ".c");
        string program = Path.Combine(Root, ".cache", "guests", architecture, library == "glibc" ? name : $"{name}.{library}");
        lock (BuildLocks.GetOrAdd(program, static _ => new Lock()))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(program)!);
            DateTime newest = File.GetLastWriteTimeUtc(source);
            DateTime header = Directory.EnumerateFiles(sources, "*.h").Max(File.GetLastWriteTimeUtc);
            if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < (header > newest ? header : newest))
                Compile(source, program, library, architecture);
        }
        return program;
    }

    /// <summary>Where Debian's programs for an architecture are that ./test unpacked; nothing for the host's own.</summary>
    public static string Debian(string architecture) => architecture.Length == 0 ? "" : Path.Combine(Root, ".cache", "debian", architecture);

    /// <summary>The program of the package <c>tests/Guests/go/NAME</c> for a system (GOOS) and an architecture (GOARCH, or nothing for the host's); static, of the standard library alone. One name for all systems.</summary>
    public static string GoGuest(string name, string system = "linux", string architecture = "")
    {
        string sources = Path.Combine(Root, "tests", "Guests", "go");
        string folder = Path.Combine(Root, ".cache", "guests", system == "linux" ? "" : system, architecture);
        string program = Path.Combine(folder, "go-" + name);
        lock (BuildLocks.GetOrAdd(program, static _ => new Lock()))
        {
            Directory.CreateDirectory(folder);
            if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < File.GetLastWriteTimeUtc(Path.Combine(sources, name, "main.go")))
                Build(sources, "env", $"GOOS={system}", $"GOARCH={(architecture.Length == 0 ? "amd64" : architecture)}", "go", "build", "-trimpath", "-o", program, "./" + name);
        }
        return program;
    }

    /// <summary>The program of <c>tests/Guests/freebsd/NAME.c</c>, which needs no library: FreeBSD's are not to be had here.</summary>
    public static string FreeBsdGuest(string name, string architecture = "")
    {
        string sources = Path.Combine(Root, "tests", "Guests", "freebsd");
        string source = Path.Combine(sources, name + ".c");
        string program = Path.Combine(Root, ".cache", "guests", "freebsd", architecture.Length == 0 ? name : name + "-" + architecture);
        string compiler = architecture == "arm64" ? "aarch64-linux-gnu-gcc" : "gcc";
        lock (BuildLocks.GetOrAdd(program, static _ => new Lock()))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(program)!);
            DateTime newest = Directory.EnumerateFiles(sources).Max(File.GetLastWriteTimeUtc);
            if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < newest)
                Build(sources, compiler, "-O1", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-no-pie", "-fno-pie", "-Wl,--build-id=none", "-o", program, source);
        }
        return program;
    }

    /// <summary>The assembly of the project <c>tests/Guests/dotnet/NAME</c>.</summary>
    public static string DotnetGuest(string name)
    {
        string sources = Path.Combine(Root, "tests", "Guests", "dotnet", name);
        string output = Path.Combine(Root, ".cache", "guests", "dotnet-" + name);
        string program = Path.Combine(output, name + ".dll");
        lock (BuildLocks.GetOrAdd(program, static _ => new Lock()))
        {
            if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < File.GetLastWriteTimeUtc(Path.Combine(sources, "Program.cs")))
                Build(sources, "dotnet", "build", "-c", "Release", "-v", "quiet", "--nologo", "-o", output);
        }
        return program;
    }

    private static void Compile(string source, string program, string library, string architecture)
    {
        string machine = architecture == "arm64" ? "aarch64" : architecture;
        string compiler = machine.Length != 0 ? machine + "-linux-gnu-gcc" : library == "musl" ? "musl-gcc" : "gcc";
        string[] mode = library switch
        {
            "dynamic" => [],
            // The kernel's headers are glibc's neighbours.
            "musl" when machine.Length == 0 => ["-static", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"],
            "musl" => MuslOptions(machine, Path.Combine(Debian(architecture), "usr")),
            _ => ["-static"],
        };
        string[] libraries = library == "musl" ? ["-Wl,--start-group", "-lc", "-lgcc", "-Wl,--end-group"] : ["-lm", "-lutil"];
        Build(Root, compiler, ["-O2", "-w", "-pthread", .. mode, "-o", program, source, .. libraries]);
    }

    /// <summary>Makes glibc's cross compiler use the musl of another Debian's tree; gcc's helpers for atomic operations would need glibc.</summary>
    private static string[] MuslOptions(string machine, string tree)
    {
        string library = Path.Combine(tree, "lib", machine + "-linux-musl");
        string[] start = [.. new[] { "crt1.o", "crti.o", "crtn.o" }.Select(name => Path.Combine(library, name))];
        return ["-static", "-mno-outline-atomics", "-isystem", Path.Combine(tree, "include", machine + "-linux-musl"), "-L" + library, "-nostdlib", .. start];
    }

    private static void Build(string folder, string compiler, params string[] arguments)
    {
        var start = new ProcessStartInfo(compiler, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CGO_ENABLED"] = "0";
        start.Environment["GOFLAGS"] = "-mod=mod";
        start.Environment["GOPROXY"] = "off";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{compiler} {string.Join(' ', arguments)}: {messages}{output.Result}");
    }

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Vivarium.slnx")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("not inside a checkout");
    }
}
