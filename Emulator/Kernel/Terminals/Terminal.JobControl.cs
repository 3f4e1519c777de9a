using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>The session a terminal controls, and its foreground and background groups (POSIX.1 section 11.1, setpgid(2)).</summary>
public sealed partial class Terminal
{
    /// <summary>The session whose controlling terminal it is; 0 = none.</summary>
    public int Session { get; private set; }

    /// <summary>The group that may read; 0 = none.</summary>
    public int ForegroundGroup { get; private set; }

    /// <summary>Makes it the controlling terminal of a session leader, or of the first process, whose session's leader is outside.</summary>
    public void Control(Process process)
    {
        Session = process.Session;
        ForegroundGroup = process.Group;
        process.Terminal = this;
        process.LostForegroundGroup = 0;
    }

    /// <summary>
    /// What opening a terminal without O_NOCTTY does: it becomes the terminal of a session leader that has none.
    /// </summary>
    internal void ControlOpener(Process process)
    {
        if (process.IsSessionLeader && process.Terminal is null && Session == 0)
            Control(process);
    }

    /// <summary>TIOCSCTTY. <paramref name="steals"/>: takes it from another session, which privileged processes may.</summary>
    public Errno TakeControl(CallContext call, bool canRead, bool steals)
    {
        Process process = call.Process;
        if (process.IsSessionLeader && process.Session == Session)
            return Errno.None;
        if (!process.IsSessionLeader || process.Terminal is not null)
            return Errno.EPERM;
        bool isPrivileged = call.Thread.Credentials.IsPrivileged;
        if (Session != 0 && !(steals && isPrivileged))
            return Errno.EPERM;
        if (!canRead && !isPrivileged)
            return Errno.EPERM;
        if (Session != 0)
            ForgetSession();
        Control(process);
        return Errno.None;
    }

    /// <summary>
    /// May this process use the terminal now? Background groups are stopped by <paramref name="signal"/>: EINTR, and the call goes on
    /// when they are in the foreground. EIO when they cannot be stopped. Output of groups that heed no SIGTTOU is let through.
    /// </summary>
    internal Errno CheckAccess(CallContext call, int signal)
    {
        Process process = call.Process;
        if (process.Terminal != this || ForegroundGroup == 0 || process.Group == ForegroundGroup)
            return Errno.None;
        bool isUnheeded = call.Thread.Blocked.Contains(signal) || process.Actions[signal].Handler == SignalAction.Ignore;
        if (isUnheeded)
            return signal == Signals.Signal.TerminalInput ? Errno.EIO : Errno.None;
        if (_world.IsOrphaned(process.Group, null))
            return Errno.EIO;
        if (!call.Interrupted)
            _world.SendGroup(process.Group, FromKernel(signal));
        return Errno.EINTR;
    }

    /// <summary>TIOCSPGRP.</summary>
    public Errno SetForegroundGroup(CallContext call, int group)
    {
        if (group < 0)
            return Errno.EINVAL;
        Process process = call.Process;
        if (process.Terminal != this || Session != process.Session)
            return Errno.ENOTTY;
        if (_world.FindGroup(group) is not { } member)
            return Errno.ESRCH;
        if (member.Session != process.Session)
            return Errno.EPERM;
        ForegroundGroup = group;
        return Errno.None;
    }

    /// <summary>
    /// The session leader gives the terminal up or ends: the foreground group is told, and the whole session has no terminal any more
    /// (disassociate_ctty).
    /// </summary>
    internal void Leave(Process leader, bool isExit)
    {
        int group = ForegroundGroup;
        if (group != 0)
        {
            _world.SendGroup(group, FromKernel(Signals.Signal.HangUp));
            if (!isExit)
                _world.SendGroup(group, FromKernel(Signals.Signal.Continue));
        }
        if (leader.Terminal is not null)
            ForgetSession();
    }

    private void ForgetSession()
    {
        foreach (Process member in _world.Processes())
        {
            if (member.Session == Session && member.Terminal == this)
                member.Terminal = null;
        }
        Session = ForegroundGroup = 0;
    }

    /// <summary>
    /// The connection is lost (vhangup(2)): open files read their end and fail otherwise, and the session leader is told. It remembers the
    /// foreground group, to tell it at its own end.
    /// </summary>
    public void HangUp()
    {
        foreach (TerminalFile file in _files)
            file.HangUp();
        foreach (Process member in Session == 0 ? [] : _world.Processes())
        {
            if (member.Session != Session)
                continue;
            if (member.Terminal == this)
                member.Terminal = null;
            if (!member.IsSessionLeader)
                continue;
            _world.Send(member, FromKernel(Signals.Signal.HangUp));
            _world.Send(member, FromKernel(Signals.Signal.Continue));
            member.LostForegroundGroup = ForegroundGroup;
        }
        Session = ForegroundGroup = 0;
        _incoming.Cut(0);
        _discipline.FlushInput();
        Source.Pulse();
    }
}
