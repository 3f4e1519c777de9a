using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>An open description of a terminal or of its master.</summary>
public abstract class TerminalEnd(Inode inode, PathEntry? path, OpenFlags flags) : OpenFile(flags)
{
    public override Inode Inode => inode;

    public override PathEntry? Path => path;

    /// <summary>The terminal, of which a master is the other side.</summary>
    public abstract Terminal Terminal { get; }

    /// <summary>The connection was lost: only closing works.</summary>
    public bool IsHungUp { get; protected set; }

    /// <summary>Bytes to read (FIONREAD).</summary>
    public abstract int Unread { get; }

    public abstract void FlushInput();

    public abstract void FlushOutput();

    /// <summary>Stops this end's output or lets it go on.</summary>
    public abstract void SuspendOutput(bool isStopped);

    /// <summary>Sends a character past stopped output.</summary>
    public abstract void SendUrgent(ControlCharacter character);

    /// <summary>The processes that may not use the terminal now (see <see cref="Terminal.CheckAccess"/>); masters are free.</summary>
    public abstract Errno CheckAccess(CallContext call, int signal);
}
