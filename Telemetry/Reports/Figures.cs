using System.Globalization;

namespace Vivarium.Telemetry.Reports;

/// <summary>Numbers for people.</summary>
public static class Figures
{
    /// <summary>Nanoseconds with three digits and the unit that fits: 130 ns, 12.3 µs, 50.1 ms, 1.23 s.</summary>
    public static string Time(long nanoseconds) => nanoseconds switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds} ns"),
        < 1_000_000 => Scaled(nanoseconds / 1e3, "µs"),
        < 1_000_000_000 => Scaled(nanoseconds / 1e6, "ms"),
        _ => Scaled(nanoseconds / 1e9, "s"),
    };

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count with its noun: 1 call, 2 calls.</summary>
    public static string Count(long count, string noun) => Count(count) + " " + noun + (count == 1 ? "" : noun.EndsWith("ss", StringComparison.Ordinal) ? "es" : "s");

    /// <summary>At most so many characters, the end left out.</summary>
    public static string Cut(string text, int width) => text.Length <= width ? text : text[..Math.Max(0, width - 1)] + "…";

    private static string Scaled(double value, string unit) => value.ToString(value switch { >= 100 => "0", >= 10 => "0.0", _ => "0.00" }, CultureInfo.InvariantCulture) + " " + unit;
}
