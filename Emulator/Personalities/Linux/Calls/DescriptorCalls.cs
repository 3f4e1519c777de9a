using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Kernel.Pipes;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>dup(2), fcntl(2), ioctl(2): what is done to descriptors and descriptions whatever is behind them.</summary>
public static class DescriptorCalls
{
    public static CallResult Dup(CallContext call, int fd) => Duplicate(call, fd, 0, closeOnExec: false);

    public static CallResult Dup2(CallContext call, int oldFd, int newFd)
    {
        if (call.File(oldFd) is null)
            return Errno.EBADF;
        return oldFd == newFd ? newFd : DuplicateTo(call, oldFd, newFd, closeOnExec: false);
    }

    public static CallResult Dup3(CallContext call, int oldFd, int newFd, uint flags)
    {
        if ((flags & ~Abi.Fcntl.CloseOnExec) != 0 || oldFd == newFd)
            return Errno.EINVAL;
        return DuplicateTo(call, oldFd, newFd, flags != 0);
    }

    private static CallResult DuplicateTo(CallContext call, int oldFd, int newFd, bool closeOnExec)
    {
        FileTable table = call.Process.Files;
        if (!table.IsInRange(newFd) || table.Get(oldFd) is not { } file)
            return Errno.EBADF;
        file.AddReference();
        table.Replace(newFd, file, closeOnExec);
        return newFd;
    }

