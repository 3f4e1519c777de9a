using System.Globalization;
using System.Text;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry.Strace;

/// <summary>Symbolic values: names, what has no name in hexadecimal.</summary>
internal static class SetText
{
    public static StringBuilder AppendSet(this StringBuilder text, NamedSet set, ulong register)
    {
        ulong value = set.Truncate(register);
        if (ReferenceEquals(set, LinuxSets.FutexOperations))
            return text.AppendFutexOperation(value);
        if (ReferenceEquals(set, LinuxSets.FileMode) || ReferenceEquals(set, LinuxSets.FileMode16))
            return text.AppendFileMode(set, value);
        return set.IsFlags ? text.AppendFlags(set, value) : text.AppendName(set, value);
    }

    private static StringBuilder AppendName(this StringBuilder text, NamedSet set, ulong value)
    {
        if (set.NameOf(value) is { } name)
            return text.Append(name);
        if (ReferenceEquals(set, LinuxSets.SignalHandlers))
            return text.AppendAddress(value);
        if (ReferenceEquals(set, LinuxSets.IoctlCommands))
            return text.AppendIoctl((uint)value);
        return text.AppendHex(value).AppendPrefix(set);
    }

    private static StringBuilder AppendFlags(this StringBuilder text, NamedSet set, ulong value)
    {
        ulong rest = AppendNames(text, set, value, out bool any);
        if (rest == 0 && any)
            return text;
        if (any)
            return text.Append('|').AppendHex(rest);
        return rest == 0 ? text.Append(set.NameOf(0) ?? "0") : text.AppendHex(rest).AppendPrefix(set);
    }

    /// <summary>Writes the names that hold; returns the bits without one.</summary>
    private static ulong AppendNames(StringBuilder text, NamedSet set, ulong value, out bool any)
    {
        ulong rest = value;
        ulong done = 0;
        any = false;
        foreach (NamedValue named in set.Values)
        {
            bool isField = named.Mask != named.Value;
            if (named.Mask == 0 || (value & named.Mask) != named.Value || (done & named.Mask) == named.Mask)
                continue;
            if (!isField && (rest & named.Value) != named.Value)
                continue;
            text.Append(any ? "|" : "").Append(named.Name);
            any = true;
            rest &= ~named.Mask;
            done |= named.Mask;
        }
        return rest;
    }

    /// <summary>The file's type by name, its permissions in octal.</summary>
    private static StringBuilder AppendFileMode(this StringBuilder text, NamedSet set, ulong value)
    {
        ulong rest = AppendNames(text, set, value, out bool any);
        return (any ? text.Append('|') : text).AppendMode(rest);
    }

    /// <summary><c>FUTEX_WAIT_PRIVATE|FUTEX_CLOCK_REALTIME</c>.</summary>
    private static StringBuilder AppendFutexOperation(this StringBuilder text, ulong value)
    {
        foreach (NamedValue named in LinuxSets.FutexOperations.Values)
        {
            if (named.Mask != 0x7F || (value & 0x7F) != named.Value)
                continue;
            text.Append(named.Name).Append((value & 0x80) != 0 ? "_PRIVATE" : "");
            if ((value & 0x100) != 0)
                text.Append("|FUTEX_CLOCK_REALTIME");
            ulong rest = value & ~0x1FFUL;
            return rest == 0 ? text : text.Append('|').AppendHex(rest);
        }
        return text.AppendHex(value).Append(" /* FUTEX_??? */");
    }

    /// <summary>A request nobody knows, by its fields (ioctl_list(2)).</summary>
    private static StringBuilder AppendIoctl(this StringBuilder text, uint value)
    {
        string direction = (value >> 30) switch
        {
            0 => "_IOC_NONE",
            1 => "_IOC_WRITE",
            2 => "_IOC_READ",
            _ => "_IOC_READ|_IOC_WRITE",
        };
        return text.Append(CultureInfo.InvariantCulture, $"_IOC({direction}, 0x{value >> 8 & 0xFF:x}, 0x{value & 0xFF:x}, 0x{value >> 16 & 0x3FFF:x})");
    }

    /// <summary>Says from which family of names the right one is missing: <c> /* SEEK_??? */</c>.</summary>
    private static StringBuilder AppendPrefix(this StringBuilder text, NamedSet set)
    {
        string prefix = set.Values[0].Name;
        foreach (NamedValue named in set.Values)
        {
            int length = 0;
            while (length < prefix.Length && length < named.Name.Length && prefix[length] == named.Name[length])
                length++;
            prefix = prefix[..length];
        }
        return text.Append(" /* ").Append(prefix[..(prefix.LastIndexOf('_') + 1)]).Append("??? */");
    }
}
