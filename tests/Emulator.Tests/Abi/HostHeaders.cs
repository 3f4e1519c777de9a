using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>Asks the host's C headers: numbers of names that they define, sizes and offsets.</summary>
internal static class HostHeaders
{
    /// <summary>Compiles and runs a program that prints a number for each item; items whose name is not defined are missing from the answer.</summary>
    /// <param name="preamble">Includes and definitions.</param>
    /// <param name="items">A key, the macro that must be defined (null: none), and a C expression of integer value.</param>
    public static Dictionary<string, ulong> Ask(string preamble, IEnumerable<(string Key, string? Macro, string Expression)> items)
    {
        var source = new StringBuilder(preamble);
        source.Append("#include <stdio.h>\n#include <stddef.h>\nint main(void)\n{\n");
        foreach ((string key, string? macro, string expression) in items)
        {
            source.Append(macro is null ? "" : $"#ifdef {macro}\n");
            source.Append($"\tprintf(\"{key} %llu\\n\", (unsigned long long)({expression}));\n");
            source.Append(macro is null ? "" : "#endif\n");
        }
        source.Append("\treturn 0;\n}\n");
        return Parse(CompileAndRun(source.ToString()));
    }

    private static string CompileAndRun(string source)
    {
        string folder = Directory.CreateTempSubdirectory("vivarium-headers-").FullName;
        try
        {
            string file = Path.Combine(folder, "facts.c");
            string program = Path.Combine(folder, "facts");
            File.WriteAllText(file, source);
            Run("gcc", ["-w", "-o", program, file]);
            return Run(program, []);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program}: {error.Result}");
    }

    private static Dictionary<string, ulong> Parse(string output)
    {
        Dictionary<string, ulong> answers = [];
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            answers[words[0]] = ulong.Parse(words[1], CultureInfo.InvariantCulture);
        }
        return answers;
    }
}
