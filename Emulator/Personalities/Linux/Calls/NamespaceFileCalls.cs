using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using static Vivarium.Emulator.Personalities.Linux.Calls.NamespaceCalls;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Name spaces behind descriptors: setns(2), ioctl_nsfs(2).</summary>
public static class NamespaceFileCalls
{
    private const uint GetUsers = 0xB701, GetParent = 0xB702, GetKind = 0xB703, GetOwner = 0xB704;
    private const uint GetMountsId = 0x8008B705;
    private const uint ThreadFrom = 0x8004B706, ProcessFrom = 0x8004B707, ThreadIn = 0x8004B708, ProcessIn = 0x8004B709;

    public static CallResult Setns(CallContext call, int fd, ulong flags)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        IReadOnlyList<Namespace> wanted;
        switch (file)
        {
            case NamespaceFile { Space: var space }:
                if (flags != 0 && flags != FlagOf(space))
                    return Errno.EINVAL;
                wanted = [space];
                break;
            case ProcessDescriptor descriptor:
                if (flags == 0 || (flags & ~All) != 0)
                    return Errno.EINVAL;
                if (descriptor.Process.IsZombie)
                    return Errno.ESRCH;
                if (!descriptor.Process.MayBeInspectedBy(call.Thread))
                    return Errno.EPERM;
                wanted = SpacesOf(descriptor.Process, flags);
                break;
            default:
                return Errno.EINVAL;
        }
        Namespaces spaces = call.Thread.Namespaces;
        foreach (Namespace space in wanted)
        {
            Errno error = Join(call, ref spaces, space);
            if (error != Errno.None)
                return error;
        }
        Commit(call, spaces);
        return 0;
    }

    /// <summary>The spaces of a process that flags name: that of users first, which decides about the others.</summary>
    private static List<Namespace> SpacesOf(Process process, ulong flags)
    {
        Namespaces of = process.MainThread.Namespaces;
        List<Namespace> all = [of.Users, of.Network.Space, of.Uts, of.Ipc, of.Groups, of.Mounts, process.Space, of.Time];
        return all.FindAll(space => (FlagOf(space) & flags) != 0);
    }

    private static Errno Join(CallContext call, ref Namespaces spaces, Namespace space)
    {
        bool isAlone = call.Process.Threads.Count == 1;
        if (space == spaces.Users || (space is UserSpace or MountSpace && !isAlone))
            return Errno.EINVAL;
        if (space is TimeSpace && !isAlone)
            return Errno.EUSERS;
        if (!call.Thread.Credentials.Has(Capability.Administer) || !(spaces.Rules(space.Owner) || spaces.Rules(space as UserSpace)))
            return Errno.EPERM;
        if (space is PidSpace pids && !call.Process.Space.IsAtOrAbove(pids))
            return Errno.EINVAL;
        if (space is MountSpace mounts && FindMember(call.World, mounts) is null)
            return Errno.EINVAL;
        spaces = space switch
        {
            NetworkSpace network => spaces with { NetworkSpace = network },
            UtsSpace uts => spaces with { Uts = uts },
            UserSpace users => spaces with { Users = users },
            MountSpace tree => spaces with { Mounts = tree },
            PidSpace processes => spaces with { Processes = processes },
            TimeSpace time => spaces with { TimeOfChildren = time },
            { Kind: "ipc" } => spaces with { Ipc = (Kernel.Ipc.IpcSpace)space },
            _ => spaces with { Groups = space },
        };
        return Errno.None;
    }

    private static void Commit(CallContext call, Namespaces spaces)
    {
        Namespaces before = call.Thread.Namespaces;
        if (spaces.Users != before.Users)
            EnterUsers(call.Thread);
        if (spaces.Mounts != before.Mounts && FindMember(call.World, spaces.Mounts) is { } member)
        {
            call.Process.UnshareFileContext();
            PathEntry root = member.Process.FileContext.Root;
            call.Process.FileContext.Root = root;
            call.Process.FileContext.WorkingDirectory = root;
        }
        call.Thread.Namespaces = spaces;
        before.NetworkSpace.OnLeft();
        if (spaces.TimeOfChildren != before.TimeOfChildren)
            call.Thread.EnterTime();
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

    private static ulong FlagOf(Namespace space) => space.Kind switch
    {
        "net" => NewNetwork,
        "uts" => NewUts,
        "user" => NewUsers,
        "mnt" => NewMounts,
        "ipc" => NewIpc,
        "pid" => NewProcesses,
        "time" => NewTime,
        _ => NewGroups,
    };

    internal static CallResult Control(CallContext call, NamespaceFile file, uint request, ulong argument)
    {
        Namespace space = file.Space;
        switch (request)
        {
            case GetUsers:
                return Open(call, space is UserSpace users ? users.Parent : space.Owner ?? call.Thread.Namespaces.Users.First);
            case GetParent:
                return space is not (UserSpace or PidSpace) ? Errno.EINVAL : Open(call, space.Above);
            case GetKind:
                return (long)FlagOf(space);
            case GetOwner:
                return space is not UserSpace owned ? Errno.EINVAL
                    : call.Memory.TryWrite(new GuestAddress(argument), call.Thread.Namespaces.Users.UserInside(owned.Creator)) ? 0 : Errno.EFAULT;
            case GetMountsId:
                return space is not MountSpace mounts ? Errno.EINVAL
                    : call.Memory.TryWrite(new GuestAddress(argument), MountQueryCalls.SpaceId(mounts)) ? 0 : Errno.EFAULT;
            case ThreadFrom or ProcessFrom or ThreadIn or ProcessIn:
                return space is PidSpace pids ? Translate(call, pids, request, (int)argument) : Errno.EINVAL;
            default:
                return Errno.ENOTTY;
        }
    }

    /// <summary>Only what lies at or below the caller's own spaces can be opened.</summary>
    private static CallResult Open(CallContext call, Namespace? space)
    {
        bool isSeen = space is PidSpace pids ? call.Pids.IsAtOrAbove(pids) : space is UserSpace users && call.Thread.Namespaces.Rules(users);
        if (!isSeen)
            return Errno.EPERM;
        PathEntry path = call.World.Vfs.Unnamed(space!.Inode, System.Text.Encoding.ASCII.GetBytes(space.Description));
        return PipeCalls.Install(call, new NamespaceFile(space.Inode, path, OpenFlags.Read), closeOnExec: true);
    }

    /// <summary>A number of the other space as one of the caller's (FROM), or the other way round (IN).</summary>
    private static CallResult Translate(CallContext call, PidSpace pids, uint request, int number)
    {
        (PidSpace from, PidSpace to) = request is ThreadFrom or ProcessFrom ? (pids, call.Pids) : (call.Pids, pids);
        int id = request is ThreadFrom or ThreadIn ? from.FindThread(number)?.Id ?? 0 : from.FindThread(number)?.Process.Id ?? 0;
        return id != 0 && to.Inside(id) is not 0 and var found ? found : Errno.ESRCH;
    }
}
