using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel;

/// <summary>How user ids and capabilities hang together; each has a lock beside it (capabilities(7), "The securebits flags").</summary>
[Flags]
public enum SecureBits : byte
{
    None = 0,
    NoRoot = 1 << 0,
    NoFixup = 1 << 2,
    KeepCapabilities = 1 << 4,
    NoAmbientRaise = 1 << 6,
    All = NoRoot | NoFixup | KeepCapabilities | NoAmbientRaise,
    Locks = All << 1,
}

/// <summary>Who a thread is (credentials(7)).</summary>
public sealed record Credentials
{
    public uint User { get; init; }

    public uint EffectiveUser { get; init; }

    public uint SavedUser { get; init; }

    public uint FileUser { get; init; }

    public uint Group { get; init; }

    public uint EffectiveGroup { get; init; }

    public uint SavedGroup { get; init; }

    public uint FileGroup { get; init; }

    public uint[] Groups { get; init; } = [];

    /// <summary>The limit of the effective ones.</summary>
    public CapabilitySet Permitted { get; init; }

    /// <summary>Those that checks look at.</summary>
    public CapabilitySet Effective { get; init; }

    public CapabilitySet Inheritable { get; init; }

    /// <summary>The limit of what programs can give.</summary>
    public CapabilitySet Bounding { get; init; } = CapabilitySet.All;

    /// <summary>Kept by programs that give none themselves.</summary>
    public CapabilitySet Ambient { get; init; }

    public SecureBits Secure { get; init; }

    /// <summary>In a user name space of its own: capabilities count over what that owns, not over files (user_namespaces(7)).</summary>
    public bool IsInUserSpace { get; init; }

    public bool Has(Capability capability) => Effective.Contains(capability);

    /// <summary>Has what no narrower capability stands for.</summary>
    public bool IsPrivileged => Has(Capability.Administer);

    public static Credentials Of(uint user, uint group) => new()
    {
        User = user, EffectiveUser = user, SavedUser = user, FileUser = user,
        Group = group, EffectiveGroup = group, SavedGroup = group, FileGroup = group,
        Permitted = user == 0 ? CapabilitySet.All : default, Effective = user == 0 ? CapabilitySet.All : default,
    };

    public FileCredentials ForFiles => new(FileUser, FileGroup, Groups, OverFiles(Effective));

    public FileCredentials RealForFiles => new(User, Group, Groups, OverFiles((Secure & SecureBits.NoFixup) != 0 ? Effective : User == 0 ? Permitted : default));

    private FilePrivileges OverFiles(CapabilitySet set) =>
        PrivilegesOf(set) & (IsInUserSpace ? FilePrivileges.Administer | FilePrivileges.ChangeRoot : (FilePrivileges)ushort.MaxValue);

    private static FilePrivileges PrivilegesOf(CapabilitySet set) =>
        (set.Contains(Capability.OverrideAccess) ? FilePrivileges.OverrideAccess : 0)
        | (set.Contains(Capability.ReadSearch) ? FilePrivileges.ReadSearch : 0)
        | (set.Contains(Capability.FileOwner) ? FilePrivileges.Owner : 0)
        | (set.Contains(Capability.KeepSetId) ? FilePrivileges.KeepSetId : 0)
        | (set.Contains(Capability.ChangeOwner) ? FilePrivileges.ChangeOwner : 0)
        | (set.Contains(Capability.MakeDevice) ? FilePrivileges.MakeDevice : 0)
        | (set.Contains(Capability.ChangeRoot) ? FilePrivileges.ChangeRoot : 0)
        | (set.Contains(Capability.Administer) ? FilePrivileges.Administer : 0)
        | (set.Contains(Capability.Resource) ? FilePrivileges.Resource : 0);

    /// <summary>New user ids; capabilities follow, as the superuser's always came and went with id 0 ("Effect of user ID changes").</summary>
    public Credentials WithUsers(uint real, uint effective, uint saved)
    {
        Credentials changed = this with { User = real, EffectiveUser = effective, SavedUser = saved, FileUser = effective };
        if ((Secure & SecureBits.NoFixup) != 0)
            return changed;
        bool wasRoot = User == 0 || EffectiveUser == 0 || SavedUser == 0;
        if (wasRoot && real != 0 && effective != 0 && saved != 0)
        {
            changed = changed with { Ambient = default };
            if ((Secure & SecureBits.KeepCapabilities) == 0)
                changed = changed with { Permitted = default, Effective = default };
        }
        if (EffectiveUser == 0 && effective != 0)
            changed = changed with { Effective = default };
        if (EffectiveUser != 0 && effective == 0)
            changed = changed with { Effective = changed.Permitted };
        return changed;
    }

    public Credentials WithFileUser(uint user)
    {
        Credentials changed = this with { FileUser = user };
        if ((Secure & SecureBits.NoFixup) != 0 || (FileUser == 0) == (user == 0))
            return changed;
        return changed with { Effective = user != 0 ? Effective & ~CapabilitySet.OfFiles : Effective | (Permitted & CapabilitySet.OfFiles) };
    }

    /// <summary>
    /// Starting a program whose file changes the ids or not ("Transformation of capabilities during execve()", without capabilities of files).
    /// Real and effective ids are the new ones already.
    /// </summary>
    public Credentials AfterExecute(bool idsChanged)
    {
        CapabilitySet ambient = idsChanged ? default : Ambient;
        bool isRoot = (Secure & SecureBits.NoRoot) == 0 && (User == 0 || EffectiveUser == 0);
        CapabilitySet permitted = (isRoot ? Bounding | Inheritable : default) | ambient;
        return this with
        {
            Ambient = ambient,
            Permitted = permitted,
            Effective = isRoot && EffectiveUser == 0 ? permitted : ambient,
            SavedUser = EffectiveUser, FileUser = EffectiveUser, SavedGroup = EffectiveGroup, FileGroup = EffectiveGroup,
            Secure = Secure & ~SecureBits.KeepCapabilities,
        };
    }

    /// <summary>kill(2): may this thread signal that one?</summary>
    public bool MaySignal(Credentials target) => Has(Capability.Kill)
        || EffectiveUser == target.User || EffectiveUser == target.SavedUser || User == target.User || User == target.SavedUser;
}
