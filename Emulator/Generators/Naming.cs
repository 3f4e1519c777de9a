using System.Text;

namespace Vivarium.Emulator.Generators;

internal static class Naming
{
    /// <summary><c>clock_gettime</c> to <c>ClockGettime</c>.</summary>
    public static string ToPascal(string name)
    {
        var pascal = new StringBuilder(name.Length);
        bool upper = true;
        foreach (char c in name)
        {
            if (c == '_')
            {
                upper = true;
                continue;
            }
            pascal.Append(upper ? char.ToUpperInvariant(c) : c);
            upper = false;
        }
        return pascal.ToString();
    }

    /// <summary>A C# string literal.</summary>
    public static string Literal(string text) => "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";
}
