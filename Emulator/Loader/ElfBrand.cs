using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>The operating system that a program was built for: the header's OSABI, else the note that its linker left (System V ABI, "Note Section").</summary>
public static class ElfBrand
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, MostHeaders = 128, LongestNotes = 4096;
    private const uint NoteSegment = 4;

    /// <summary>Where nearly all programs' headers end: one read of the file.</summary>
    private const int UsualHeaders = 1024;

    private const int OsAbiPlace = 7;

    /// <summary>NT_GNU_ABI_TAG, whose first word is the system (Linux Standard Base, "Note Section").</summary>
    private const uint AbiTag = 1;

    /// <summary>"linux", "freebsd", "netbsd", "openbsd" or another; null when the file bears no mark.</summary>
    public static string? Of(MemoryObject file)
    {
        Span<byte> header = stackalloc byte[UsualHeaders];
        header = header[..Math.Max(0, file.Read(0, header))];
        if (header.Length < HeaderSize || BinaryPrimitives.ReadUInt32LittleEndian(header) != 0x464C457F || header[4] != 2)
            return null;
        // What GNU's tools mark so needs extensions of theirs; the notes say of which system.
        const byte systemV = 0, gnu = 3;
        return header[OsAbiPlace] is systemV or gnu ? OfNotes(file, header) : OfNumber(header[OsAbiPlace]);
    }

    /// <summary>ELFOSABI_ (System V ABI, "ELF Header").</summary>
    private static string OfNumber(byte number) => number switch
    {
        1 => "hpux",
        2 => "netbsd",
        6 => "solaris",
        7 => "aix",
        8 => "irix",
        9 => "freebsd",
        10 => "tru64",
        12 => "openbsd",
        13 => "openvms",
        17 => "cloudabi",
        _ => $"the system with ELF's number {number}",
    };

    /// <param name="header">The file's beginning.</param>
    private static string? OfNotes(MemoryObject file, ReadOnlySpan<byte> header)
    {
        long at = BinaryPrimitives.ReadInt64LittleEndian(header[32..]);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(header[54..]), count = BinaryPrimitives.ReadUInt16LittleEndian(header[56..]);
        if (size != ProgramHeaderSize || count > MostHeaders || at is < 0 or > 1L << 40)
            return null;
        Span<byte> room = stackalloc byte[ProgramHeaderSize];
        for (int i = 0; i < count; i++, at += size)
        {
            bool isThere = at + size <= header.Length;
            ReadOnlySpan<byte> program = isThere ? header.Slice((int)at, size) : room;
            if (!isThere && file.Read(at, room) != size)
                break;
            if (BinaryPrimitives.ReadUInt32LittleEndian(program) == NoteSegment && OfNotes(file, program, out string? brand))
                return brand;
        }
        return null;
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
            brand = BrandOf(rest.Slice(head, (int)nameSize), BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]), rest[(int)Math.Min((ulong)rest.Length, head + ((nameSize + 3ul) & ~3ul))..]);
            ulong next = head + ((nameSize + 3ul) & ~3ul) + ((size + 3ul) & ~3ul);
            rest = next >= (ulong)rest.Length ? [] : rest[(int)next..];
        }
        return brand is not null;
    }

    private static string? BrandOf(ReadOnlySpan<byte> name, uint type, ReadOnlySpan<byte> content)
    {
        name = name.TrimEnd((byte)0);
        if (name.SequenceEqual("GNU"u8))
            return type == AbiTag && content.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(content) == 0 ? "linux" : null;
        return name.SequenceEqual("FreeBSD"u8) ? "freebsd"
            : name.SequenceEqual("NetBSD"u8) ? "netbsd"
            : name.SequenceEqual("OpenBSD"u8) ? "openbsd" : null;
    }
}
