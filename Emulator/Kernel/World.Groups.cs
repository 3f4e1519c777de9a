using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>Process groups, and those that nobody is left to look after (setpgid(2), "orphaned process group").</summary>
public sealed partial class World
{
    /// <summary>
    /// True when no member has a parent in another group of its session. The first process counts as a shell's child, for whoever
    /// started the world can continue it; other processes without a parent are init's. <paramref name="ending"/> counts no more.
    /// </summary>
    internal bool IsOrphaned(int group, Process? ending)
    {
        foreach (Process process in _processes)
        {
            if (process.Group != group || process.IsZombie || ReferenceEquals(process, ending))
                continue;
            if (ReferenceEquals(process, First) && process.Session == OutsideSession)
                return false;
            if (process.Parent is { } parent && parent.Group != group && parent.Session == process.Session)
                return false;
        }
        return true;
    }

    /// <summary>A group that became an orphan while a member is stopped gets SIGHUP and SIGCONT (exit(3)).</summary>
    internal void HangUpIfOrphaned(int group, Process ending)
    {
        if (HasStopped(group) && IsOrphaned(group, ending))
            HangUpGroup(group);
    }

    /// <summary>Lets a group end that nobody looks after, and go on if it heeds no SIGHUP.</summary>
    internal void HangUpGroup(int group)
    {
        const int fromKernel = 0x80;
        SendGroup(group, new SignalInfo(Signal.HangUp, fromKernel));
        SendGroup(group, new SignalInfo(Signal.Continue, fromKernel));
    }

    /// <summary>A process of a group, or the one whose id the group's number is; null when there is neither.</summary>
    public Process? FindGroup(int group)
    {
        foreach (Process process in _processes)
        {
            if (process.Group == group)
                return process;
        }
        return FindProcess(group);
    }

    private bool HasStopped(int group)
    {
        foreach (Process process in _processes)
        {
            if (process.Group == group && process.IsStopped)
                return true;
        }
        return false;
    }
}
