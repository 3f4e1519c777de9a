using System.Buffers.Binary;

namespace Vivarium.Emulator.Tests.Cpu.Qemu;

/// <summary>A static program of given segments, entered at the first.</summary>
internal static class StaticElf
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, Page = 4096;
    
    public const byte Arm64 = 183;
    public const byte RiscV = 243;

    /// <param name="machine">ELF's number of the processor.</param>
    public static byte[] Build(byte machine, params (ulong Address, byte[] Content, uint Flags)[] segments)
    {
        int at = Page;
        using var file = new MemoryStream();
        Span<byte> header = new byte[HeaderSize];
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(header);
        header[16] = 2; // ET_EXEC
        header[18] = machine;
        header[20] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], segments[0].Address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], HeaderSize);
        if (machine == RiscV)
            header[48] = 5; // compressed, double floats
        header[52] = HeaderSize;
        header[54] = ProgramHeaderSize;
        header[56] = (byte)segments.Length;
        file.Write(header);
        foreach ((ulong address, byte[] content, uint flags) in segments)
        {
            Span<byte> program = new byte[ProgramHeaderSize];
            program[0] = 1;
            BinaryPrimitives.WriteUInt32LittleEndian(program[4..], flags);
            ReadOnlySpan<ulong> words = [(ulong)at, address, address, (ulong)content.Length, (ulong)content.Length, Page];
            for (int i = 0; i < words.Length; i++)
                BinaryPrimitives.WriteUInt64LittleEndian(program[(8 + (8 * i))..], words[i]);
            file.Write(program);
            at += (content.Length + Page - 1) & -Page;
        }
        foreach ((_, byte[] content, _) in segments)
        {
            file.Position = (file.Length + Page - 1) & -Page;
            file.Write(content);
        }
        return file.ToArray();
    }
}
