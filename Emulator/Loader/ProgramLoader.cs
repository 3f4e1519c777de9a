using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>What its user says that a program is for, over what the program says itself; null leaves it to the program.</summary>
public readonly record struct ProgramChoice(IPersonality? System, Architecture? Processor);

/// <summary>execve(2), up to the point of no return and past it.</summary>
public static class ProgramLoader
{
    /// <summary>Linux follows this many "#!" lines (BINPRM_MAX_RECURSION).</summary>
    private const int MostScripts = 5;
    private const string NoMemory = "there is not enough memory";
    private const uint SetUserBit = 0x800;
    private const uint SetGroupBit = 0x400;

    /// <summary>
    /// Replaces the thread's program. On failure nothing has changed, and <paramref name="detail"/> says for people what is wrong
    /// with the file.
    /// </summary>
    /// <param name="isUnnamed">It was given by a descriptor alone (AT_EMPTY_PATH).</param>
    /// <param name="choice">What the program is taken for, whatever it says itself.</param>
    public static Errno Execute(
        GuestThread thread, PathEntry file, byte[] path, IReadOnlyList<byte[]> arguments, IReadOnlyList<byte[]> environment, out string detail, bool isUnnamed = false, ProgramChoice choice = default)
    {
        var program = new ProgramStart(path, arguments, environment);
        byte[] name = NameOf(isUnnamed ? [] : path, file);
        Errno error = FollowScripts(thread, ref file, ref program, out OpenFile? opened, out MemoryObject? content, out detail);
        if (error != Errno.None)
            return error;
        AddressSpace? memory = null;
        ElfImage? image = null;
        error = FindSystem(thread, content!, choice.System, out IPersonality system, out detail);
        if (error == Errno.None && choice.Processor is { } processor && ElfFile.MachineOf(content!) is { } machine && machine != Processors.ElfMachine(processor))
        {
            detail = $"an ELF program for {ElfFile.MachineName(machine)}, not {ElfFile.MachineName(Processors.ElfMachine(processor))} as asked for";
            error = Errno.ENOEXEC;
        }
        if (error == Errno.None)
            error = Prepare(thread, system, opened!, content!, out memory, out image, out detail);
        // Its mappings keep it from here on.
        opened!.Release();
        if (error != Errno.None)
            return error;
        Credentials before = thread.Credentials;
        Credentials after = Elevate(thread, file);
        bool gained = after.User != 0 && !(after.Permitted & ~after.Ambient).IsEmpty;
        program = program with { IsSecure = after.EffectiveUser != after.User || after.EffectiveGroup != after.Group || gained };
        thread.Credentials = after;
        error = system.Start(thread, memory!, image!, program, out ProgramLayout layout);
        if (error != Errno.None)
        {
            thread.Credentials = before;
            memory!.Dispose();
            detail = error == Errno.E2BIG ? "its arguments are too long" : NoMemory;
            return error;
        }
        memory!.Settle();
        Commit(thread, system, file, name, memory, layout);
        return Errno.None;
    }

    private static void Commit(GuestThread thread, IPersonality system, PathEntry file, byte[] name, AddressSpace memory, ProgramLayout layout)
    {
        Process process = thread.Process;
        process.KeepOnly(thread);
        process.Personality = system;
        process.ReplaceMemory(memory, file.Inode);
        thread.EnterTime();
        process.Executable = file;
        process.Layout = layout;
        process.HasExecuted = true;
        process.UnshareFiles();
        process.Files.CloseOnExec();
        process.Actions = process.Actions.Copy();
        process.Actions.DropHandlers();
        process.DropPosixTimers();
        thread.AlternateStack = default;
        thread.AlternateStackSize = 0;
        thread.AlternateStackFlags = 0;
        thread.ClearChildTid = default;
        thread.RobustList = default;
        thread.RobustLists = default;
        thread.RestartableArea = default;
        thread.SavedMask = null;
        thread.Name = name;
        process.Release();
        process.World.OnExecuted(process);
    }

    /// <summary>A thread is named after the last part of the path as it was given; started by a descriptor alone, after the file.</summary>
    private static byte[] NameOf(byte[] path, PathEntry file)
    {
        const int longest = 15;
        byte[] name = path.Length == 0 ? file.Dentry.Name : path[(Array.LastIndexOf(path, (byte)'/') + 1)..];
        return name.Length > longest ? name[..longest] : name;
    }

    /// <summary>Opens the program, which the caller closes, going through "#!" lines to the interpreter they name.</summary>
    private static Errno FollowScripts(GuestThread thread, ref PathEntry file, ref ProgramStart program, out OpenFile? opened, out MemoryObject? content, out string detail)
    {
        OpenFile? script = null;
        Errno error = FollowScripts(thread, ref file, ref program, ref script, out opened, out content, out detail);
        script?.Release();
        if (error != Errno.None)
            opened?.Release();
        return error;
    }

