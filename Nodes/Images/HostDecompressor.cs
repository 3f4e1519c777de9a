using System.ComponentModel;
using System.Diagnostics;

namespace Vivarium.Nodes.Images;

/// <summary>
/// Decompresses with this machine's own programs, as tar(1) does, what the run-time has no code for. For the commands of whoever owns the
/// archive: a node that takes archives from others starts no programs on them.
/// </summary>
internal static class HostDecompressor
{
    private static readonly (byte[] Magic, string Program)[] Known =
    [
        ([0x28, 0xB5, 0x2F, 0xFD], "zstd"), // RFC 8878, 3.1.1
        ([(byte)'B', (byte)'Z', (byte)'h'], "bzip2"),
        ([0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], "xz"), // The .xz File Format, 2.1.1.1
    ];

    /// <summary>The program that knows a file which begins so; null for none.</summary>
    public static string? ProgramFor(ReadOnlySpan<byte> start)
    {
        foreach ((byte[] magic, string program) in Known)
        {
            if (start.StartsWith(magic))
                return program;
        }
        return null;
    }

    /// <summary>Hands what an archive decompresses to on, a piece at a time.</summary>
    /// <param name="take">Takes a piece; may throw, which ends the program.</param>
    /// <exception cref="ImageException">The program is not here, or says that the archive is damaged.</exception>
    public static void Run(string program, Stream archive, Action<ReadOnlySpan<byte>> take)
    {
        using Process process = Start(program);
        Task feeding = Task.Run(() => Feed(archive, process.StandardInput.BaseStream));
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            byte[] buffer = new byte[1 << 16];
            Stream plain = process.StandardOutput.BaseStream;
            for (int count; (count = plain.Read(buffer)) > 0;)
                take(buffer.AsSpan(0, count));
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new ImageException($"the archive's compression is damaged: {errors.Result.Trim().Split('\n')[0]}");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
            // Nobody else reads the archive meanwhile.
            feeding.GetAwaiter().GetResult();
        }
    }

    private static Process Start(string program)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, ["-d", "-c"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (Win32Exception)
        {
            throw new ImageException($"the archive is compressed with {program}, which is not installed here");
        }
    }

    private static void Feed(Stream archive, Stream input)
    {
        try
        {
            using (input)
                archive.CopyTo(input);
        }
        catch (IOException)
        {
            // It has ended early, and says why.
        }
    }
}
