using System.Globalization;

namespace Vivarium.Nodes.Commands;

/// <summary>Sizes and times as people write them.</summary>
internal static class Quantity
{
    /// <summary>Bytes, or with K, M, G, T for powers of 1024; "KiB" and "KB" are taken as K.</summary>
    public static bool TryParseSize(string text, out ulong bytes)
    {
        bytes = 0;
        (string number, string unit) = Split(text);
        int shift = unit.ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 10,
            "M" or "MB" or "MIB" => 20,
            "G" or "GB" or "GIB" => 30,
            "T" or "TB" or "TIB" => 40,
            _ => -1,
        };
        if (shift < 0 || !TryNumber(number, out double value) || value * Math.Pow(2, shift) >= 1L << 62)
            return false;
        bytes = (ulong)(value * Math.Pow(2, shift));
        return true;
    }

    /// <summary>Seconds, or with ms, s, m, h, d.</summary>
    public static bool TryParseTime(string text, out TimeSpan time)
    {
        time = default;
        (string number, string unit) = Split(text);
        double seconds = unit switch
        {
            "ms" => 0.001,
            "" or "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => 0,
        };
        if (seconds == 0 || !TryNumber(number, out double value) || value * seconds > 1e9)
            return false;
        time = TimeSpan.FromSeconds(value * seconds);
        return true;
    }

    private static (string Number, string Unit) Split(string text)
    {
        int end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.'))
            end++;
        return (text[..end], text[end..]);
    }

    private static bool TryNumber(string text, out double value) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
}
