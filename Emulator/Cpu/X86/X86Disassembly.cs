using System.Globalization;
using Iced.Intel;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Names instructions for people.</summary>
public static class X86Disassembly
{
    /// <summary>An instruction's mnemonic, or null for bytes that are none.</summary>
    public static string? Mnemonic(ulong address, byte[] bytes, out int length)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes));
        decoder.IP = address;
        decoder.Decode(out Instruction instruction);
        length = instruction.Length;
        return instruction.IsInvalid ? null : instruction.Mnemonic.ToString().ToLowerInvariant();
    }

    /// <summary>One line on an instruction that is not supported: mnemonic, address, bytes.</summary>
    public static string Describe(ulong address, byte[] bytes)
    {
        string name = Mnemonic(address, bytes, out int length) ?? "undefined instruction";
        string text = string.Join(' ', bytes.Take(Math.Max(1, length)).Select(static b => b.ToString("x2", CultureInfo.InvariantCulture)));
        return $"{name} at 0x{address:x} (bytes {text})";
    }
}
