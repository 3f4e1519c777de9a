using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Encodes single instructions.</summary>
internal static class StepEncoder
{
    private sealed class Writer : CodeWriter
    {
        public readonly List<byte> Bytes = [];

        public override void WriteByte(byte value) => Bytes.Add(value);
    }

    [ThreadStatic]
    private static Writer? _writer;

    [ThreadStatic]
    private static Encoder? _encoder;

    public static bool TryEncode(in Instruction instruction, ulong address, out byte[] bytes)
    {
        _writer ??= new Writer();
        _encoder ??= Encoder.Create(64, _writer);
        _writer.Bytes.Clear();
        var done = _encoder.TryEncode(instruction, address, out _, out _);
        bytes = done ? [.. _writer.Bytes] : [];
        return done;
    }
}
