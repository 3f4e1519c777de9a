using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2), with version 7 of their interface: files, references, truncation, TCP's ports, devices,
/// scopes. Nothing is logged, so that what to log is the same.
/// </summary>
public static class LandlockCalls
{
    private const int Version = 7;

    /// <summary>Sockets are known by their protocol, threads of a process may signal each other, and what lost its place is looked up from its mount.</summary>
    private const int Corrections = 7;

    private const int PathBeneath = 1, Port = 2;

    public static CallResult LandlockCreateRuleset(CallContext call, GuestAddress attributes, ulong size, uint flags)
    {
        const uint askVersion = 1, askCorrections = 2;
        const int least = sizeof(ulong), known = 3 * sizeof(ulong);
        if (flags != 0)
            return !attributes.IsNull || size != 0 ? Errno.EINVAL : flags == askVersion ? Version : flags == askCorrections ? Corrections : Errno.EINVAL;
        if (attributes.IsNull)
            return Errno.EFAULT;
        if (size < least)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        Span<byte> given = stackalloc byte[Math.Max((int)size, known)];
        given.Clear();
        if (size > known && !call.Memory.TryRead(attributes + known, given[known..]))
            return Errno.EFAULT;
        if (given[known..].ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        if (!call.Memory.TryRead(attributes, given[..Math.Min((int)size, known)]))
            return Errno.EFAULT;
        var files = (FileRights)BitConverter.ToUInt64(given);
        var ports = (PortRights)BitConverter.ToUInt64(given[8..]);
        var scopes = (DomainScopes)BitConverter.ToUInt64(given[16..]);
        if ((files & ~FileRights.All) != 0 || (ports & ~PortRights.All) != 0 || (scopes & ~DomainScopes.All) != 0)
            return Errno.EINVAL;
        if (files == FileRights.None && ports == PortRights.None && scopes == DomainScopes.None)
            return Errno.ENOMSG;
        var file = new AccessRulesFile(call.World, new AccessRules(files, ports, scopes), OpenFlags.None);
        Errno error = call.Process.Files.Add(file, closeOnExec: true, out int fd);
        return error != Errno.None ? error : fd;
    }

    public static CallResult LandlockAddRule(CallContext call, int rulesetFd, int type, GuestAddress attributes, uint flags)
    {
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = Rules(call, rulesetFd, out AccessRules rules);
        if (error != Errno.None)
            return error;
        return type switch { PathBeneath => AllowBeneath(call, rules, attributes), Port => AllowPort(call, rules, attributes), _ => Errno.EINVAL };
    }

    private static Errno AllowBeneath(CallContext call, AccessRules rules, GuestAddress attributes)
    {
        // struct landlock_path_beneath_attr is packed.
        Span<byte> given = stackalloc byte[sizeof(ulong) + sizeof(int)];
        if (!call.Memory.TryRead(attributes, given))
            return Errno.EFAULT;
        FileRights allowed = (FileRights)BitConverter.ToUInt64(given);
        if (allowed == FileRights.None)
            return Errno.ENOMSG;
        if ((allowed & ~rules.Handled) != 0)
            return Errno.EINVAL;
        if (call.File(BitConverter.ToInt32(given[sizeof(ulong)..])) is not { } parent)
            return Errno.EBADF;
        if (parent.Path is not { } path || (path.Dentry.Parent is null && !ReferenceEquals(path.Dentry, path.Mount.Root)))
            return Errno.EBADFD;
        if (path.Inode.Kind != FileKind.Directory && (allowed & ~FileRights.OfFiles) != 0)
            return Errno.EINVAL;
        rules.Allow(path.Inode, allowed);
        return Errno.None;
    }

    private static Errno AllowPort(CallContext call, AccessRules rules, GuestAddress attributes)
    {
        if (!call.Memory.TryRead(attributes, out ulong rights) || !call.Memory.TryRead(attributes + sizeof(ulong), out ulong port))
            return Errno.EFAULT;
        var allowed = (PortRights)rights;
        if (allowed == PortRights.None)
            return Errno.ENOMSG;
        if ((allowed & ~rules.HandledPorts) != 0 || port > ushort.MaxValue)
            return Errno.EINVAL;
        rules.AllowPort((int)port, allowed);
        return Errno.None;
    }

    /// <summary>
    /// Does what the caller has left itself allow a TCP socket an address? The port is looked at before the address is
    /// (current_check_access_socket in security/landlock/net.c).
    /// </summary>
    internal static Errno CheckPort(CallContext call, Socket socket, GuestAddress address, int length, PortRights wanted)
    {
        const int largest = 128, size4 = 16, shortest6 = 24;
        if (call.Thread.Domain is not { } domain || !domain.HandlesPort(wanted) || socket is not StreamSocket { Family: not SocketFamily.Unix } || length is < 0 or > largest)
            return Errno.None;
        Span<byte> name = stackalloc byte[length];
        if (!call.Memory.TryRead(address, name))
            return Errno.EFAULT;
        if (length < sizeof(ushort))
            return Errno.EINVAL;
        ushort family = BitConverter.ToUInt16(name);
        if (family is not (SocketNames.Unspecified or SocketNames.Internet4 or SocketNames.Internet6))
            return Errno.None;
        if (length < (family == SocketNames.Internet6 ? shortest6 : size4))
            return Errno.EINVAL;
        if (family == SocketNames.Unspecified && wanted == PortRights.Connect)
            return Errno.None;
        if (family == SocketNames.Unspecified && BitConverter.ToUInt32(name[4..]) != 0)
            return Errno.EAFNOSUPPORT;
        if (family != SocketNames.Unspecified && family != SocketNames.FamilyOf(socket.Family))
            return Errno.EINVAL;
        return domain.CheckPort(System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(name[2..]), wanted);
    }

    /// <summary>Requests of ioctl(2) that the kernel itself answers, for files of every kind (is_masked_device_ioctl in security/landlock/fs.c).</summary>
    internal static bool IsOfAnyFile(uint request)
    {
        const uint setCloseOnExec = 0x5451, clearCloseOnExec = 0x5450, nonBlocking = 0x5421, asynchronous = 0x5452, size = 0x5460, freeze = 0xC0045877, thaw = 0xC0045878;
        const uint extents = 0xC020660B, blockSize = 2, clone = 0x40049409, cloneRange = 0x4020940D, sameRange = 0xC0189436, identity = 0x80111500, path = 0x80811501;
        return request is setCloseOnExec or clearCloseOnExec or nonBlocking or asynchronous or size or freeze or thaw or extents or blockSize or clone or cloneRange or sameRange
            or identity or path;
    }

    public static CallResult LandlockRestrictSelf(CallContext call, int rulesetFd, uint flags)
    {
        if (!call.Process.NoNewPrivileges && !call.Thread.Credentials.Has(Capability.Administer))
            return Errno.EPERM;
        const uint logsNothingOfChildren = 4, known = 7;
        if ((flags & ~known) != 0)
            return Errno.EINVAL;
        // What is logged of those that it starts can be set without rules.
        if (rulesetFd == -1 && flags == logsNothingOfChildren)
            return 0;
        Errno error = Rules(call, rulesetFd, out AccessRules rules);
        if (error != Errno.None)
            return error;
        if (AccessDomain.Within(call.Thread.Domain, rules) is not { } domain)
            return Errno.E2BIG;
        call.Thread.Domain = domain;
        return 0;
    }

    private static Errno Rules(CallContext call, int fd, out AccessRules rules)
    {
        rules = null!;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not AccessRulesFile made)
            return Errno.EBADFD;
        rules = made.Rules;
        return Errno.None;
    }
}
