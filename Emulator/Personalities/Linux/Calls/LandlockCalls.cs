using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2), with version 3 of their interface: files, references, truncation.</summary>
public static class LandlockCalls
{
    private const int Version = 3;

    public static CallResult LandlockCreateRuleset(CallContext call, GuestAddress attributes, ulong size, uint flags)
    {
        const uint askVersion = 1;
        const ulong known = sizeof(ulong);
        if (flags != 0)
            return flags == askVersion && attributes.IsNull && size == 0 ? Version : Errno.EINVAL;
        if (attributes.IsNull)
            return Errno.EFAULT;
        if (size < known)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        Span<byte> rest = stackalloc byte[(int)(size - known)];
        if (!call.Memory.TryRead(attributes + known, rest))
            return Errno.EFAULT;
        if (rest.ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        if (!call.Memory.TryRead(attributes, out ulong handled))
            return Errno.EFAULT;
        if ((handled & ~(ulong)FileRights.All) != 0)
            return Errno.EINVAL;
        if (handled == 0)
            return Errno.ENOMSG;
        var file = new AccessRulesFile(call.World, new AccessRules((FileRights)handled), OpenFlags.None);
        Errno error = call.Process.Files.Add(file, closeOnExec: true, out int fd);
        return error != Errno.None ? error : fd;
    }

    public static CallResult LandlockAddRule(CallContext call, int rulesetFd, int type, GuestAddress attributes, uint flags)
    {
        const int pathBeneath = 1;
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = Rules(call, rulesetFd, out AccessRules rules);
        if (error != Errno.None)
            return error;
        if (type != pathBeneath)
            return Errno.EINVAL;
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
        return 0;
    }

    public static CallResult LandlockRestrictSelf(CallContext call, int rulesetFd, uint flags)
    {
        if (!call.Process.NoNewPrivileges && !call.Thread.Credentials.Has(Capability.Administer))
            return Errno.EPERM;
        if (flags != 0)
            return Errno.EINVAL;
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
