using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Terminals;

namespace Vivarium.Emulator.Kernel;

public sealed partial class Process
{
    /// <summary>The controlling terminal; null when the session has none.</summary>
    public Terminal? Terminal { get; internal set; }

    /// <summary>A session leader's foreground group when its terminal hung up; 0 = none.</summary>
    internal int LostForegroundGroup { get; set; }

    public bool IsSessionLeader => Session == Id;

    /// <summary>TIOCNOTTY: a session leader takes it from its whole session.</summary>
    public void GiveUpTerminal()
    {
        if (IsSessionLeader)
            Terminal?.Leave(this, isExit: false);
        Terminal = null;
    }

    /// <summary>At its end, a session leader's jobs are told that nobody reads their terminal for them.</summary>
    private void LoseTerminal()
    {
        if (!IsSessionLeader)
            return;
        if (Terminal is { } terminal)
        {
            terminal.Leave(this, isExit: true);
        }
        else if (LostForegroundGroup != 0)
        {
            World.HangUpGroup(LostForegroundGroup);
            LostForegroundGroup = 0;
        }
    }
}

public sealed partial class World
{
    /// <summary>
    /// Gives the first process a controlling terminal that is one outside; the result is the description that its standard streams
    /// share, or null when the world has no devpts.
    /// </summary>
    public TerminalFile? ConnectTerminal(Process process, IHostTerminal host)
    {
        var caller = new FileCaller(process.FileContext, FileCredentials.Root);
        if (Vfs.Resolve(caller, Vfs.Root, "/dev/pts"u8, WalkFlags.Follow, out PathEntry? folder) != Errno.None
            || folder!.Inode.FileSystem is not PseudoTerminalFileSystem names
            || names.Create(process.MainThread.FileCredentials.User, host.Settings) is not { } terminal)
        {
            return null;
        }
        terminal.Resize(host.Size);
        terminal.IsLocked = false;
        terminal.Control(process);
        var port = new OutsideTerminal(this, terminal, host);
        PathEntry name = names.Find(folder.Mount, terminal.Number)!;
        var file = new TerminalFile(terminal, name.Inode, name, OpenFlags.ReadWrite);
        port.Read();
        return file;
    }
}
