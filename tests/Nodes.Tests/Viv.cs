using System.Diagnostics;
using System.Text;

namespace Vivarium.Nodes.Tests;

/// <summary>What a run of the command line came to.</summary>
internal sealed record Outcome(int ExitCode, byte[] Output, string Error)
{
    public string Text => Encoding.UTF8.GetString(Output);
}

/// <summary>The built <c>./viv</c>, started as people start it.</summary>
internal static class Viv
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(300);

    public static string Root { get; } = FindRoot();

    public static Outcome Run(params string[] arguments) => Run([], arguments);

    public static Outcome Run(byte[] input, params string[] arguments)
    {
        using Process process = Start(arguments);
        return Finish(process, input);
    }

    public static Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo(Path.Combine(Root, "viv"), arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        WorkingDirectory = Root,
    })!;

    /// <summary>Gives the input, takes all output and waits.</summary>
    public static Outcome Finish(Process process, byte[] input)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        var output = new MemoryStream();
        Task copying = process.StandardOutput.BaseStream.CopyToAsync(output);
        try
        {
            process.StandardInput.BaseStream.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The guest did not want all of it.
        }
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"viv did not end; it wrote: {Encoding.UTF8.GetString(output.ToArray())}");
        }
        copying.Wait(Patience);
        return new Outcome(process.ExitCode, output.ToArray(), error.Result);
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Vivarium.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("the tests run outside the repository");
    }
}
