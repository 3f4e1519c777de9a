using System.Globalization;
using System.Numerics;
using System.Text;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Values that fit a register, as strace writes them.</summary>
internal static class ValueText
{
    private const int WorkingDirectory = -100;

    public static StringBuilder AppendValue(this StringBuilder text, ValueType type, ulong value) => type.Kind switch
    {
        ValueKind.Set => text.AppendSet(type.Set!, value),
        ValueKind.Int or ValueKind.Fd or ValueKind.Pid or ValueKind.FcntlResult or ValueKind.CloneParentTid => text.AppendSigned((int)value),
        ValueKind.Uint => text.AppendUnsigned((uint)value),
        ValueKind.Long or ValueKind.Off => text.AppendSigned((long)value),
        ValueKind.Ulong or ValueKind.Size => text.AppendUnsigned(value),
        ValueKind.Short => text.AppendSigned((short)value),
        ValueKind.Ushort => text.AppendUnsigned((ushort)value),
        ValueKind.Byte => text.AppendUnsigned((byte)value),
        ValueKind.Hex => text.AppendHex(value),
        ValueKind.Hex32 => text.AppendHex((uint)value),
        ValueKind.Dirfd => (int)value == WorkingDirectory ? text.Append("AT_FDCWD") : text.AppendSigned((int)value),
        ValueKind.Uid or ValueKind.Gid => (uint)value == uint.MaxValue ? text.Append("-1") : text.AppendUnsigned((uint)value),
        ValueKind.Mode or ValueKind.CreatMode or ValueKind.Mode64 => text.AppendMode(value),
        ValueKind.Dev => text.AppendDevice(value),
        ValueKind.Signal => text.AppendSignal((int)value),
        ValueKind.Sigset => text.AppendSignals(value),
        ValueKind.Limit => text.AppendLimit(value),
        ValueKind.IpcKey => (uint)value == 0 ? text.Append("IPC_PRIVATE") : text.AppendHex((uint)value),
        ValueKind.EpollData => text.Append(CultureInfo.InvariantCulture, $"{{u32={(uint)value}, u64={value}}}"),
        ValueKind.WaitStatus => text.AppendWaitStatus((int)value),
        _ => text.AppendAddress(value),
    };

    public static StringBuilder AppendSigned(this StringBuilder text, long value) => text.Append(CultureInfo.InvariantCulture, $"{value}");

    public static StringBuilder AppendUnsigned(this StringBuilder text, ulong value) => text.Append(CultureInfo.InvariantCulture, $"{value}");

    public static StringBuilder AppendHex(this StringBuilder text, ulong value) =>
        value == 0 ? text.Append('0') : text.Append(CultureInfo.InvariantCulture, $"0x{value:x}");

    public static StringBuilder AppendAddress(this StringBuilder text, ulong value) =>
        value == 0 ? text.Append("NULL") : text.Append(CultureInfo.InvariantCulture, $"0x{value:x}");

    /// <summary>Permission bits in octal, three digits at least: <c>000</c>, <c>0644</c>.</summary>
    public static StringBuilder AppendMode(this StringBuilder text, ulong value)
    {
        string digits = Convert.ToString((long)(value & 0xFFFF), 8);
        return text.Append(digits == "0" ? "000" : "0" + digits.PadLeft(2, '0'));
    }

    /// <summary>A device number in the kernel's encoding (makedev(3)).</summary>
    public static StringBuilder AppendDevice(this StringBuilder text, ulong value)
    {
        ulong major = ((value >> 8) & 0xFFF) | ((value >> 32) & 0xFFFFF000);
        ulong minor = (value & 0xFF) | ((value >> 12) & 0xFFFFFF00);
        return text.Append("makedev(").AppendNumber(major).Append(", ").AppendNumber(minor).Append(')');
    }

    // makedev's numbers are hexadecimal even when they are 0.
    private static StringBuilder AppendNumber(this StringBuilder text, ulong value) => text.Append(CultureInfo.InvariantCulture, $"0x{value:x}");

    private static StringBuilder AppendLimit(this StringBuilder text, ulong value)
    {
        if (value == ulong.MaxValue)
            return text.Append("RLIM64_INFINITY");
        return value > 1024 && value % 1024 == 0 ? text.AppendUnsigned(value / 1024).Append("*1024") : text.AppendUnsigned(value);
    }

    public static StringBuilder AppendSignal(this StringBuilder text, int signal)
    {
        if (signal is >= 32 and <= 64)
            return text.Append("SIGRT").Append(signal == 32 ? "MIN" : $"_{signal - 32}");
        return LinuxSets.Signals.NameOf((ulong)signal) is { } name ? text.Append(name) : text.AppendSigned(signal);
    }

    /// <summary><c>[INT CHLD]</c>; a set that holds most signals is written as what it lacks, <c>~[KILL STOP]</c>.</summary>
    public static StringBuilder AppendSignals(this StringBuilder text, ulong bits)
    {
        if (BitOperations.PopCount(bits) >= 42)
        {
            text.Append('~');
            bits = ~bits;
        }
        text.Append('[');
        string separator = "";
        for (int signal = 1; signal <= 64; signal++)
        {
            if ((bits >> (signal - 1) & 1) == 0)
                continue;
            text.Append(separator);
            int start = text.Length;
            text.AppendSignal(signal).Remove(start, "SIG".Length);
            separator = " ";
        }
        return text.Append(']');
    }

    /// <summary>A status of wait4(2) as the conditions that hold of it.</summary>
    public static StringBuilder AppendWaitStatus(this StringBuilder text, int status)
    {
        int signal = status & 0x7F;
        if (status == 0xFFFF)
            return text.Append("{WIFCONTINUED(s)}");
        if ((status & 0xFF) == 0x7F)
            return text.Append("{WIFSTOPPED(s) && WSTOPSIG(s) == ").AppendSignal(status >> 8 & 0xFF).Append('}');
        if (signal == 0)
            return text.Append(CultureInfo.InvariantCulture, $"{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}");
        text.Append("{WIFSIGNALED(s) && WTERMSIG(s) == ").AppendSignal(signal);
        return text.Append((status & 0x80) != 0 ? " && WCOREDUMP(s)}" : "}");
    }
}
