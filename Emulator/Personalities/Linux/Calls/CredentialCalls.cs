using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>User and group ids (credentials(7)). Unprivileged threads may only choose among ids they have.</summary>
public static class CredentialCalls
{
    private const uint Keep = uint.MaxValue;
    private const int MostGroups = 65536;

    public static CallResult Getuid(CallContext call) => (long)InsideUser(call, call.Thread.Credentials.User);

    public static CallResult Geteuid(CallContext call) => (long)InsideUser(call, call.Thread.Credentials.EffectiveUser);

    public static CallResult Getgid(CallContext call) => (long)InsideGroup(call, call.Thread.Credentials.Group);

    public static CallResult Getegid(CallContext call) => (long)InsideGroup(call, call.Thread.Credentials.EffectiveGroup);

    public static CallResult Getresuid(CallContext call, GuestAddress real, GuestAddress effective, GuestAddress saved)
    {
        Credentials c = call.Thread.Credentials;
        return Write(call, real, InsideUser(call, c.User), effective, InsideUser(call, c.EffectiveUser), saved, InsideUser(call, c.SavedUser));
    }

    public static CallResult Getresgid(CallContext call, GuestAddress real, GuestAddress effective, GuestAddress saved)
    {
        Credentials c = call.Thread.Credentials;
        return Write(call, real, InsideGroup(call, c.Group), effective, InsideGroup(call, c.EffectiveGroup), saved, InsideGroup(call, c.SavedGroup));
    }

    private static uint InsideUser(CallContext call, uint user) => call.Thread.Namespaces.Users.UserInside(user);

    private static uint InsideGroup(CallContext call, uint group) => call.Thread.Namespaces.Users.GroupInside(group);

    /// <summary>Turns an id that was given in a user name space into the kernel's; false when it has none.</summary>
    private static bool TakeOutsideUser(CallContext call, ref uint user)
    {
        if (user == Keep)
            return true;
        uint? outside = call.Thread.Namespaces.Users.UserOutside(user);
        user = outside ?? user;
        return outside is not null;
    }

    private static bool TakeOutsideGroup(CallContext call, ref uint group)
    {
        if (group == Keep)
            return true;
        uint? outside = call.Thread.Namespaces.Users.GroupOutside(group);
        group = outside ?? group;
        return outside is not null;
    }

    private static CallResult Write(CallContext call, GuestAddress a, uint x, GuestAddress b, uint y, GuestAddress c, uint z) =>
        call.Memory.TryWrite(a, x) && call.Memory.TryWrite(b, y) && call.Memory.TryWrite(c, z) ? 0 : Errno.EFAULT;

    public static CallResult Setuid(CallContext call, uint user)
    {
        if (!TakeOutsideUser(call, ref user))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        if (c.Has(Capability.SetUsers))
            return SetUsers(call, user, user, user);
        return user == c.User || user == c.SavedUser ? SetUsers(call, c.User, user, c.SavedUser) : Errno.EPERM;
    }

    public static CallResult Setgid(CallContext call, uint group)
    {
        if (!TakeOutsideGroup(call, ref group))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        if (c.Has(Capability.SetGroups))
            return SetGroupIds(call, group, group, group);
        return group == c.Group || group == c.SavedGroup ? SetGroupIds(call, c.Group, group, c.SavedGroup) : Errno.EPERM;
    }

    /// <summary>The saved id follows the effective one when the real id is set, or the effective one to something else than the real.</summary>
    public static CallResult Setreuid(CallContext call, uint real, uint effective)
    {
        if (!TakeOutsideUser(call, ref real) || !TakeOutsideUser(call, ref effective))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        uint newReal = real == Keep ? c.User : real, newEffective = effective == Keep ? c.EffectiveUser : effective;
        if (!c.Has(Capability.SetUsers) && ((real != Keep && real != c.User && real != c.EffectiveUser) ||
            (effective != Keep && effective != c.User && effective != c.EffectiveUser && effective != c.SavedUser)))
            return Errno.EPERM;
        bool follows = real != Keep || (effective != Keep && newEffective != c.User);
        return SetUsers(call, newReal, newEffective, follows ? newEffective : c.SavedUser);
    }

