namespace Vivarium.Emulator.Kernel.Files;

/// <summary>Whom an entry of an access control list is for, in the order that entries come in (acl(5)).</summary>
public enum AccessTag : ushort
{
    Owner = 1,
    User = 2,
    OwningGroup = 4,
    Group = 8,

    /// <summary>The most that users, groups and the owning group get.</summary>
    Mask = 0x10,
    Other = 0x20,
}

/// <summary>Permission bits (rwx = 421) for one user or group, or for all of a kind, which have no <paramref name="Id"/>.</summary>
public readonly record struct AccessEntry(AccessTag Tag, uint Permissions, uint Id);

/// <summary>A POSIX access control list (acl(5)): permissions beyond the three of a mode.</summary>
public sealed record AccessList(IReadOnlyList<AccessEntry> Entries)
{
    private const uint All = 7;

    /// <summary>One entry for the owner, then users, the owning group, groups, the mask, which users and groups need, and others.</summary>
    public bool IsValid
    {
        get
        {
            AccessTag due = AccessTag.Owner;
            bool needsMask = false;
            foreach (AccessEntry entry in Entries)
            {
                bool isDue = entry.Tag switch
                {
                    AccessTag.User or AccessTag.OwningGroup => due == AccessTag.User,
                    AccessTag.Group or AccessTag.Mask => due == AccessTag.Group,
                    AccessTag.Other => due == AccessTag.Other || (due == AccessTag.Group && !needsMask),
                    _ => entry.Tag == due,
                };
                if (!isDue || (entry.Permissions & ~All) != 0)
                    return false;
                needsMask |= entry.Tag is AccessTag.User or AccessTag.Group;
                due = entry.Tag switch
                {
                    AccessTag.Owner => AccessTag.User,
                    AccessTag.OwningGroup => AccessTag.Group,
                    AccessTag.Mask => AccessTag.Other,
                    AccessTag.Other => 0,
                    _ => due,
                };
            }
            return due == 0;
        }
    }

    /// <summary>True when a mode says as much.</summary>
    public bool IsMode => Entries.All(static entry => entry.Tag is AccessTag.Owner or AccessTag.OwningGroup or AccessTag.Other);

    /// <summary>The permission bits of a file with this list: the group's are the mask, where there is one.</summary>
    public uint Mode => (Of(AccessTag.Owner) << 6) | ((Find(AccessTag.Mask) ?? Of(AccessTag.OwningGroup)) << 3) | Of(AccessTag.Other);

    private uint? Find(AccessTag tag)
    {
        foreach (AccessEntry entry in Entries)
        {
            if (entry.Tag == tag)
                return entry.Permissions;
        }
        return null;
    }

    private uint Of(AccessTag tag) => Find(tag) ?? 0;

    /// <summary>The list after the mode was changed.</summary>
    public AccessList WithMode(uint mode)
    {
        bool hasMask = Find(AccessTag.Mask) is not null;
        return new AccessList([.. Entries.Select(entry => entry.Tag switch
        {
            AccessTag.Owner => entry with { Permissions = (mode >> 6) & All },
            AccessTag.Mask => entry with { Permissions = (mode >> 3) & All },
            AccessTag.OwningGroup when !hasMask => entry with { Permissions = (mode >> 3) & All },
            AccessTag.Other => entry with { Permissions = mode & All },
            _ => entry,
        })]);
    }

    /// <summary>The list of a new file in a directory with this default one; the mode that was asked for can only take away.</summary>
    public AccessList ForNew(uint mode) => WithMode(Mode & mode);

    /// <summary>Does it grant everything wanted? The owner is told apart by the caller (acl(5), "Access check algorithm").</summary>
    public bool Allows(uint wanted, uint owningGroup, FileCredentials credentials)
    {
        uint mask = Find(AccessTag.Mask) ?? All;
        bool isMember = false;
        foreach (AccessEntry entry in Entries)
        {
            switch (entry.Tag)
            {
                case AccessTag.User when entry.Id == credentials.User:
                    return (entry.Permissions & mask & wanted) == wanted;
                case AccessTag.OwningGroup when credentials.IsInGroup(owningGroup):
                case AccessTag.Group when credentials.IsInGroup(entry.Id):
                    isMember = true;
                    if ((entry.Permissions & wanted) == wanted)
                        return (entry.Permissions & mask & wanted) == wanted;
                    break;
                case AccessTag.Other:
                    return !isMember && (entry.Permissions & wanted) == wanted;
            }
        }
        return false;
    }
}