    private static Errno FollowScripts(
        GuestThread thread, ref PathEntry file, ref ProgramStart program, ref OpenFile? previous, out OpenFile? opened, out MemoryObject? content, out string detail)
    {
        Span<byte> start = stackalloc byte[ScriptHeader.Limit];
        for (int depth = 0; depth <= MostScripts; depth++)
        {
            Errno error = OpenExecutable(thread, file, out opened, out content, out detail);
            // A script stays open until its interpreter is.
            previous?.Release();
            previous = null;
            if (error != Errno.None)
                return error;
            if (ProgramTemplates.TryGetBrand(content!, out _))
                return Errno.None;
            int length = content!.Read(0, start);
            if (ScriptHeader.Parse(start[..length]) is not { } script)
            {
                if (length >= 2 && start[0] == '#' && start[1] == '!')
                {
                    detail = "its #! line names no interpreter";
                    return Errno.ENOEXEC;
                }
                return Errno.None;
            }
            previous = opened;
            opened = null;
            byte[][] front = script.Argument is { } argument ? [script.Interpreter, argument, program.Path] : [script.Interpreter, program.Path];
            program = program with { Path = program.Path, Arguments = [.. front, .. program.Arguments.Skip(1)] };
            error = Find(thread, script.Interpreter, out PathEntry? interpreter);
            if (error != Errno.None)
            {
                detail = $"its interpreter {Encoding.UTF8.GetString(script.Interpreter)} cannot be opened";
                return error;
            }
            file = interpreter!;
            program = program with { Path = script.Interpreter };
        }
        opened = null;
        content = null;
        detail = "its #! lines go in circles";
        return Errno.ELOOP;
    }

    private static Errno OpenExecutable(GuestThread thread, PathEntry file, out OpenFile? opened, out MemoryObject? content, out string detail)
    {
        opened = null;
        content = null;
        Inode inode = file.Inode;
        if (inode.Kind != FileKind.Regular || file.Mount.NoExecute)
        {
            detail = inode.Kind == FileKind.Directory ? "it is a directory" : "it is not a regular file";
            return Errno.EACCES;
        }
        detail = "no permission to execute it";
        Errno error = Permission.Check(inode, FileAccessKind.Execute, thread.FileCredentials);
        if (error != Errno.None)
            return error;
        var caller = new FileCaller(thread.Process.FileContext, thread.FileCredentials, thread.Call);
        error = Vfs.OpenToExecute(caller, file, out opened);
        detail = error == Errno.ETXTBSY ? "it is being written" : "it cannot be read";
        if (error != Errno.None)
            return error;
        error = inode.MapContent(forWriting: false, out content);
        if (error != Errno.None)
        {
            opened!.Release();
            opened = null;
            return error;
        }
        inode.Accessed();
        FileNotifier.OnFile(opened!, FileChange.Accessed);
        detail = "";
        return Errno.None;
    }

    private static Errno Find(GuestThread thread, byte[] path, out PathEntry? entry)
    {
        var caller = new FileCaller(thread.Process.FileContext, thread.FileCredentials, thread.Call);
        return thread.Process.World.Vfs.Resolve(caller, thread.Process.FileContext.WorkingDirectory, path, WalkFlags.Follow, out entry);
    }

    /// <summary>
    /// The system of a program: the one chosen, else the one whose mark it bears, else the world's. A thread whose calls are filtered stays
    /// with the one whose numbers the filter means.
    /// </summary>
    private static Errno FindSystem(GuestThread thread, MemoryObject content, IPersonality? chosen, out IPersonality system, out string detail)
    {
        detail = "";
        string? brand = null;
        if (chosen is null && !ProgramTemplates.TryGetBrand(content, out brand))
            brand = ElfBrand.Of(content);
        system = chosen ?? (brand is null ? thread.Process.World.Personality : thread.Process.World.FindSystem(brand)!);
        if (system is null)
        {
            detail = $"a program for {brand}, which is not supported";
            return Errno.ENOEXEC;
        }
        return thread.Filter is null || system == thread.Process.Personality ? Errno.None : Errno.EACCES;
    }

