using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>A program in memory: what the auxiliary vector tells it about itself.</summary>
public sealed record ElfImage
{
    /// <summary>The machine it is for.</summary>
    public required ushort Machine { get; init; }

    /// <summary>Where to start: the interpreter's entry when there is one.</summary>
    public required ulong Start { get; init; }

    /// <summary>The program's own entry (AT_ENTRY).</summary>
    public required ulong Entry { get; init; }

    /// <summary>The interpreter's bias (AT_BASE); 0 without one.</summary>
    public required ulong InterpreterBase { get; init; }

    /// <summary>The program headers in memory (AT_PHDR).</summary>
    public required ulong HeadersAddress { get; init; }
    public required int HeaderSize { get; init; }
    public required int HeaderCount { get; init; }

    /// <summary>From the first to the last byte of the file's segments with code (load_elf_binary in fs/binfmt_elf.c).</summary>
    public required ulong CodeStart { get; init; }
    public required ulong CodeEnd { get; init; }

    /// <summary>Where the last segment begins, and what of the file lies highest.</summary>
    public required ulong DataStart { get; init; }
    public required ulong DataEnd { get; init; }

    /// <summary>End of the program's last segment: where the heap begins.</summary>
    public required ulong BreakStart { get; init; }
    public required bool ExecutableStack { get; init; }
}

/// <summary>An ELF file's bytes, the name its mappings have, and what is kept as long as it is mapped.</summary>
public readonly record struct ElfContent(MemoryObject? Object, string Name, IMappingHolder? Holder);

/// <summary>What /proc/PID/stat tells of a program's segments, before they are moved.</summary>
internal readonly record struct ElfExtent(ulong CodeStart, ulong CodeEnd, ulong DataStart, ulong DataEnd)
{
    public static ElfExtent Of(ElfFile program)
    {
        (ulong codeStart, ulong codeEnd, ulong dataStart, ulong dataEnd) = (ulong.MaxValue, 0, 0, 0);
        foreach (ElfSegment segment in program.Segments)
        {
            ulong end = segment.Address + segment.FileSize;
            if ((segment.Protection & Protection.Execute) != 0)
                (codeStart, codeEnd) = (Math.Min(codeStart, segment.Address), Math.Max(codeEnd, end));
            (dataStart, dataEnd) = (Math.Max(dataStart, segment.Address), Math.Max(dataEnd, end));
        }
        return new ElfExtent(codeStart, codeEnd, dataStart, dataEnd);
    }
}

/// <summary>Maps ELF programs into an address space.</summary>
public static class ElfLoader
{
    /// <summary>Maps a program and its interpreter.</summary>
    public static ElfProblem Load(
        AddressSpace memory, ElfFile program, in ElfContent file, ElfFile? interpreter, in ElfContent interpreterFile, out ElfImage? image)
    {
        image = null;
        ulong bias = program.IsRelocatable ? AddressSpace.ProgramBase - program.LowestAddress : 0;
        if (!TryMap(memory, program, file, bias))
            return ElfProblem.NoMemory;
        ulong interpreterBias = 0;
        if (interpreter is not null)
        {
            if (!TryPlace(memory, interpreter, out interpreterBias) || !TryMap(memory, interpreter, interpreterFile, interpreterBias))
                return ElfProblem.NoMemory;
        }
        ElfExtent extent = ElfExtent.Of(program);
        image = new ElfImage
        {
            Machine = program.Machine,
            Start = interpreter is null ? program.Entry + bias : interpreter.Entry + interpreterBias,
            Entry = program.Entry + bias,
            InterpreterBase = interpreterBias,
            HeadersAddress = program.HeadersAddress == 0 ? 0 : program.HeadersAddress + bias,
            HeaderSize = program.HeaderSize,
            HeaderCount = program.HeaderCount,
            CodeStart = extent.CodeStart + bias,
            CodeEnd = extent.CodeEnd + bias,
            DataStart = extent.DataStart + bias,
            DataEnd = extent.DataEnd + bias,
            BreakStart = program.HighestEnd + bias,
            ExecutableStack = program.ExecutableStack,
        };
        return ElfProblem.None;
    }

    /// <summary>A free place for all of a relocatable file's segments together.</summary>
    private static bool TryPlace(AddressSpace memory, ElfFile elf, out ulong bias)
    {
        bias = 0;
        if (!elf.IsRelocatable)
            return true;
        ulong length = elf.HighestEnd - elf.LowestAddress;
        if (memory.Map(new MapRequest(default, length, Protection.None, Placement.Image), out GuestAddress place) != MapStatus.Ok)
            return false;
        memory.Unmap(place, length);
        bias = place.Value - elf.LowestAddress;
        return true;
    }

    private static bool TryMap(AddressSpace memory, ElfFile elf, in ElfContent file, ulong bias)
    {
        foreach (ElfSegment segment in elf.Segments)
        {
            if (!TryMap(memory, segment, file, bias))
                return false;
        }
        return true;
    }

    /// <summary>Maps the file's part, clears the rest of its last page, and maps the zero pages behind it.</summary>
    private static bool TryMap(AddressSpace memory, in ElfSegment segment, in ElfContent file, ulong bias)
    {
        const ulong page = GuestAddress.PageSize;
        ulong start = segment.Start + bias;
        ulong inPage = segment.Address - segment.Start;
        ulong fileEnd = segment.FileSize == 0 ? start : (segment.Address + bias + segment.FileSize + page - 1) & ~(page - 1);
        if (fileEnd > start)
        {
            var request = new MapRequest(
                new GuestAddress(start), fileEnd - start, segment.Protection, Placement.Fixed, Object: file.Object, Offset: segment.FileOffset - inPage, Name: file.Name, Holder: file.Holder);
            if (memory.Map(request, out _) != MapStatus.Ok)
                return false;
            ulong clearFrom = segment.Address + bias + segment.FileSize;
            // A file cut off inside the page has nothing to clear there; its pages fault when touched, as on Linux.
            if ((segment.Protection & Protection.Write) != 0 && segment.MemorySize > segment.FileSize && clearFrom < fileEnd)
                memory.View(new GuestAddress(clearFrom), fileEnd - clearFrom, MemoryAccess.Write).Clear();
        }
        ulong end = segment.End + bias;
        return end <= fileEnd || memory.Map(new MapRequest(new GuestAddress(fileEnd), end - fileEnd, segment.Protection, Placement.Fixed), out _) == MapStatus.Ok;
    }
}
