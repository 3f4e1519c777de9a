using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>New name spaces: unshare(2), and clone(2) with flags for them (namespaces(7)).</summary>
public static class NamespaceCalls
{
    internal const ulong NewMounts = 0x20000, NewGroups = 0x02000000, NewUts = 0x04000000, NewIpc = 0x08000000, NewUsers = 0x10000000;
    internal const ulong NewProcesses = 0x20000000, NewNetwork = 0x40000000, NewTime = 0x80;

    /// <summary>All flags that ask for a space.</summary>
    internal const ulong All = NewMounts | NewGroups | NewUts | NewIpc | NewUsers | NewNetwork | NewProcesses | NewTime;

    private const ulong Vm = 0x100, Fs = 0x200, Files = 0x400, Handlers = 0x800, ParentProcess = 0x8000, ThreadOfProcess = 0x10000, SysVSemaphores = 0x40000;

    public static CallResult Unshare(CallContext call, ulong flags)
    {
        if ((flags & ~(All | Vm | Fs | Files | Handlers | ThreadOfProcess | SysVSemaphores)) != 0)
            return Errno.EINVAL;
        bool isAlone = call.Process.Threads.Count == 1;
        if ((flags & (Vm | Handlers | ThreadOfProcess | NewUsers)) != 0 && !isAlone)
            return Errno.EINVAL;
        Errno error = Check(call.Thread, flags);
        if (error != Errno.None)
            return error;
        // Since the table was made, its limit may have sunk.
        if ((flags & Files) != 0 && call.Process.Files.IsShared && call.Process.Files.End > call.World.Settings.MostDescriptors.Value)
            return Errno.EMFILE;
        if ((flags & (Fs | NewMounts | NewUsers)) != 0)
            call.Process.UnshareFileContext();
        if ((flags & Files) != 0)
            call.Process.UnshareFiles();
        Enter(call.Thread, Make(call.Thread, flags), flags);
        return 0;
    }

    private static readonly (ulong Flag, string Kind, Func<Namespaces, object> Find)[] Kinds =
    [
        (NewUsers, "user", static spaces => spaces.Users), (NewProcesses, "pid", static spaces => spaces.Processes), (NewUts, "uts", static spaces => spaces.Uts),
        (NewIpc, "ipc", static spaces => spaces.Ipc), (NewNetwork, "net", static spaces => spaces.Network), (NewMounts, "mnt", static spaces => spaces.Mounts),
        (NewGroups, "cgroup", static spaces => spaces.Groups), (NewTime, "time", static spaces => spaces.TimeOfChildren),
    ];

    /// <summary>Spaces of a kind, beside the first, that threads are in.</summary>
    private static int CountInUse(World world, Func<Namespaces, object> find)
    {
        HashSet<object> spaces = [];
        foreach (Process process in world.Processes())
        {
            foreach (GuestThread thread in process.Threads)
                spaces.Add(find(thread.Namespaces));
        }
        spaces.Remove(find(world.FirstNamespaces));
        return spaces.Count;
    }

    /// <summary>May the caller have new spaces? A new user space makes it privileged over the others.</summary>
    private static Errno Check(GuestThread thread, ulong flags)
    {
        bool needsPrivilege = (flags & All & ~NewUsers) != 0 && (flags & NewUsers) == 0;
        if (needsPrivilege && !thread.Credentials.Has(Capability.Administer))
            return Errno.EPERM;
        foreach ((ulong flag, string kind, Func<Namespaces, object> find) in Kinds)
        {
            if ((flags & flag) != 0 && CountInUse(thread.Process.World, find) >= thread.Process.World.Settings.NamespacesOf(kind).Value)
                return Errno.ENOSPC;
        }
        if ((flags & NewProcesses) == 0)
            return Errno.None;
        // Who will have its children elsewhere cannot move them further (copy_pid_ns in kernel/pid_namespace.c).
        PidSpace space = thread.Namespaces.Processes;
        return space != thread.Process.Space ? Errno.EINVAL : space.Level >= PidSpace.MostLevels ? Errno.ENOSPC : Errno.None;
    }

    /// <summary>The same for clone(2), where some spaces cannot go with shared directories or with a thread.</summary>
    internal static Errno CheckClone(CallContext call, ulong flags)
    {
        GuestThread thread = call.Thread;
        bool isThread = (flags & ThreadOfProcess) != 0;
        bool isMixed = ((flags & (NewMounts | NewUsers)) != 0 && (flags & Fs) != 0)
            || (isThread && ((flags & (NewUsers | NewProcesses)) != 0 || thread.Namespaces.Processes != thread.Process.Space))
            || ((flags & ParentProcess) != 0 && thread.Process.Space.Init == thread.Process);
        return isMixed ? Errno.EINVAL : Check(thread, flags);
    }

    /// <summary>The spaces of a thread with new ones in place of those that the flags name: empty networks, copies of the rest.</summary>
    internal static Namespaces Make(GuestThread thread, ulong flags)
    {
        World world = thread.Process.World;
        Namespaces spaces = thread.Namespaces;
        if ((flags & NewUsers) != 0)
            spaces = spaces with { Users = new UserSpace(world, spaces.Users, thread.Credentials.EffectiveUser, thread.Credentials.EffectiveGroup) };
        UserSpace owner = spaces.Users;
        if ((flags & NewNetwork) != 0)
            spaces = spaces with { NetworkSpace = new NetworkSpace(world, owner) };
        if ((flags & NewUts) != 0)
            spaces = spaces with { Uts = new UtsSpace(world, owner, spaces.Uts.HostName, spaces.Uts.DomainName) };
        if ((flags & NewIpc) != 0)
            spaces = spaces with { Ipc = new Kernel.Ipc.IpcSpace(world, owner) };
        if ((flags & NewGroups) != 0)
            spaces = spaces with { Groups = new Namespace(world, "cgroup", owner) };
        if ((flags & NewMounts) != 0)
            spaces = spaces with { Mounts = new MountSpace(world, owner) };
        if ((flags & NewProcesses) != 0)
            spaces = spaces with { Processes = new PidSpace(world, owner, spaces.Processes) };
        if ((flags & NewTime) != 0)
            spaces = spaces with { TimeOfChildren = spaces.TimeOfChildren.Copy(world, owner) };
        return spaces;
    }

    /// <summary>Gives a thread the spaces that <see cref="Make"/> made.</summary>
    internal static void Enter(GuestThread thread, Namespaces spaces, ulong flags)
    {
        if ((flags & NewUsers) != 0)
            EnterUsers(thread);
        Namespaces before = thread.Namespaces;
        thread.Namespaces = spaces;
        before.NetworkSpace.OnLeft();
        before.Ipc.OnLeft();
        if ((flags & NewMounts) != 0)
            thread.Process.World.Vfs.CopyMounts(thread.Process.FileContext);
    }

    /// <summary>The first in a user space has all capabilities there, and none outside of it (user_namespaces(7), "Capabilities").</summary>
    internal static void EnterUsers(GuestThread thread) => thread.Credentials = thread.Credentials with
    {
        Permitted = CapabilitySet.All, Effective = CapabilitySet.All, Inheritable = default, Bounding = CapabilitySet.All, Ambient = default, IsInUserSpace = true,
    };
}