    private static Errno Prepare(
        GuestThread thread, IPersonality system, OpenFile file, MemoryObject content, out AddressSpace? memory, out ElfImage? image, out string detail)
    {
        World world = thread.Process.World;
        string name = Encoding.UTF8.GetString(file.Path!.FullPath());
        bool mayCopy = content.Identity is not null && thread.Process.MemoryLimits is { Total: ulong.MaxValue, Data: ulong.MaxValue };
        if (mayCopy && ProgramTemplates.Take(content.Identity!, name) is { } template)
        {
            // It may have been made by another system, which has programs for more processors.
            memory = null;
            bool isCopied = system.Runs(template.Image.Machine) && TryCopy(thread, new ElfContent(content, name, file), template, out memory);
            image = template.Image;
            ProgramTemplates.Release(template);
            detail = isCopied && memory is null ? NoMemory : "";
            if (isCopied)
                return memory is null ? Errno.ENOMEM : Errno.None;
        }
        memory = null;
        image = null;
        ElfProblem problem = ElfFile.TryRead(content, system, out ElfFile? elf, out detail);
        if (problem != ElfProblem.None)
            return Errno.ENOEXEC;
        ElfFile? interpreter = null;
        MemoryObject? interpreterContent = null;
        OpenFile? interpreterFile = null;
        if (elf!.Interpreter is { } path)
        {
            Errno error = OpenInterpreter(thread, system, path, out interpreterFile, out interpreter, out interpreterContent, out detail);
            if (error != Errno.None)
                return error;
        }
        if (interpreter is not null && interpreter.Machine != elf.Machine)
        {
            interpreterFile!.Release();
            detail = $"its interpreter {Encoding.UTF8.GetString(elf.Interpreter!)} is for {ElfFile.MachineName(interpreter.Machine)}";
            return Errno.ENOEXEC;
        }
        memory = new AddressSpace(world.Accountant) { Limits = thread.Process.MemoryLimits };
        string interpreterName = elf.Interpreter is null ? "" : Encoding.UTF8.GetString(elf.Interpreter);
        problem = ElfLoader.Load(memory, elf, new ElfContent(content, name, file), interpreter, new ElfContent(interpreterContent, interpreterName, interpreterFile), out image);
        interpreterFile?.Release();
        if (problem == ElfProblem.None)
        {
            memory.SetBreakStart(new GuestAddress(image!.BreakStart).PageUp);
            if (mayCopy)
                KeepTemplate(elf, content, name, interpreter, interpreterContent, interpreterName);
            return Errno.None;
        }
        memory.Dispose();
        detail = NoMemory;
        return Errno.ENOMEM;
    }

    /// <summary>Starts from a template; false when its interpreter is another one here.</summary>
    private static bool TryCopy(GuestThread thread, in ElfContent program, ProgramTemplate template, out AddressSpace? memory)
    {
        memory = null;
        OpenFile? opened = null;
        MemoryObject? interpreter = null;
        if (template.InterpreterPath is { } path && (Find(thread, path, out PathEntry? file) != Errno.None || OpenExecutable(thread, file!, out opened, out interpreter, out _) != Errno.None))
            return false;
        bool isSame = interpreter is null || template.InterpreterFile!.Identity!.Equals(interpreter.Identity);
        if (isSame)
            memory = template.Start(thread.Process.World.Accountant, thread.Process.MemoryLimits, program, new ElfContent(interpreter, "", opened));
        opened?.Release();
        return isSame;
    }

    private static void KeepTemplate(ElfFile elf, MemoryObject content, string name, ElfFile? interpreter, MemoryObject? interpreterContent, string interpreterName)
    {
        if (content is not HostFileObject program || (interpreterContent is not null && interpreterContent.Identity is null) || !ProgramTemplates.IsSeenAgain(content.Identity!))
            return;
        if (ProgramTemplate.Make(elf, program, name, interpreter, interpreterContent as HostFileObject, interpreterName) is { } template)
            ProgramTemplates.Add(template);
    }

    private static Errno OpenInterpreter(GuestThread thread, IPersonality system, byte[] path, out OpenFile? opened, out ElfFile? elf, out MemoryObject? content, out string detail)
    {
        opened = null;
        elf = null;
        content = null;
        string name = Encoding.UTF8.GetString(path);
        Errno error = Find(thread, path, out PathEntry? file);
        if (error != Errno.None)
        {
            detail = $"its interpreter {name} is missing";
            return error;
        }
        error = OpenExecutable(thread, file!, out opened, out content, out detail);
        if (error == Errno.None && ElfFile.TryRead(content!, system, out elf, out detail) != ElfProblem.None)
            error = Errno.ENOEXEC;
        if (error == Errno.None)
            return error;
        opened?.Release();
        detail = $"its interpreter {name} is unusable: {detail}";
        return error;
    }

    /// <summary>Set-id bits of the file give its owner's rights (execve(2)), but not to a process that is traced as a whole (ptrace(2) of the BSDs).</summary>
    private static Credentials Elevate(GuestThread thread, PathEntry file)
    {
        const uint groupExecute = 8;
        Credentials now = thread.Credentials;
        uint user = now.EffectiveUser, group = now.EffectiveGroup;
        FileStatus status = file.Inode.Status;
        if (!file.Mount.NoSetId && !thread.Process.NoNewPrivileges && thread.Process.Trace is null)
        {
            if ((status.Mode & SetUserBit) != 0)
                user = status.User;
            if ((status.Mode & (SetGroupBit | groupExecute)) == (SetGroupBit | groupExecute))
                group = status.Group;
        }
        bool changes = user != now.EffectiveUser || group != now.EffectiveGroup;
        return (now with { EffectiveUser = user, EffectiveGroup = group }).AfterExecute(changes || user != now.User || group != now.Group);
    }
}
