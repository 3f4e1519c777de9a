using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>The operating system that a program was built for: the header's OSABI, else the note that its linker left (System V ABI, "Note Section").</summary>
public static class ElfBrand
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, MostHeaders = 128, LongestNotes = 4096;
    private const uint NoteSegment = 4;

    /// <summary>"freebsd", "netbsd", "openbsd", or "linux", which has no mark.</summary>
    public static string Of(MemoryObject file)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        if (file.Read(0, header) != HeaderSize || BinaryPrimitives.ReadUInt32LittleEndian(header) != 0x464C457F || header[4] != 2)
            return "linux";
        return header[7] switch
        {
            2 => "netbsd",
            9 => "freebsd",
            12 => "openbsd",
            _ => OfNotes(file, header),
        };
    }

    private static string OfNotes(MemoryObject file, ReadOnlySpan<byte> header)
    {
        long at = BinaryPrimitives.ReadInt64LittleEndian(header[32..]);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(header[54..]), count = BinaryPrimitives.ReadUInt16LittleEndian(header[56..]);
        if (size != ProgramHeaderSize || count > MostHeaders || at is < 0 or > 1L << 40)
            return "linux";
        Span<byte> program = stackalloc byte[ProgramHeaderSize];
        for (int i = 0; i < count; i++)
        {
            if (file.Read(at + (i * size), program) != size)
                break;
            if (BinaryPrimitives.ReadUInt32LittleEndian(program) == NoteSegment && OfNotes(file, program, out string? brand))
                return brand!;
        }
        return "linux";
    }

    private static bool OfNotes(MemoryObject file, ReadOnlySpan<byte> program, out string? brand)
    {
        brand = null;
        long offset = BinaryPrimitives.ReadInt64LittleEndian(program[8..]);
        if (offset is < 0 or > 1L << 40)
            return false;
        byte[] notes = new byte[Math.Min(LongestNotes, BinaryPrimitives.ReadUInt64LittleEndian(program[32..]))];
        Span<byte> rest = notes.AsSpan(0, Math.Max(0, file.Read(offset, notes)));
        const int head = 12;
        while (rest.Length >= head && brand is null)
        {
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(rest), size = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            if (nameSize > (uint)(rest.Length - head))
                break;
            brand = BrandOf(rest.Slice(head, (int)nameSize));
            ulong next = head + ((nameSize + 3ul) & ~3ul) + ((size + 3ul) & ~3ul);
            rest = next >= (ulong)rest.Length ? [] : rest[(int)next..];
        }
        return brand is not null;
    }

    private static string? BrandOf(ReadOnlySpan<byte> name)
    {
        name = name.TrimEnd((byte)0);
        return name.SequenceEqual("FreeBSD"u8) ? "freebsd"
            : name.SequenceEqual("NetBSD"u8) ? "netbsd"
            : name.SequenceEqual("OpenBSD"u8) ? "openbsd" : null;
    }
}
