using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>The devices of major number 5: /dev/tty, the caller's terminal, and /dev/ptmx, which makes pseudo-terminals (tty(4), pts(4)).</summary>
public static class TerminalDevices
{
    public const uint AuxiliaryMajor = 5;
    public const uint Current = 0;
    public const uint Multiplexer = 2;
    public const uint SlaveMajor = 136;

    public static void Register(DeviceTable devices)
    {
        devices.Register(FileKind.CharacterDevice, AuxiliaryMajor, Current, OpenCurrent);
        devices.Register(FileKind.CharacterDevice, AuxiliaryMajor, Multiplexer, OpenMaster);
    }

    /// <summary>Opens a terminal: EIO while it is locked or when its other side is gone, EBUSY when it is exclusive.</summary>
    internal static Errno Open(Terminal terminal, Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        if (terminal.IsLocked || terminal.IsDisconnected)
            return Errno.EIO;
        if (terminal.IsExclusive && !call.Thread.Credentials.IsPrivileged)
            return Errno.EBUSY;
        file = new TerminalFile(terminal, inode, path, flags);
        (terminal.Port as PseudoTerminal)?.OnSlaveOpened();
        if ((flags & OpenFlags.NoControllingTty) == 0 && (flags & OpenFlags.Read) != 0)
            terminal.ControlOpener(call.Process);
        return Errno.None;
    }

    private static Errno OpenCurrent(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        return call.Process.Terminal is { } terminal
            ? Open(terminal, inode, path, flags | OpenFlags.NoControllingTty, call, out file)
            : Errno.ENXIO;
    }

    private static Errno OpenMaster(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        if (FindFileSystem(inode, path) is not { } fileSystem)
            return Errno.ENODEV;
        if (fileSystem.Create(call.Thread.FileCredentials.User, TerminalSettings.Standard) is not { } terminal)
            return Errno.ENOSPC;
        file = new MasterFile(new PseudoTerminal(terminal), fileSystem, inode, path, flags, fileSystem.RemoveName);
        return Errno.None;
    }

    /// <summary>The instance a ptmx belongs to: its own, or the one mounted at "pts" beside it.</summary>
    private static PseudoTerminalFileSystem? FindFileSystem(Inode inode, PathEntry path)
    {
        if (inode.FileSystem is PseudoTerminalFileSystem own)
            return own;
        return MountBeside(path)?.FileSystem as PseudoTerminalFileSystem;
    }

    private static Mount? MountBeside(PathEntry path) =>
        path.Dentry.Parent is { } folder && folder.Find("pts"u8, out Dentry point) == Errno.None ? path.Mount.On(point) : null;

    /// <summary>Opens the terminal of a master, by whatever name its file system has (TIOCGPTPEER).</summary>
    public static Errno OpenPeer(MasterFile master, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        PathEntry path = master.Path!;
        Mount? mount = ReferenceEquals(path.Mount.FileSystem, master.FileSystem) ? path.Mount : MountBeside(path);
        if (mount is null || master.FileSystem.Find(mount, master.Terminal.Number) is not { } name)
            return Errno.ENODEV;
        return name.Inode.Open(name, flags, call, out file);
    }
}