    public static CallResult Setregid(CallContext call, uint real, uint effective)
    {
        if (!TakeOutsideGroup(call, ref real) || !TakeOutsideGroup(call, ref effective))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        uint newReal = real == Keep ? c.Group : real, newEffective = effective == Keep ? c.EffectiveGroup : effective;
        if (!c.Has(Capability.SetGroups) && ((real != Keep && real != c.Group && real != c.EffectiveGroup) ||
            (effective != Keep && effective != c.Group && effective != c.EffectiveGroup && effective != c.SavedGroup)))
            return Errno.EPERM;
        bool follows = real != Keep || (effective != Keep && newEffective != c.Group);
        return SetGroupIds(call, newReal, newEffective, follows ? newEffective : c.SavedGroup);
    }

    public static CallResult Setresuid(CallContext call, uint real, uint effective, uint saved)
    {
        if (!TakeOutsideUser(call, ref real) || !TakeOutsideUser(call, ref effective) || !TakeOutsideUser(call, ref saved))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        bool Allowed(uint id) => id == Keep || id == c.User || id == c.EffectiveUser || id == c.SavedUser;
        if (!c.Has(Capability.SetUsers) && !(Allowed(real) && Allowed(effective) && Allowed(saved)))
            return Errno.EPERM;
        return SetUsers(call, real == Keep ? c.User : real, effective == Keep ? c.EffectiveUser : effective, saved == Keep ? c.SavedUser : saved);
    }

    public static CallResult Setresgid(CallContext call, uint real, uint effective, uint saved)
    {
        if (!TakeOutsideGroup(call, ref real) || !TakeOutsideGroup(call, ref effective) || !TakeOutsideGroup(call, ref saved))
            return Errno.EINVAL;
        Credentials c = call.Thread.Credentials;
        bool Allowed(uint id) => id == Keep || id == c.Group || id == c.EffectiveGroup || id == c.SavedGroup;
        if (!c.Has(Capability.SetGroups) && !(Allowed(real) && Allowed(effective) && Allowed(saved)))
            return Errno.EPERM;
        return SetGroupIds(call, real == Keep ? c.Group : real, effective == Keep ? c.EffectiveGroup : effective, saved == Keep ? c.SavedGroup : saved);
    }

    /// <summary>Returns the old id whether it changed or not.</summary>
    public static CallResult Setfsuid(CallContext call, uint user)
    {
        Credentials c = call.Thread.Credentials;
        if (user != Keep && (c.Has(Capability.SetUsers) || user == c.User || user == c.EffectiveUser || user == c.SavedUser || user == c.FileUser))
            call.Thread.Credentials = c.WithFileUser(user);
        return (long)c.FileUser;
    }

    public static CallResult Setfsgid(CallContext call, uint group)
    {
        Credentials c = call.Thread.Credentials;
        if (group != Keep && (c.Has(Capability.SetGroups) || group == c.Group || group == c.EffectiveGroup || group == c.SavedGroup || group == c.FileGroup))
            call.Thread.Credentials = c with { FileGroup = group };
        return (long)c.FileGroup;
    }

    public static CallResult Getgroups(CallContext call, int size, GuestAddress list)
    {
        uint[] groups = call.Thread.Credentials.Groups;
        if (size == 0)
            return groups.Length;
        if (size < groups.Length)
            return Errno.EINVAL;
        return call.Memory.TryWrite(list, MemoryMarshal.AsBytes(groups.AsSpan())) ? groups.Length : Errno.EFAULT;
    }

    public static CallResult Setgroups(CallContext call, int size, GuestAddress list)
    {
        if (!call.Thread.Credentials.Has(Capability.SetGroups))
            return Errno.EPERM;
        if ((uint)size > MostGroups)
            return Errno.EINVAL;
        uint[] groups = new uint[size];
        if (!call.Memory.TryRead(list, MemoryMarshal.AsBytes(groups.AsSpan())))
            return Errno.EFAULT;
        Array.Sort(groups);
        call.Thread.Credentials = call.Thread.Credentials with { Groups = groups };
        return 0;
    }

    private static CallResult SetUsers(CallContext call, uint real, uint effective, uint saved)
    {
        if (real == Keep || effective == Keep || saved == Keep)
            return Errno.EINVAL;
        call.Thread.Credentials = call.Thread.Credentials.WithUsers(real, effective, saved);
        return 0;
    }

    private static CallResult SetGroupIds(CallContext call, uint real, uint effective, uint saved)
    {
        if (real == Keep || effective == Keep || saved == Keep)
            return Errno.EINVAL;
        call.Thread.Credentials = call.Thread.Credentials with { Group = real, EffectiveGroup = effective, SavedGroup = saved, FileGroup = effective };
        return 0;
    }
}
