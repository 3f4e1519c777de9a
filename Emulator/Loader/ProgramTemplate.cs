using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>A program that was loaded once, for all its further starts. Its files are known by their content; names are those that areas are shown with.</summary>
internal sealed class ProgramTemplate
{
    public required object Program { get; init; }

    public required string Name { get; init; }

    /// <summary>The system whose mark it bears (<see cref="ElfBrand"/>).</summary>
    public required string? Brand { get; init; }

    /// <summary>PT_INTERP's path; null for a static program.</summary>
    public required byte[]? InterpreterPath { get; init; }

    public required MemoryTemplate Memory { get; init; }

    public required HostFileObject ProgramFile { get; init; }

    public required HostFileObject? InterpreterFile { get; init; }

    public required ElfImage Image { get; init; }

    /// <summary>Those who are copying it, and the list that it is in.</summary>
    internal int Users { get; set; } = 1;

    /// <summary>A new program's memory; null when the world has too little.</summary>
    public AddressSpace? Start(MemoryAccountant accountant, MemoryLimits limits, in ElfContent program, in ElfContent interpreter)
    {
        var own = new TemplateContent(ProgramFile, program.Object!, program.Holder);
        return InterpreterFile is null
            ? Memory.Copy(accountant, limits, own)
            : Memory.Copy(accountant, limits, own, new TemplateContent(InterpreterFile, interpreter.Object!, interpreter.Holder));
    }

    /// <summary>Loads a program once more, as a template; null when that fails.</summary>
    public static ProgramTemplate? Make(ElfFile elf, HostFileObject program, string name, ElfFile? interpreter, HostFileObject? interpreterFile, string interpreterName)
    {
        var memory = new AddressSpace(new MemoryAccountant(ulong.MaxValue));
        HostFileObject ownProgram = program.Duplicate();
        HostFileObject? ownInterpreter = interpreterFile?.Duplicate();
        if (ElfLoader.Load(memory, elf, new ElfContent(ownProgram, name, null), interpreter, new ElfContent(ownInterpreter, interpreterName, null), out ElfImage? image) != ElfProblem.None)
        {
            memory.Dispose();
            ownProgram.Release();
            ownInterpreter?.Release();
            return null;
        }
        memory.SetBreakStart(new GuestAddress(image!.BreakStart).PageUp);
        return new ProgramTemplate
        {
            Program = program.Identity!,
            Name = name,
            Brand = ElfBrand.Of(program),
            InterpreterPath = elf.Interpreter,
            Memory = new MemoryTemplate(memory),
            ProgramFile = ownProgram,
            InterpreterFile = ownInterpreter,
            Image = image,
        };
    }

    internal void Free()
    {
        Memory.Dispose();
        ProgramFile.Release();
        InterpreterFile?.Release();
    }
}

/// <summary>The templates of the programs started last, by all worlds of this process of the host. Thread-safe.</summary>
internal static class ProgramTemplates
{
    private const int Most = 32;

    private static readonly Lock Gate = new();

    /// <summary>Those used last at the end.</summary>
    private static readonly List<ProgramTemplate> All = [];

    /// <summary>Programs that were started once: most never are again.</summary>
    private static readonly Queue<object> Seen = [];

    /// <summary>The template of a file, to be given back with <see cref="Release"/>; null when there is none.</summary>
    public static ProgramTemplate? Take(object program, string name)
    {
        lock (Gate)
        {
            for (int i = All.Count - 1; i >= 0; i--)
            {
                ProgramTemplate template = All[i];
                if (!template.Program.Equals(program) || template.Name != name)
                    continue;
                if (i != All.Count - 1)
                {
                    All.RemoveAt(i);
                    All.Add(template);
                }
                template.Users++;
                return template;
            }
            return null;
        }
    }

    /// <summary>True for a file that has a template, under whatever name: it is an ELF program, and need not be read to know whose.</summary>
    public static bool TryGetBrand(MemoryObject content, out string? brand)
    {
        brand = null;
        if (content.Identity is not { } program)
            return false;
        lock (Gate)
        {
            for (int i = All.Count - 1; i >= 0; i--)
            {
                if (!All[i].Program.Equals(program))
                    continue;
                brand = All[i].Brand;
                return true;
            }
        }
        return false;
    }

    public static void Release(ProgramTemplate template)
    {
        bool isLast;
        lock (Gate)
            isLast = --template.Users == 0;
        if (isLast)
            template.Free();
    }

    /// <summary>A file is being started without a template: true when it was before, so that one is worth making.</summary>
    public static bool IsSeenAgain(object program)
    {
        lock (Gate)
        {
            if (Seen.Contains(program))
                return true;
            if (Seen.Count == Most)
                Seen.Dequeue();
            Seen.Enqueue(program);
            return false;
        }
    }

    public static void Add(ProgramTemplate template)
    {
        ProgramTemplate? oldest = null;
        lock (Gate)
        {
            All.Add(template);
            if (All.Count > Most)
            {
                oldest = All[0];
                All.RemoveAt(0);
            }
        }
        if (oldest is not null)
            Release(oldest);
    }
}
