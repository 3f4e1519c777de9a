using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What administrators ask of the system as a whole: syslog(2), swapon(2), reboot(2), ustat(2), sysfs(2).</summary>
public static class AdministrationCalls
{
    /// <summary>Commands of syslog(2); as with dmesg_restrict, all of them are CAP_SYSLOG's.</summary>
    public static CallResult Syslog(CallContext call, int command, GuestAddress buffer, int length)
    {
        const int close = 0, open = 1, read = 2, readAll = 3, readClear = 4, clear = 5, consoleOff = 6, consoleOn = 7, consoleLevel = 8, unread = 9, capacity = 10;
        if (!call.Thread.Credentials.Has(Capability.SystemLog))
            return Errno.EPERM;
        KernelLog log = call.World.Log;
        switch (command)
        {
            case close or open or consoleOff or consoleOn:
                return 0;
            case read or readAll or readClear:
                if (buffer.IsNull || length < 0)
                    return Errno.EINVAL;
                return length == 0 ? 0 : command == read ? Follow(call, log, buffer, length) : ReadLog(call, log, buffer, length, clears: command == readClear);
            case clear:
                log.Clear();
                return 0;
            case consoleLevel:
                return length is < 1 or > 8 ? Errno.EINVAL : 0;
            case unread:
                return log.Unread;
            case capacity:
                return KernelLog.Capacity;
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult Follow(CallContext call, KernelLog log, GuestAddress buffer, int length)
    {
        ReadOnlySpan<byte> text = log.Next(length);
        if (text.IsEmpty)
            return call.Wait(log.Source);
        if (!call.Memory.TryWrite(buffer, text))
            return Errno.EFAULT;
        log.Advance(text.Length);
        return text.Length;
    }

    private static CallResult ReadLog(CallContext call, KernelLog log, GuestAddress buffer, int length, bool clears)
    {
        ReadOnlySpan<byte> text = log.Last(length);
        if (!call.Memory.TryWrite(buffer, text))
            return Errno.EFAULT;
        int count = text.Length;
        if (clears)
            log.Clear();
        return count;
    }

    /// <summary>swapon(2): an area is opened to be read and written, whatever its mode says of the caller.</summary>
    public static CallResult Swapon(CallContext call, GuestAddress path, int flags)
    {
        const int known = 0x7FFF | 0x8000 | 0x10000 | 0x20000 | 0x40000, hasPriority = 0x8000, priorityMask = 0x7FFF;
        if ((flags & ~known) != 0)
            return Errno.EINVAL;
        Errno error = FindSwap(call, path, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (entry.Inode.Kind == FileKind.Directory)
            return Errno.EISDIR;
        if (entry.Inode.Kind is not (FileKind.Regular or FileKind.BlockDevice))
            return Errno.EINVAL;
        var caller = new FileCaller(call.Process.FileContext, call.Thread.FileCredentials, call);
        error = Vfs.OpenEntry(caller, entry, OpenFlags.ReadWrite, out OpenFile? file);
        if (error != Errno.None)
            return error;
        error = call.World.Vfs.Swaps.Add(file!, (flags & hasPriority) != 0 ? flags & priorityMask : null);
        file!.Release();
        return error;
    }

    public static CallResult Swapoff(CallContext call, GuestAddress path)
    {
        Errno error = FindSwap(call, path, out PathEntry entry);
        return error != Errno.None ? error : call.World.Vfs.Swaps.Remove(entry.Inode);
    }

    private static Errno FindSwap(CallContext call, GuestAddress path, out PathEntry entry)
    {
        entry = null!;
        return call.Thread.Credentials.Has(Capability.Administer) ? call.Locate(-100, path, 0, out entry) : Errno.EPERM;
    }

    /// <summary>Keeps records of processes that end, in the caller's space of process ids, in a regular file that is there; NULL ends that (acct(2)).</summary>
    public static CallResult Acct(CallContext call, GuestAddress name)
    {
        if (!call.Thread.Credentials.Has(Capability.Account) || !call.Thread.Namespaces.Rules(null))
            return Errno.EPERM;
        if (name.IsNull)
        {
            call.Pids.SetAccount(null, call.Process);
            return 0;
        }
        Errno error = call.ReadPath(name, out byte[] path);
        if (error == Errno.None && path.Length == 0)
            error = Errno.ENOENT;
        PathEntry directory = call.Process.FileContext.WorkingDirectory;
        OpenFile? file = null;
        if (error == Errno.None)
            error = call.World.Vfs.Open(call.Caller(), directory, path, OpenFlags.Write | OpenFlags.Append, 0, WalkFlags.None, out file);
        if (error == Errno.EAGAIN && call.Sources.Count > 0)
            return call.Wait();
        if (error != Errno.None)
            return error;
        if (file!.Inode.Kind != FileKind.Regular)
        {
            file.Release();
            return Errno.EACCES;
        }
        call.Pids.SetAccount(new ProcessAccount(call.World, file, AccountRecord.Of), call.Process);
        return 0;
    }

    /// <summary>
    /// Ends the name space of process ids, or the world, whose end is a container's: the first process is killed, and its status says
    /// SIGHUP for a restart, SIGINT for a halt (reboot(2), "Behavior inside PID namespaces").
    /// </summary>
    public static CallResult Reboot(CallContext call, int first, int second, uint command, GuestAddress argument)
    {
        const int magic = unchecked((int)0xfee1dead);
        const uint restart = 0x01234567, restartWith = 0xA1B2C3D4, halt = 0xCDEF0123, powerOff = 0x4321FEDC, keysOn = 0x89ABCDEF, keysOff = 0;
        PidSpace space = call.Pids;
        if (!call.Thread.Credentials.Has(Capability.Boot) || !call.Thread.Namespaces.Rules(space.Owner))
            return Errno.EPERM;
        if (first != magic || second is not (672274793 or 85072278 or 369367448 or 537993216))
            return Errno.EINVAL;
        // Ctrl-Alt-Del, which no keyboard sends here: the first space's alone to set.
        if (command is keysOn or keysOff && space.IsFirst)
            return 0;
        int? signal = command switch
        {
            restart or restartWith => Signal.HangUp,
            halt or powerOff => Signal.Interrupt,
            _ => null,
        };
        if (signal is not { } told)
            return Errno.EINVAL;
        (space.Init ?? call.World.First!).Exit(WaitStatus.OfSignal(told, dumpedCore: false));
        return CallResult.NoReturn;
    }

    /// <summary>Free space of the file system on a device (ustat(2)): struct ustat.</summary>
    public static CallResult Ustat(CallContext call, uint device, GuestAddress buffer)
    {
        foreach (Mount mount in Vfs.Mounts(call.Process.FileContext.Root.Mount))
        {
            if ((uint)mount.FileSystem.Root.Status.Device != device)
                continue;
            FileSystemStatus status = mount.FileSystem.Status;
            Span<byte> told = stackalloc byte[32];
            told.Clear();
            BitConverter.TryWriteBytes(told, (int)status.FreeBlocks);
            BitConverter.TryWriteBytes(told[8..], status.FreeFiles);
            return call.Memory.TryWrite(buffer, told) ? 0 : Errno.EFAULT;
        }
        return Errno.EINVAL;
    }

    /// <summary>Types of file systems by number (sysfs(2)), in the order of /proc/filesystems.</summary>
    public static CallResult Sysfs(CallContext call, int option, ulong first, ulong second)
    {
        const int toIndex = 1, toName = 2, tellCount = 3, longest = 4096;
        IReadOnlyList<string> types = Kernel.Files.Proc.ProcFileSystem.Types;
        switch (option)
        {
            case toIndex:
                if (call.Memory.ReadCString(new GuestAddress(first), longest, out bool tooLong) is not { } name)
                    return tooLong ? Errno.ENAMETOOLONG : Errno.EFAULT;
                string wanted = Encoding.Latin1.GetString(name);
                for (int i = 0; i < types.Count; i++)
                {
                    if (types[i] == wanted)
                        return i;
                }
                return Errno.EINVAL;
            case toName:
                if ((uint)first >= (uint)types.Count)
                    return Errno.EINVAL;
                return call.Memory.TryWrite(new GuestAddress(second), Encoding.Latin1.GetBytes(types[(int)(uint)first] + "\0")) ? 0 : Errno.EFAULT;
            case tellCount:
                return types.Count;
            default:
                return Errno.EINVAL;
        }
    }
}