    private static CallResult Duplicate(CallContext call, int fd, int minimum, bool closeOnExec)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        file.AddReference();
        Errno error = call.Process.Files.Add(file, closeOnExec, out int copy, minimum);
        if (error == Errno.None)
            return copy;
        file.Release();
        return error;
    }

    public static CallResult Fcntl(CallContext call, int fd, uint command, ulong argument)
    {
        const uint CloseOnExec = 1;
        FileTable table = call.Process.Files;
        if (table.Get(fd) is not { } file)
            return Errno.EBADF;
        bool isPath = (file.Flags & OpenFlags.PathOnly) != 0;
        switch (command)
        {
            case 0 or 1030: // F_DUPFD, F_DUPFD_CLOEXEC
                return table.IsInRange((int)argument) ? Duplicate(call, fd, (int)argument, command != 0) : Errno.EINVAL;
            case 1: // F_GETFD
                return table.IsCloseOnExec(fd) ? CloseOnExec : 0;
            case 2: // F_SETFD
                table.SetCloseOnExec(fd, (argument & CloseOnExec) != 0);
                return 0;
            case 3: // F_GETFL
                return Abi.Fcntl.Encode(call, file);
            case 4: // F_SETFL
                OpenFlags wanted = Abi.Fcntl.Decode(call, (uint)argument & ~Abi.Fcntl.PathOnly);
                bool isRefused = (wanted & OpenFlags.Direct) != 0 && !isPath && file.Inode.Kind != FileKind.Fifo && !Abi.Fcntl.CanBeDirect(file);
                return isRefused ? Errno.EINVAL : SetStatus(call, fd, wanted);
            case var _ when isPath:
                return Errno.EBADF;
            case 5 or 6 or 7 or 36 or 37 or 38: // F_GETLK … F_OFD_SETLKW
                return LockCalls.Control(call, file, command, new GuestAddress(argument));
            case 1033: // F_ADD_SEALS
                return AddSeals(file, argument);
            case 1034: // F_GET_SEALS
                return file.Inode.Seals is { } seals ? (long)seals : Errno.EINVAL;
            case 8 or 9 or 10 or 11 or 15 or 16 or 1024 or 1025 or 1026: // F_SETOWN … F_GETOWN_EX, F_SETLEASE, F_GETLEASE, F_NOTIFY
                return FileSignalCalls.Control(call, file, fd, command, argument);
            case 1028: // F_CREATED_QUERY
                return (file.Flags & OpenFlags.Created) != 0 ? 1 : 0;
            case 1031 or 1032 when file is not PipeEnd: // F_SETPIPE_SZ, F_GETPIPE_SZ
                return Errno.EBADF;
            default:
                return file.DescriptorControl(call, command, argument);
        }
    }

    private static CallResult AddSeals(OpenFile file, ulong seals)
    {
        if (!file.CanWrite)
            return Errno.EPERM;
        return (seals & ~(ulong)FileSeals.All) != 0 ? Errno.EINVAL : file.Inode.AddSeals((FileSeals)seals);
    }

    /// <summary>F_SETFL, with the kernel's flags.</summary>
    internal static CallResult SetStatus(CallContext call, int fd, OpenFlags wanted)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        OpenFlags changed = Abi.Fcntl.SetStatus(file.Flags, wanted);
        bool gainsNoAccessTime = (changed & ~file.Flags & OpenFlags.NoAccessTime) != 0;
        if (gainsNoAccessTime && !Permission.IsOwner(file.Inode.Status, call.Thread.FileCredentials))
            return Errno.EPERM;
        if (((changed ^ file.Flags) & OpenFlags.Append) != 0 && (file.Inode.Marks & FileMarks.AppendOnly) != 0)
            return Errno.EPERM;
        // Where there never is news, O_ASYNC stays as it is (setfl in fs/fcntl.c).
        file.SetAsync(call.World, fd, (wanted & OpenFlags.Async) != 0);
        file.Flags = Abi.Fcntl.SetStatus(file.Flags, wanted);
        return 0;
    }

    public static CallResult Ioctl(CallContext call, int fd, uint request, ulong argument)
    {
        const uint SetCloseOnExec = 0x5451;
        const uint ClearCloseOnExec = 0x5450;
        const uint NonBlocking = 0x5421;
        const uint Asynchronous = 0x5452;
        const uint BytesToRead = 0x541B;
        const uint BlockSize = 2;
        const uint Clone = 0x40049409, CloneRange = 0x4020940D, SameRange = 0xC0189436;
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file.IsControlDenied && !LandlockCalls.IsOfAnyFile(request))
            return Errno.EACCES;
        switch (request)
        {
            case SetCloseOnExec or ClearCloseOnExec:
                call.Process.Files.SetCloseOnExec(fd, request == SetCloseOnExec);
                return 0;
            case NonBlocking or Asynchronous:
                if (!call.Memory.TryRead(new GuestAddress(argument), out int on))
                    return Errno.EFAULT;
                if (request == Asynchronous)
                    return file.SetAsync(call.World, fd, on != 0);
                file.Flags = on != 0 ? file.Flags | OpenFlags.NonBlocking : file.Flags & ~OpenFlags.NonBlocking;
                return 0;
            // No file system here shares blocks between files.
            case Clone or CloneRange or SameRange when file.Inode.Kind == FileKind.Regular && (file.Flags & OpenFlags.PathOnly) == 0:
                return CannotShare(call, file, request, argument);
            case BlockSize when (file.Flags & OpenFlags.PathOnly) == 0:
                return call.Memory.TryWrite(new GuestAddress(argument), (int)(file.Inode.FileSystem?.Status.BlockSize ?? (long)GuestAddress.PageSize)) ? 0 : Errno.EFAULT;
            case BytesToRead when file.Pending is { } pending:
                return call.Memory.TryWrite(new GuestAddress(argument), pending) ? 0 : Errno.EFAULT;
            default:
                return DeviceControl(call, file, request, argument);
        }
    }

    /// <summary>FICLONE and its kin: first what is wrong with the other file (ioctl_ficlonerange(2)).</summary>
    private static Errno CannotShare(CallContext call, OpenFile file, uint request, ulong argument)
    {
        const uint Clone = 0x40049409, CloneRange = 0x4020940D;
        long other = (int)argument;
        if (request == CloneRange && !call.Memory.TryRead(new GuestAddress(argument), out other))
            return Errno.EFAULT;
        if (request is not (Clone or CloneRange))
            return Errno.EOPNOTSUPP;
        if (call.File((int)other) is not { } source)
            return Errno.EBADF;
        if (source.Inode.FileSystem != file.Inode.FileSystem)
            return Errno.EXDEV;
        if (source.Inode.Kind == FileKind.Directory)
            return Errno.EISDIR;
        if (source.Inode.Kind != FileKind.Regular)
            return Errno.EINVAL;
        return !source.CanRead || !file.CanWrite || (file.Flags & OpenFlags.Append) != 0 ? Errno.EBADF : Errno.EOPNOTSUPP;
    }

    /// <summary>Requests whose layouts are Linux's own; the rest is the file's.</summary>
    private static CallResult DeviceControl(CallContext call, OpenFile file, uint request, ulong argument) => file switch
    {
        Kernel.Net.Socket socket when InterfaceCalls.Control(call, socket, request, new GuestAddress(argument)) is { } result => result,
        TerminalEnd end => TerminalCalls.Control(call, end, request, argument),
        Kernel.Net.Devices.TunnelFile tunnel => TunnelCalls.Control(call, tunnel, request, new GuestAddress(argument)),
        BlockFile block => BlockCalls.Control(call, block, request, argument),
        LoopControlFile control => LoopCalls.ControlDevices(control.Devices, request, argument),
        Kernel.Events.FaultMonitor monitor => UserFaultCalls.Control(call, monitor, request, new GuestAddress(argument)),
        FaultMonitorDeviceFile => UserFaultCalls.ControlDevice(call, request, argument),
        NamespaceFile space => NamespaceFileCalls.Control(call, space, request, argument),
        ProcessDescriptor process => ProcessInformation.Control(call, process.Process, request, new GuestAddress(argument)),
        _ when request == EntropyCount && file.Inode.Kind == FileKind.CharacterDevice && MemoryDevices.IsRandom(file.Inode.Status.RawDevice) =>
            call.Memory.TryWrite(new GuestAddress(argument), MemoryDevices.Entropy) ? 0 : Errno.EFAULT,
        _ when MapsQueryCalls.Control(call, file, request, new GuestAddress(argument)) is { } answer => answer,
        _ when FileMapCalls.Control(call, file, request, new GuestAddress(argument)) is { } result => result,
        _ when FileAttributeCalls.Control(call, file, request, new GuestAddress(argument)) is { } result => result,
        _ => file.Control(call, request, argument),
    };

    /// <summary>RNDGETENTCNT (random(4)).</summary>
    private const uint EntropyCount = 0x80045200;
}
