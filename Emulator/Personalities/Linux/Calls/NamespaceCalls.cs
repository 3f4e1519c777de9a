using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>unshare(2), setns(2), and clone(2) with name spaces. There is one space of process ids and one of clocks: others are refused.</summary>
public static class NamespaceCalls
{
    private const ulong Vm = 0x100, Fs = 0x200, Files = 0x400, Handlers = 0x800, ThreadOfProcess = 0x10000, SysVSemaphores = 0x40000;
    private const ulong NewMounts = 0x20000, NewGroups = 0x02000000, NewUts = 0x04000000, NewIpc = 0x08000000, NewUsers = 0x10000000, NewProcesses = 0x20000000, NewNetwork = 0x40000000, NewTime = 0x80;
    private const ulong Known = NewMounts | NewGroups | NewUts | NewIpc | NewUsers | NewNetwork;

    /// <summary>All flags of clone(2) that ask for a space.</summary>
    internal const ulong All = Known | NewProcesses | NewTime;

    public static CallResult Unshare(CallContext call, ulong flags)
    {
        if ((flags & ~(All | Vm | Fs | Files | Handlers | ThreadOfProcess | SysVSemaphores)) != 0)
            return Errno.EINVAL;
        bool isAlone = call.Process.Threads.Count == 1;
        if ((flags & (Vm | Handlers | ThreadOfProcess | NewUsers)) != 0 && !isAlone)
            return Errno.EINVAL;
        Errno error = Check(call, flags);
        if (error != Errno.None)
            return error;
        if ((flags & (Fs | NewMounts | NewUsers)) != 0)
            call.Process.UnshareFileContext();
        if ((flags & Files) != 0)
            call.Process.UnshareFiles();
        Enter(call.Thread, flags);
        return 0;
    }

    /// <summary>May the caller have new spaces? A new user space makes it privileged over the others.</summary>
    internal static Errno Check(CallContext call, ulong flags)
    {
        if ((flags & (NewProcesses | NewTime)) != 0)
            return Errno.EINVAL;
        bool needsPrivilege = (flags & Known & ~NewUsers) != 0 && (flags & NewUsers) == 0;
        return needsPrivilege && !call.Thread.Credentials.Has(Capability.Administer) ? Errno.EPERM : Errno.None;
    }

    /// <summary>The same for clone(2), where a new tree or user space cannot go with shared directories, nor a user space with a thread.</summary>
    internal static Errno CheckClone(CallContext call, ulong flags)
    {
        bool isMixed = ((flags & (NewMounts | NewUsers)) != 0 && (flags & Fs) != 0) || ((flags & NewUsers) != 0 && (flags & ThreadOfProcess) != 0);
        return isMixed ? Errno.EINVAL : Check(call, flags);
    }

    /// <summary>Gives a thread new spaces: empty networks, copies of the rest.</summary>
    internal static void Enter(GuestThread thread, ulong flags)
    {
        World world = thread.Process.World;
        Namespaces spaces = thread.Namespaces;
        Credentials old = thread.Credentials;
        if ((flags & NewUsers) != 0)
        {
            spaces = spaces with { Users = new UserSpace(world, spaces.Users, old.EffectiveUser, old.EffectiveGroup) };
            EnterUsers(thread);
        }
        UserSpace owner = spaces.Users;
        if ((flags & NewNetwork) != 0)
            spaces = spaces with { Network = new Network(world, owner) };
        if ((flags & NewUts) != 0)
            spaces = spaces with { Uts = new UtsSpace(world, owner, spaces.Uts.HostName, spaces.Uts.DomainName) };
        if ((flags & NewIpc) != 0)
            spaces = spaces with { Ipc = new Namespace(world, "ipc", owner) };
        if ((flags & NewGroups) != 0)
            spaces = spaces with { Groups = new Namespace(world, "cgroup", owner) };
        if ((flags & NewMounts) != 0)
        {
            spaces = spaces with { Mounts = new MountSpace(world, owner) };
            world.Vfs.CopyMounts(thread.Process.FileContext);
        }
        thread.Namespaces = spaces;
    }

    /// <summary>The first in a user space has all capabilities there, and none outside of it (user_namespaces(7), "Capabilities").</summary>
    private static void EnterUsers(GuestThread thread) => thread.Credentials = thread.Credentials with
    {
        Permitted = CapabilitySet.All, Effective = CapabilitySet.All, Inheritable = default, Bounding = CapabilitySet.All, Ambient = default, IsInUserSpace = true,
    };

    public static CallResult Setns(CallContext call, int fd, ulong flags)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not NamespaceFile { Space: var space })
            return Errno.EINVAL;
        if (flags != 0 && flags != FlagOf(space))
            return Errno.EINVAL;
        Namespaces spaces = call.Thread.Namespaces;
        bool mayEnter = call.Thread.Credentials.Has(Capability.Administer) && (spaces.Rules(space.Owner) || spaces.Rules(space as UserSpace));
        if (space == spaces.Users || (space is UserSpace or MountSpace && call.Process.Threads.Count > 1))
            return Errno.EINVAL;
        if (!mayEnter)
            return Errno.EPERM;
        return Join(call, spaces, space);
    }

    private static CallResult Join(CallContext call, Namespaces spaces, Namespace space)
    {
        switch (space)
        {
            case NetworkSpace network:
                call.Thread.Namespaces = spaces with { Network = network.Network };
                return 0;
            case UtsSpace uts:
                call.Thread.Namespaces = spaces with { Uts = uts };
                return 0;
            case UserSpace users:
                call.Thread.Namespaces = spaces with { Users = users };
                EnterUsers(call.Thread);
                return 0;
            case MountSpace mounts:
                if (FindMember(call.World, mounts) is not { } member)
                    return Errno.EINVAL;
                call.Process.UnshareFileContext();
                call.Process.FileContext.Root = member.Process.FileContext.Root;
                call.Process.FileContext.WorkingDirectory = member.Process.FileContext.Root;
                call.Thread.Namespaces = spaces with { Mounts = mounts };
                return 0;
            default:
                call.Thread.Namespaces = space.Kind == "ipc" ? spaces with { Ipc = space } : spaces with { Groups = space };
                return 0;
        }
    }

    private static GuestThread? FindMember(World world, MountSpace mounts)
    {
        foreach (Process process in world.Processes())
        {
            foreach (GuestThread thread in process.Threads)
            {
                if (thread.Namespaces.Mounts == mounts)
                    return thread;
            }
        }
        return null;
    }

    private static ulong FlagOf(Namespace space) => space switch
    {
        NetworkSpace => NewNetwork,
        UtsSpace => NewUts,
        UserSpace => NewUsers,
        MountSpace => NewMounts,
        _ => space.Kind == "ipc" ? NewIpc : NewGroups,
    };
}
