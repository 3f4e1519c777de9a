using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Emulator.Tests.Loader;

/// <summary>Small programs as files: an ELF header, a few program headers, code that ends with exit(0).</summary>
internal static class ElfBuilder
{
    public const int HeaderSize = 64;
    public const int ProgramHeaderSize = 56;

    // mov edi, 0; mov eax, 60; syscall
    private static readonly byte[] ExitCode = [0xBF, 0, 0, 0, 0, 0xB8, 60, 0, 0, 0, 0x0F, 0x05];

    /// <summary>A program of a code and a data segment, with an interpreter when one is named.</summary>
    public static byte[] Make(string? interpreter = null, bool isRelocatable = false)
    {
        byte[] file = new byte[0x3000];
        ulong at = isRelocatable ? 0UL : 0x40_0000;
        int headers = interpreter is null ? 3 : 4;
        "\u007FELF"u8.CopyTo(file);
        (file[4], file[5], file[6]) = (2, 1, 1);
        Word16(file, 16, isRelocatable ? (ushort)3 : (ushort)2);
        Word16(file, 18, 62);
        Word32(file, 20, 1);
        Word64(file, 24, at + 0x1000);
        Word64(file, 32, HeaderSize);
        Word16(file, 52, HeaderSize);
        Word16(file, 54, ProgramHeaderSize);
        Word16(file, 56, (ushort)headers);
        Segment(file, 0, 1, 5, 0, at, 0x2000, 0x2000);
        Segment(file, 1, 1, 6, 0x2000, at + 0x2000, 0x800, 0x3000);
        Segment(file, 2, 0x6474E551, 6, 0, 0, 0, 0);
        if (interpreter is not null)
        {
            byte[] path = Encoding.ASCII.GetBytes(interpreter + "\0");
            path.CopyTo(file, 0x800);
            Segment(file, 3, 3, 4, 0x800, at + 0x800, (ulong)path.Length, (ulong)path.Length);
        }
        ExitCode.CopyTo(file, 0x1000);
        return file;
    }

    public static void Segment(byte[] file, int index, uint type, uint flags, ulong offset, ulong address, ulong fileSize, ulong memorySize)
    {
        int place = HeaderSize + (index * ProgramHeaderSize);
        Word32(file, place, type);
        Word32(file, place + 4, flags);
        Word64(file, place + 8, offset);
        Word64(file, place + 16, address);
        Word64(file, place + 24, address);
        Word64(file, place + 32, fileSize);
        Word64(file, place + 40, memorySize);
        Word64(file, place + 48, 0x1000);
    }

    public static void Word16(byte[] file, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(offset), value);

    public static void Word32(byte[] file, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(offset), value);

    public static void Word64(byte[] file, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(offset), value);
}
