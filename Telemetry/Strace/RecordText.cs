using System.Globalization;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry.Strace;

/// <summary>
/// Writes records as strace(1) writes calls, as far as what they keep goes: values by name, files by name (strace's -y), the first
/// bytes of buffers where those were kept, other pointers as addresses.
/// </summary>
public sealed class RecordText
{
    private readonly Dictionary<(int Number, Architecture Architecture), (CallShape? Shape, CallCapture Capture)> _shapes = [];

    /// <summary>Name, arguments and result of a call.</summary>
    /// <param name="record">The call.</param>
    /// <param name="name">Its name.</param>
    public static string Of(in CallRecord record, string name)
    {
        var text = new StringBuilder();
        new RecordText().AppendCall(text, record, name);
        return text.ToString();
    }

    /// <summary>The same at the end of a text.</summary>
    public void AppendCall(StringBuilder text, in CallRecord record, string? name)
    {
        if (!_shapes.TryGetValue((record.Number, record.Architecture), out (CallShape? Shape, CallCapture Capture) row))
            _shapes.Add((record.Number, record.Architecture), row = (CallTables.Describe(record.Number, record.Architecture), Captures.All(record.Number)));
        text.Append(name ?? row.Shape?.Name).Append('(');
        if (row.Shape is not { } shape)
        {
            text.Append("...) ");
            AppendResult(text, record, ValueKind.Long);
            return;
        }
        int written = 0;
        // Records keep the first six; calls of other systems than Linux may have more.
        for (int i = 0; i < Math.Min(CallArguments.Count, shape.Arguments.Length); i++)
        {
            if (IsHidden(record, shape.Arguments[i].Type.Kind, i))
                continue;
            if (written++ > 0)
                text.Append(", ");
            AppendArgument(text, record, shape.Arguments[i], row.Capture, i);
        }
        text.Append(shape.Arguments.Length > CallArguments.Count ? ", ...) " : ") ");
        AppendResult(text, record, shape.Result.Kind);
    }

    /// <summary>Permissions count only where the flags before them create a file (open(2)).</summary>
    private static bool IsHidden(in CallRecord record, ValueKind kind, int index)
    {
        const ulong Create = 0x40, Temporary = 0x400000;
        if (kind != ValueKind.CreatMode)
            return kind == ValueKind.Hidden;
        ulong flags = record.Arguments[index - 1];
        return (flags & (Create | Temporary)) == 0;
    }

    private static void AppendArgument(StringBuilder text, in CallRecord record, ArgumentShape argument, CallCapture capture, int index)
    {
        ulong value = record.Arguments[index];
        if (index == capture.Path && record.Subject is { } path)
            text.AppendQuoted(path);
        else if (index == capture.Data && record.Data is { } data)
            text.AppendQuoted(data).Append(data.Length == CallRing.DataShown ? "..." : "");
        else if (argument.Direction != Direction.None)
            text.AppendAddress(value);
        else
            text.AppendValue(argument.Type, value);
        if (index == capture.Descriptor && capture.Path < 0 && record.Subject is { } file)
            text.Append('<').Append(GuestText.Of(file)).Append('>');
    }

    private static void AppendResult(StringBuilder text, in CallRecord record, ValueKind kind)
    {
        text.Append("= ");
        switch (record.Outcome)
        {
            case CallOutcome.Error or CallOutcome.Interrupted:
                text.AppendError(record.Error);
                break;
            case CallOutcome.Blocked:
                text.Append("? <unfinished>");
                break;
            case CallOutcome.NoReturn when record.EndsThread || kind == ValueKind.None:
                text.Append('?');
                break;
            case CallOutcome.NoReturn when CallTables.Name(record.Number) is "execve" or "execveat" or "rt_sigreturn":
                text.Append('0');
                break;
            case CallOutcome.NoReturn:
                text.Append("? ERESTARTSYS (To be restarted if SA_RESTART is set)");
                break;
            default:
                AppendValue(text, record.Result, kind);
                break;
        }
    }

    private static void AppendValue(StringBuilder text, long value, ValueKind kind)
    {
        if (kind is ValueKind.Hex or ValueKind.Addr)
            text.AppendHex((ulong)value);
        else
            text.Append(CultureInfo.InvariantCulture, $"{value}");
    }
}
