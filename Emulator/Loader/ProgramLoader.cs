using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Loader;

/// <summary>execve(2), up to the point of no return and past it.</summary>
public static class ProgramLoader
{
    /// <summary>Linux follows this many "#!" lines (BINPRM_MAX_RECURSION).</summary>
    private const int MostScripts = 5;
    private const uint SetUserBit = 0x800;
    private const uint SetGroupBit = 0x400;

    /// <summary>
    /// Replaces the thread's program. On failure nothing has changed, and <paramref name="detail"/> says for people what is wrong
    /// with the file.
    /// </summary>
    public static Errno Execute(GuestThread thread, PathEntry file, byte[] path, IReadOnlyList<byte[]> arguments, IReadOnlyList<byte[]> environment, out string detail)
    {
        var program = new ProgramStart(path, arguments, environment);
        PathEntry invoked = file;
        Errno error = FollowScripts(thread, ref file, ref program, out MemoryObject? content, out detail);
        if (error != Errno.None)
            return error;
        error = Prepare(thread, file, content!, program, out AddressSpace? memory, out ElfImage? image, out detail);
        if (error != Errno.None)
            return error;
        Credentials before = thread.Credentials;
        Credentials after = Elevate(thread, file);
        bool gained = after.User != 0 && !(after.Permitted & ~after.Ambient).IsEmpty;
        program = program with { IsSecure = after.EffectiveUser != after.User || after.EffectiveGroup != after.Group || gained };
        thread.Credentials = after;
        error = thread.Process.World.Personality.Start(thread, memory!, image!, program, out ProgramLayout layout);
        if (error != Errno.None)
        {
            thread.Credentials = before;
            memory!.Dispose();
            detail = error == Errno.E2BIG ? "its arguments are too long" : "there is not enough memory";
            return error;
        }
        Commit(thread, file, invoked, memory!, layout);
        return Errno.None;
    }

    private static void Commit(GuestThread thread, PathEntry file, PathEntry invoked, AddressSpace memory, ProgramLayout layout)
    {
        Process process = thread.Process;
        process.KeepOnly(thread);
        process.ReplaceMemory(memory);
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
        thread.RestartableArea = default;
        thread.SavedMask = null;
        byte[] name = invoked.Dentry.Name;
        thread.Name = name.Length > 15 ? name[..15] : name;
        process.Release();
    }

    /// <summary>Opens the program, going through "#!" lines to the interpreter they name.</summary>
    private static Errno FollowScripts(GuestThread thread, ref PathEntry file, ref ProgramStart program, out MemoryObject? content, out string detail)
    {
        Span<byte> start = stackalloc byte[ScriptHeader.Limit];
        for (int depth = 0; depth <= MostScripts; depth++)
        {
            Errno error = OpenExecutable(thread, file, out content, out detail);
            if (error != Errno.None)
                return error;
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
        content = null;
        detail = "its #! lines go in circles";
        return Errno.ELOOP;
    }

    private static Errno OpenExecutable(GuestThread thread, PathEntry file, out MemoryObject? content, out string detail)
    {
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
        error = inode.AcquireContent(forWriting: false);
        if (error != Errno.None)
        {
            detail = "it cannot be read";
            return error;
        }
        error = inode.MapContent(forWriting: false, out content);
        inode.ReleaseContent();
        detail = error == Errno.None ? "" : "it cannot be read";
        return error;
    }

    private static Errno Find(GuestThread thread, byte[] path, out PathEntry? entry)
    {
        var caller = new FileCaller(thread.Process.FileContext, thread.FileCredentials, thread.Call);
        return thread.Process.World.Vfs.Resolve(caller, thread.Process.FileContext.WorkingDirectory, path, WalkFlags.Follow, out entry);
    }

    private static Errno Prepare(
        GuestThread thread, PathEntry file, MemoryObject content, ProgramStart program, out AddressSpace? memory, out ElfImage? image, out string detail)
    {
        memory = null;
        image = null;
        World world = thread.Process.World;
        ElfProblem problem = ElfFile.TryRead(content, world.Personality.ElfMachine, out ElfFile? elf, out detail);
        if (problem != ElfProblem.None)
            return Errno.ENOEXEC;
        ElfFile? interpreter = null;
        MemoryObject? interpreterContent = null;
        if (elf!.Interpreter is { } path)
        {
            Errno error = OpenInterpreter(thread, path, out interpreter, out interpreterContent, out detail);
            if (error != Errno.None)
                return error;
        }
        memory = new AddressSpace(world.Accountant) { Limits = thread.Process.MemoryLimits };
        string name = Encoding.UTF8.GetString(file.FullPath());
        string interpreterName = elf.Interpreter is null ? "" : Encoding.UTF8.GetString(elf.Interpreter);
        problem = ElfLoader.Load(memory, elf, content, name, interpreter, interpreterContent, interpreterName, out image);
        if (problem == ElfProblem.None)
        {
            memory.SetBreakStart(new GuestAddress(image!.BreakStart).PageUp);
            return Errno.None;
        }
        memory.Dispose();
        detail = "there is not enough memory";
        return Errno.ENOMEM;
    }

    private static Errno OpenInterpreter(GuestThread thread, byte[] path, out ElfFile? elf, out MemoryObject? content, out string detail)
    {
        elf = null;
        content = null;
        string name = Encoding.UTF8.GetString(path);
        Errno error = Find(thread, path, out PathEntry? file);
        if (error != Errno.None)
        {
            detail = $"its interpreter {name} is missing";
            return error;
        }
        error = OpenExecutable(thread, file!, out content, out detail);
        if (error == Errno.None && ElfFile.TryRead(content!, thread.Process.World.Personality.ElfMachine, out elf, out detail) != ElfProblem.None)
            error = Errno.ENOEXEC;
        if (error != Errno.None)
            detail = $"its interpreter {name} is unusable: {detail}";
        return error;
    }

    /// <summary>Set-id bits of the file give its owner's rights (execve(2)).</summary>
    private static Credentials Elevate(GuestThread thread, PathEntry file)
    {
        const uint groupExecute = 8;
        Credentials now = thread.Credentials;
        uint user = now.EffectiveUser, group = now.EffectiveGroup;
        FileStatus status = file.Inode.Status;
        if (!file.Mount.NoSetId && !thread.Process.NoNewPrivileges)
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
