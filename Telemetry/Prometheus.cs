using System.Globalization;
using System.Text;

namespace Vivarium.Telemetry;

/// <summary>Lines of Prometheus' text format, version 0.0.4.</summary>
public static class Prometheus
{
    public static void Head(StringBuilder text, string name, string type, string help) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    public static void Counter(StringBuilder text, string name, string help, double value) => Single(text, name, "counter", help, value);

    public static void Gauge(StringBuilder text, string name, string help, double value) => Single(text, name, "gauge", help, value);

    /// <summary>A label's value: backslash, quote and line end are escaped.</summary>
    public static string Label(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");

    private static void Single(StringBuilder text, string name, string type, string help, double value)
    {
        Head(text, name, type, help);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }
}
