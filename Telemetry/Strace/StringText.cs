using System.Globalization;
using System.Text;
using Vivarium.Emulator.Memory;

namespace Vivarium.Telemetry.Strace;

/// <summary>Bytes of the guest as C strings.</summary>
internal static class StringText
{
    /// <summary>Bytes of a buffer that are shown.</summary>
    public const int Shown = 32;

    private const int LongestPath = 4096;

    /// <summary>A quoted string with C's escapes; octal ones are as short as the next character allows.</summary>
    public static StringBuilder AppendQuoted(this StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        text.Append('"');
        for (int i = 0; i < bytes.Length; i++)
        {
            byte next = i + 1 < bytes.Length ? bytes[i + 1] : (byte)0;
            text.AppendEscaped(bytes[i], next is >= (byte)'0' and <= (byte)'9');
        }
        return text.Append('"');
    }

    private static StringBuilder AppendEscaped(this StringBuilder text, byte c, bool beforeDigit) => c switch
    {
        (byte)'"' => text.Append("\\\""),
        (byte)'\\' => text.Append("\\\\"),
        (byte)'\f' => text.Append("\\f"),
        (byte)'\n' => text.Append("\\n"),
        (byte)'\r' => text.Append("\\r"),
        (byte)'\t' => text.Append("\\t"),
        (byte)'\v' => text.Append("\\v"),
        >= 0x20 and < 0x7F => text.Append((char)c),
        _ => text.Append('\\').Append(beforeDigit ? Convert.ToString(c, 8).PadLeft(3, '0') : Convert.ToString(c, 8)),
    };

    /// <summary>A buffer, cut after <see cref="Shown"/> bytes; its address when it cannot be read.</summary>
    public static StringBuilder AppendBuffer(this StringBuilder text, AddressSpace memory, ulong address, ulong length, bool asHex = false)
    {
        Span<byte> bytes = stackalloc byte[(int)Math.Min(length, Shown)];
        if (address == 0 || !memory.TryRead(new GuestAddress(address), bytes))
            return text.AppendAddress(address);
        if (asHex)
            text.AppendHexBytes(bytes);
        else
            text.AppendQuoted(bytes);
        return length > Shown ? text.Append("...") : text;
    }

    private static void AppendHexBytes(this StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        text.Append('"');
        foreach (byte c in bytes)
            text.Append(CultureInfo.InvariantCulture, $"\\x{c:x2}");
        text.Append('"');
    }

    /// <summary>A name in full.</summary>
    public static StringBuilder AppendPath(this StringBuilder text, AddressSpace memory, ulong address) => text.AppendString(memory, address, LongestPath);

    /// <summary>A NUL-terminated string, cut after <paramref name="limit"/> bytes.</summary>
    public static StringBuilder AppendString(this StringBuilder text, AddressSpace memory, ulong address, int limit)
    {
        if (address == 0)
            return text.Append("NULL");
        byte[]? bytes = memory.ReadCString(new GuestAddress(address), limit + 1, out bool tooLong);
        if (tooLong)
        {
            bytes = new byte[limit];
            return memory.TryRead(new GuestAddress(address), bytes) ? text.AppendQuoted(bytes).Append("...") : text.AppendAddress(address);
        }
        if (bytes is null)
            return text.AppendAddress(address);
        return bytes.Length > limit ? text.AppendQuoted(bytes.AsSpan(0, limit)).Append("...") : text.AppendQuoted(bytes);
    }

    /// <summary>argv, at most <see cref="Shown"/> strings.</summary>
    public static StringBuilder AppendVector(this StringBuilder text, AddressSpace memory, ulong address)
    {
        if (address == 0 || !memory.TryRead(new GuestAddress(address), out ulong item))
            return text.AppendAddress(address);
        text.Append('[');
        for (int i = 0; item != 0; i++)
        {
            text.Append(i == 0 ? "" : ", ");
            if (i == Shown)
                return text.Append("...]");
            text.AppendString(memory, item, Shown);
            address += 8;
            if (!memory.TryRead(new GuestAddress(address), out item))
                return text.Append(", ").Append(CultureInfo.InvariantCulture, $"... /* 0x{address:x} */]");
        }
        return text.Append(']');
    }

    /// <summary>envp: where it is, and how many.</summary>
    public static StringBuilder AppendEnvironment(this StringBuilder text, AddressSpace memory, ulong address)
    {
        text.AppendAddress(address);
        if (address == 0)
            return text;
        int count = 0;
        while (memory.TryRead(new GuestAddress(address + (8UL * (ulong)count)), out ulong item))
        {
            if (item == 0)
                return text.Append(CultureInfo.InvariantCulture, $" /* {count} var{(count == 1 ? "" : "s")} */");
            count++;
        }
        return text.Append(CultureInfo.InvariantCulture, $" /* {count} var{(count == 1 ? "" : "s")}, unterminated */");
    }
}
