using Vivarium.Emulator.Kernel.Records;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry;

/// <summary>What records keep of each call's memory, from the table of calls.</summary>
public static class Captures
{
    internal static CaptureTable NamesOnly { get; } = new(Names);

    internal static CaptureTable NamesAndData { get; } = new(All);

    /// <summary>Files' names only.</summary>
    public static CallCapture Names(int number) => CallTables.Describe(number) is { } shape ? Of(shape, withData: false) : CallCapture.None;

    /// <summary>Also the first bytes of buffers.</summary>
    public static CallCapture All(int number) => CallTables.Describe(number) is { } shape ? Of(shape, withData: true) : CallCapture.None;

    private static CallCapture Of(CallShape shape, bool withData)
    {
        CallCapture capture = CallCapture.None;
        for (sbyte i = 0; i < shape.Arguments.Length; i++)
        {
            ArgumentShape argument = shape.Arguments[i];
            bool isPlain = argument.Direction == Direction.None;
            if (isPlain && capture is { Descriptor: < 0, Path: < 0 } && argument.Type.Kind is ValueKind.Fd or ValueKind.Dirfd)
                capture = capture with { Descriptor = i };
            else if (isPlain && capture.Path < 0 && argument.Type.Kind == ValueKind.Path)
                capture = capture with { Path = i };
            else if (withData && capture.Data < 0 && argument.Type.Kind is ValueKind.Bytes or ValueKind.BytesAll)
                capture = WithData(capture, argument, i);
        }
        return capture;
    }

    /// <summary>What a call reads has the length that its result says; what it writes, that of another argument.</summary>
    private static CallCapture WithData(CallCapture capture, ArgumentShape argument, sbyte place) => argument switch
    {
        { Direction: Direction.Out, CountKind: CountKind.Result } => capture with { Data = place },
        { Direction: Direction.In, CountKind: CountKind.Argument } => capture with { Data = place, Length = (sbyte)argument.Count },
        _ => capture,
    };
}
