using System.Diagnostics;
using System.Text;

namespace Vivarium.Conformance;

/// <summary>What a program left behind: its streams, byte for byte, and its exit code (128+n when killed by signal n).</summary>
public sealed record Outcome(byte[] Output, byte[] Error, int ExitCode)
{
    public override string ToString() => $"exit {ExitCode}\n--- output\n{Excerpt(Output)}\n--- error\n{Excerpt(Error)}";

    private static string Excerpt(byte[] bytes) => Encoding.Latin1.GetString(bytes, 0, Math.Min(bytes.Length, 6000));
}

/// <summary>Runs programs in a scratch directory of the same path each time, with a small fixed environment.</summary>
internal sealed class Scratch : IDisposable
{
    private static readonly DateTime FileTime = new(2024, 2, 29, 12, 34, 56, DateTimeKind.Utc);
    private readonly ConformanceCase _case;
    private readonly string _folder;

    public Scratch(ConformanceCase @case)
    {
        _case = @case;
        _folder = Path.Combine("/var/tmp", $"viv-{Environment.ProcessId}-{Guid.NewGuid():N}");
    }

    public string SideFile => _folder + ".listing";

    public async Task<Outcome> Run(params IReadOnlyList<string> commandLine)
    {
        Fill();
        var start = new ProcessStartInfo(commandLine[0], commandLine.Skip(1))
        {
            WorkingDirectory = _folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["HOME"] = _folder;
        start.Environment["LANG"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        start.Environment["TERM"] = "dumb";
        start.Environment["SYSTEM"] = "linux";
        // Where scripts find guests' sources, and what ./test fetched.
        start.Environment["GUESTS"] = Path.Combine(Repository.Root, "tests", "Guests");
        start.Environment["CACHE"] = Path.Combine(Repository.Root, ".cache");
        // Guests have no FMA or AVX, and glibc's mathematics differs in the last digit with them.
        start.Environment["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F";
        using Process process = Process.Start(start)!;
        Task<byte[]> output = ReadAll(process.StandardOutput.BaseStream);
        Task<byte[]> error = ReadAll(process.StandardError.BaseStream);
        await Feed(process);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(_case.Patience));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{string.Join(' ', commandLine)}: still running after {_case.Patience} s; output so far ends: {Encoding.Latin1.GetString((await output).TakeLast(500).ToArray())}");
        }
        return new Outcome(await output, await error, process.ExitCode);
    }

    /// <summary>Paths, sizes and times of everything in the scratch directory.</summary>
    public string Inventory()
    {
        var text = new StringBuilder();
        foreach (FileSystemInfo item in new DirectoryInfo(_folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories).OrderBy(i => i.FullName, StringComparer.Ordinal))
            text.AppendLine($"{item.FullName} {(item as FileInfo)?.Length} {item.LastWriteTimeUtc:O}");
        return text.ToString();
    }

    /// <summary>Puts the case's files back as they were.</summary>
    public void Fill()
    {
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
        foreach ((string name, string content) in _case.Files)
        {
            string path = Path.Combine(_folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, content);
        }
        foreach (FileSystemInfo item in new DirectoryInfo(_folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
            item.LastWriteTimeUtc = FileTime;
        Directory.SetLastWriteTimeUtc(_folder, FileTime);
    }

    public void Dispose()
    {
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        File.Delete(SideFile);
    }

    private static async Task<byte[]> ReadAll(Stream stream)
    {
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private async Task Feed(Process process)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(_case.Input));
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program ended without reading all of its input, as it may.
        }
    }
}
