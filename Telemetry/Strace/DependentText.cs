using System.Text;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Arguments that mean what another argument says: fcntl(2), ioctl(2), prctl(2), arch_prctl(2).</summary>
internal static class DependentText
{
    public const int GetName = 16;
    private const int SetName = 15;
    private const int SetDeathSignal = 1;

    private const int GetFlags = 3;
    private const int GetDescriptorFlags = 1;

    /// <summary>Writes such an argument; false for every other kind.</summary>
    public static bool TryWrite(TracedCall call, ValueKind kind, ulong value)
    {
        switch (kind)
        {
            case ValueKind.FcntlArgument:
                WriteFcntl(call, (int)call[1], value);
                return true;
            case ValueKind.IoctlArgument:
                WriteIoctl(call, (uint)call[1], value);
                return true;
            case ValueKind.PrctlArgument:
                WritePrctl(call, (int)call[0], value);
                return true;
            case ValueKind.ArchPrctlArgument:
                call.Text.AppendAddress(value);
                return true;
            default:
                return false;
        }
    }

    public static bool IsLockQuery(int command) => command is 5 or 36;

    /// <summary>fcntl's commands without a third argument: F_GETFD, F_GETFL, F_GETOWN, F_GETSIG, F_GETLEASE, F_GETPIPE_SZ, F_GET_SEALS.</summary>
    public static bool HasArgument(int command) => command is not (GetDescriptorFlags or GetFlags or 9 or 11 or 1025 or 1032 or 1034);

    private static void WriteFcntl(TracedCall call, int command, ulong value)
    {
        switch (command)
        {
            case 0 or 1030 or 8 or 1031:
                call.Text.AppendSigned((int)value);
                break;
            case 2:
                call.Text.AppendSet(LinuxSets.DescriptorFlags, value);
                break;
            case 4:
                call.Text.AppendSet(LinuxSets.OpenFlags.On(call.Architecture), value);
                break;
            case 5 or 6 or 7 or 36 or 37 or 38:
                call.Text.AppendPointed(call.Memory, Of(LinuxStructs.Flock), value);
                break;
            case 10:
                call.Text.AppendSignal((int)value);
                break;
            case 1024:
                call.Text.AppendSet(LinuxSets.LockTypes, value);
                break;
            case 1033:
                call.Text.AppendSet(LinuxSets.Seals, value);
                break;
            default:
                call.Text.AppendHex(value);
                break;
        }
    }

    /// <summary>Flags as a number and by name: <c>0x8000 (flags O_RDONLY|O_LARGEFILE)</c>.</summary>
    public static void WriteFcntlResult(StringBuilder text, TracedCall call)
    {
        (NamedSet? set, bool always) = (int)call[1] switch
        {
            GetFlags => (LinuxSets.OpenFlags.On(call.Architecture), true),
            GetDescriptorFlags => (LinuxSets.DescriptorFlags, false),
            1034 => (LinuxSets.Seals, false),
            _ => (null, false),
        };
        if (set is null)
        {
            text.AppendSigned(call.Value);
            return;
        }
        text.AppendHex((ulong)call.Value);
        if (always || call.Value != 0)
            text.Append(" (").Append(call[1] == 1034 ? "seals " : "flags ").AppendSet(set, (ulong)call.Value).Append(')');
    }

    /// <summary>ioctl_tty(2): structures and numbers behind the pointer; on failure only where it points.</summary>
    private static void WriteIoctl(TracedCall call, uint command, ulong value)
    {
        ValueType? type = command switch
        {
            0x5401 or 0x5402 or 0x5403 or 0x5404 => Of(LinuxStructs.Termios),
            0x5413 or 0x5414 => Of(LinuxStructs.Winsize),
            0x540F or 0x5410 or 0x5429 => new ValueType(ValueKind.Pid, 4),
            0x5411 or 0x541B or 0x5421 or 0x5452 or 0x80045430 or 0x40045431 or 0x8901 or 0x8903 => new ValueType(ValueKind.Int, 4),
            0x80086601 or 0x40086602 => new ValueType(ValueKind.Hex, 8),
            _ => null,
        };
        bool isWritten = command is 0x5402 or 0x5403 or 0x5404 or 0x5414 or 0x5410 or 0x5421 or 0x5452 or 0x40045431 or 0x8901 or 0x40086602;
        if (type is { } pointed && (isWritten || !call.HasFailed))
        {
            AppendAbridged(call, pointed, value);
            return;
        }
        if (command is 0x5409 or 0x540A or 0x540B or 0x540E or 0x40049409)
            call.Text.AppendSigned((int)value);
        else if (command is not (0x540C or 0x540D or 0x5422 or 0x5450 or 0x5451))
            call.Text.AppendAddress(value);
        else
            call.Text.Length -= ", ".Length;
    }

    /// <summary>struct termios has characters behind what is shown.</summary>
    private static void AppendAbridged(TracedCall call, ValueType type, ulong value)
    {
        call.Text.AppendPointed(call.Memory, type, value);
        if (ReferenceEquals(type.Struct, LinuxStructs.Termios) && call.Text[^1] == '}')
            call.Text.Insert(call.Text.Length - 1, ", ...");
    }

    /// <summary>How many arguments an option has, itself among them.</summary>
    public static int PrctlArguments(int option) => option switch
    {
        3 or 7 or 21 or 27 or 30 => 1,
        SetDeathSignal or 2 or 4 or 5 or 6 or 8 or SetName or GetName or 23 or 24 or 25 or 26 or 28 or 29 or 36 or 37 or 40 => 2,
        _ => 5,
    };

    private static void WritePrctl(TracedCall call, int option, ulong value)
    {
        switch (option)
        {
            case SetName:
                call.Text.AppendString(call.Memory, value, 15);
                break;
            case GetName when !call.HasFailed:
                call.Text.AppendString(call.Memory, value, 15);
                break;
            case SetDeathSignal:
                call.Text.AppendSignal((int)value);
                break;
            case 4 or 8 or 29 or 36 or 38:
                call.Text.AppendUnsigned(value);
                break;
            default:
                call.Text.AppendHex(value);
                break;
        }
    }

    private static ValueType Of(StructShape shape) => new(ValueKind.Struct, shape.Size, Struct: shape);
}
