using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>Why a file cannot be run.</summary>
public enum ElfProblem : byte
{
    None,

    /// <summary>No ELF magic: not a program (ENOEXEC).</summary>
    NotElf,

    /// <summary>An ELF of another class, byte order, machine or type, or one that contradicts itself (ENOEXEC).</summary>
    Unsupported,

    /// <summary>Cut off, or program headers that make no sense (ENOEXEC).</summary>
    Malformed,

    /// <summary>The interpreter it names is missing or unusable (ENOENT, ELIBBAD).</summary>
    Interpreter,

    /// <summary>Its segments do not fit the address space or the memory limit (ENOMEM).</summary>
    NoMemory,
}

/// <summary>One PT_LOAD segment.</summary>
public readonly record struct ElfSegment(ulong Address, ulong FileOffset, ulong FileSize, ulong MemorySize, Protection Protection)
{
    public ulong Start => Address & ~(GuestAddress.PageSize - 1);

    public ulong End => (Address + MemorySize + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
}

/// <summary>The headers of a 64-bit little-endian ELF program (System V ABI, "Object Files"), read with bounds in mind: files are hostile.</summary>
public sealed class ElfFile
{
    private const int MostHeaders = 128;
    private const ulong HighestAddress = 1ul << 47;

    private ElfFile(in Header header, List<ElfSegment> segments)
    {
        IsRelocatable = header.Type == Header.SharedObject;
        Machine = header.Machine;
        Entry = header.Entry;
        HeaderSize = header.ProgramHeaderSize;
        HeaderCount = header.ProgramHeaderCount;
        Segments = segments;
    }

    /// <summary>True for ET_DYN: it may lie anywhere.</summary>
    public bool IsRelocatable { get; }

    public ushort Machine { get; }

    public ulong Entry { get; }

    public int HeaderSize { get; }

    public int HeaderCount { get; }

    public List<ElfSegment> Segments { get; }

    /// <summary>PT_INTERP's path.</summary>
    public byte[]? Interpreter { get; private set; }

    /// <summary>Unrelocated address of the program headers in memory; 0 when no segment holds them.</summary>
    public ulong HeadersAddress { get; private set; }

    public bool ExecutableStack { get; private set; } = true;

    public ulong LowestAddress => Segments[0].Start;

    public ulong HighestEnd
    {
        get
        {
            ulong end = 0;
            foreach (ElfSegment segment in Segments)
                end = Math.Max(end, segment.End);
            return end;
        }
    }

    /// <summary>Reads and checks the headers; <paramref name="detail"/> is the end of a sentence for the user.</summary>
    public static ElfProblem TryRead(MemoryObject file, IPersonality personality, out ElfFile? elf, out string detail)
    {
        elf = null;
        detail = "not an ELF program";
        Span<Header> header = stackalloc Header[1];
        int got = file.Read(0, MemoryMarshal.AsBytes(header));
        if (got < 4 || header[0].Magic != Header.ElfMagic)
            return ElfProblem.NotElf;
        if (got < Marshal.SizeOf<Header>())
            return Fail(ElfProblem.Malformed, "a truncated ELF file", out detail);
        if (Check(header[0], personality) is { } unsupported)
            return Fail(ElfProblem.Unsupported, unsupported, out detail);
        return ReadHeaders(file, header[0], out elf, out detail);
    }

    private static ElfProblem Fail(ElfProblem problem, string text, out string detail)
    {
        detail = text;
        return problem;
    }

    private static string? Check(in Header header, IPersonality personality)
    {
        if (header.Class != Header.Class64)
            return header.Class == 1 ? "a 32-bit ELF program, which is not supported" : "an ELF file of an unknown class";
        if (header.Data != Header.LittleEndian)
            return "a big-endian ELF program, which is not supported";
        if (!personality.Runs(header.Machine))
            return $"an ELF program for {MachineName(header.Machine)}, not {MachinesOf(personality)}";
        if (header.Type is not (Header.Executable or Header.SharedObject))
            return "an ELF file that is not a program";
        return null;
    }

    /// <summary>e_machine of what is an ELF file in the byte order that can be run; else null.</summary>
    internal static ushort? MachineOf(MemoryObject file)
    {
        Span<Header> header = stackalloc Header[1];
        return file.Read(0, MemoryMarshal.AsBytes(header)) == Marshal.SizeOf<Header>() && header[0] is { Magic: Header.ElfMagic, Data: Header.LittleEndian }
            ? header[0].Machine : null;
    }

    /// <summary>What a system has programs for: "x86-64 or RISC-V".</summary>
    private static string MachinesOf(IPersonality personality)
    {
        string[] names = [.. Processors.All.Select(Processors.ElfMachine).Where(personality.Runs).Select(MachineName)];
        return names.Length < 2 ? names[0] : $"{string.Join(", ", names[..^1])} or {names[^1]}";
    }

    internal static string MachineName(ushort machine) => machine switch
    {
        3 => "x86 (32 bits)",
        40 => "ARM (32 bits)",
        62 => "x86-64",
        183 => "AArch64",
        243 => "RISC-V",
        _ => $"machine {machine}",
    };

    private static ElfProblem ReadHeaders(MemoryObject file, in Header header, out ElfFile? elf, out string detail)
    {
        elf = null;
        if (header.ProgramHeaderSize != Marshal.SizeOf<ProgramHeader>() || header.ProgramHeaderCount is 0 or > MostHeaders)
            return Fail(ElfProblem.Malformed, "an ELF file with absurd program headers", out detail);
        var programs = new ProgramHeader[header.ProgramHeaderCount];
        int size = programs.Length * header.ProgramHeaderSize;
        if (header.ProgramHeaderOffset > (ulong)(long.MaxValue - size) || file.Read((long)header.ProgramHeaderOffset, MemoryMarshal.AsBytes(programs.AsSpan())) != size)
            return Fail(ElfProblem.Malformed, "an ELF file whose program headers are cut off", out detail);
        var segments = new List<ElfSegment>();
        foreach (ProgramHeader program in programs)
        {
            if (program.Type != ProgramHeader.Load || program.MemorySize == 0)
                continue;
            if (!TryAdd(segments, program))
                return Fail(ElfProblem.Malformed, "an ELF file with absurd segments", out detail);
        }
        if (segments.Count == 0)
            return Fail(ElfProblem.Malformed, "an ELF file without anything to load", out detail);
        elf = new ElfFile(header, segments);
        detail = "";
        return elf.ReadOthers(file, header, programs, ref detail);
    }

    private static bool TryAdd(List<ElfSegment> segments, in ProgramHeader program)
    {
        bool isSane = program.FileSize <= program.MemorySize && program.Address < HighestAddress && program.MemorySize < HighestAddress &&
            program.Address + program.MemorySize < HighestAddress && program.Offset < 1ul << 62 && program.FileSize < 1ul << 62 &&
            (program.Address - program.Offset) % GuestAddress.PageSize == 0 &&
            (segments.Count == 0 || program.Address >= segments[^1].Address + segments[^1].MemorySize);
        if (isSane)
            segments.Add(new ElfSegment(program.Address, program.Offset, program.FileSize, program.MemorySize, ToProtection(program.Flags)));
        return isSane;
    }

    private static Protection ToProtection(uint flags) =>
        ((flags & 4) != 0 ? Protection.Read : 0) | ((flags & 2) != 0 ? Protection.Write : 0) | ((flags & 1) != 0 ? Protection.Execute : 0);

    private ElfProblem ReadOthers(MemoryObject file, in Header header, ProgramHeader[] programs, ref string detail)
    {
        foreach (ElfSegment segment in Segments)
        {
            if (header.ProgramHeaderOffset >= segment.FileOffset && header.ProgramHeaderOffset < segment.FileOffset + segment.FileSize)
                HeadersAddress = header.ProgramHeaderOffset - segment.FileOffset + segment.Address;
        }
        foreach (ProgramHeader program in programs)
        {
            const uint executable = 1;
            if (program.Type == ProgramHeader.GnuStack)
                ExecutableStack = (program.Flags & executable) != 0;
            if (program.Type == ProgramHeader.Interp && Interpreter is null && !TryReadInterpreter(file, program))
                return Fail(ElfProblem.Malformed, "an ELF file with an absurd interpreter", out detail);
        }
        return ElfProblem.None;
    }

    private bool TryReadInterpreter(MemoryObject file, in ProgramHeader program)
    {
        const int pathLimit = 4096;
        if (program.FileSize is < 2 or > pathLimit || program.Offset > 1ul << 62)
            return false;
        byte[] path = new byte[program.FileSize];
        if (file.Read((long)program.Offset, path) != path.Length || path[^1] != 0)
            return false;
        Interpreter = path[..Array.IndexOf(path, (byte)0)];
        return true;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public const uint ElfMagic = 0x464C457F;
        public const byte Class64 = 2;
        public const byte LittleEndian = 1;
        public const ushort Executable = 2;
        public const ushort SharedObject = 3;

        public uint Magic;
        public byte Class;
        public byte Data;
        public byte Version;
        public byte OsAbi;
        public ulong Padding;
        public ushort Type;
        public ushort Machine;
        public uint FileVersion;
        public ulong Entry;
        public ulong ProgramHeaderOffset;
        public ulong SectionHeaderOffset;
        public uint Flags;
        public ushort HeaderSize;
        public ushort ProgramHeaderSize;
        public ushort ProgramHeaderCount;
        public ushort SectionHeaderSize;
        public ushort SectionHeaderCount;
        public ushort SectionNames;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ProgramHeader
    {
        public const uint Load = 1;
        public const uint Interp = 3;
        public const uint GnuStack = 0x6474E551;

        public uint Type;
        public uint Flags;
        public ulong Offset;
        public ulong Address;
        public ulong PhysicalAddress;
        public ulong FileSize;
        public ulong MemorySize;
        public ulong Alignment;
    }
}
