using System.Globalization;
using System.Text;

namespace Vivarium.Telemetry;

/// <summary>A guest's bytes as text for people and JSON: UTF-8 as it is, every other byte and control character as <c>\xNN</c>.</summary>
public static class GuestText
{
    public static string Of(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.ContainsAnyExceptInRange((byte)' ', (byte)'~') && !bytes.Contains((byte)'\\'))
            return Encoding.ASCII.GetString(bytes);
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool isText = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (isText && rune.Value == '\\')
                text.Append("\\\\");
            else if (isText && !Rune.IsControl(rune))
                text.Append(rune);
            else
                AppendBytes(text, bytes[..length]);
            bytes = bytes[length..];
        }
        return text.ToString();
    }

    private static void AppendBytes(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        foreach (byte c in bytes)
            text.Append(CultureInfo.InvariantCulture, $"\\x{c:x2}");
    }
}
