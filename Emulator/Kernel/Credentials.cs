using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel;

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

    /// <summary>Effective capabilities; all of them for the superuser.</summary>
    public bool IsPrivileged => EffectiveUser == 0;

    public static Credentials Of(uint user, uint group) => new()
    {
        User = user, EffectiveUser = user, SavedUser = user, FileUser = user,
        Group = group, EffectiveGroup = group, SavedGroup = group, FileGroup = group,
    };

    public FileCredentials ForFiles => new(FileUser, FileGroup, Groups, FileUser == 0 ? FilePrivileges.All : FilePrivileges.None);

    public FileCredentials RealForFiles => new(User, Group, Groups, User == 0 ? FilePrivileges.All : FilePrivileges.None);

    /// <summary>kill(2): may this thread signal that one?</summary>
    public bool MaySignal(Credentials target) => IsPrivileged
        || EffectiveUser == target.User || EffectiveUser == target.SavedUser || User == target.User || User == target.SavedUser;
}
