using System.Globalization;

namespace Vivarium.Emulator.Kernel;

/// <summary>A line of uid_map or gid_map: ids from one number on inside are those from another outside.</summary>
public readonly record struct IdRange(uint Inside, uint Outside, uint Count);

/// <summary>
/// Users and groups by other numbers (user_namespaces(7)). The kernel's own ids are the first name space's; inside of another they
/// are told and taken by its maps.
/// </summary>
public sealed class UserSpace : Namespace
{
    /// <summary>What an id without a number inside looks like (overflowuid).</summary>
    public const uint Overflow = 65_534;

    private const int MostRanges = 340;

    private IdRange[]? _users;
    private IdRange[]? _groups;

    public UserSpace(World world, UserSpace? parent, uint creator, uint creatorGroup)
        : base(world, "user", parent)
    {
        Parent = parent;
        (Creator, CreatorGroup) = (creator, creatorGroup);
        if (parent is not null)
            return;
        _users = _groups = [new IdRange(0, 0, uint.MaxValue)];
    }

    public UserSpace? Parent { get; }

    public override Namespace? Above => Parent;

    public UserSpace First => Parent?.First ?? this;

    public uint Creator { get; }

    public uint CreatorGroup { get; }

    /// <summary>False once "deny" was written to /proc/PID/setgroups.</summary>
    public bool AllowsSetGroups { get; private set; } = true;

    public bool HasGroupMap => _groups is not null;

    public uint UserInside(uint user) => Inside(_users, user);

    public uint GroupInside(uint group) => Inside(_groups, group);

    /// <summary>The kernel's number of an id that was given inside; null when there is none (EINVAL).</summary>
    public uint? UserOutside(uint user) => Outside(_users, user);

    public uint? GroupOutside(uint group) => Outside(_groups, group);

    private static uint Inside(IdRange[]? ranges, uint id)
    {
        foreach (IdRange range in ranges ?? [])
        {
            if (id >= range.Outside && id - range.Outside < range.Count)
                return range.Inside + (id - range.Outside);
        }
        return Overflow;
    }

    private static uint? Outside(IdRange[]? ranges, uint id)
    {
        foreach (IdRange range in ranges ?? [])
        {
            if (id >= range.Inside && id - range.Inside < range.Count)
                return range.Outside + (id - range.Inside);
        }
        return null;
    }

    /// <summary>The text of uid_map or gid_map.</summary>
    public string MapText(bool ofGroups)
    {
        string text = "";
        foreach (IdRange range in (ofGroups ? _groups : _users) ?? [])
            text += string.Create(CultureInfo.InvariantCulture, $"{range.Inside,10} {range.Outside,10} {range.Count,10}\n");
        return text;
    }

    /// <summary>Writes uid_map or gid_map: once, by the privileged, or one's own id alone ("Defining user and group ID mappings").</summary>
    public Errno SetMap(bool ofGroups, string text, Credentials writer, UserSpace writerSpace)
    {
        if ((ofGroups ? _groups : _users) is not null)
            return Errno.EPERM;
        if (Parse(text) is not { } ranges)
            return Errno.EINVAL;
        bool isOfParent = writerSpace == Parent;
        if (!isOfParent && writerSpace != this)
            return Errno.EPERM;
        uint own = ofGroups ? CreatorGroup : Creator;
        bool isOwnAlone = ranges.Length == 1 && ranges[0].Count == 1 && ranges[0].Outside == own
            && writer.EffectiveUser == Creator && (!ofGroups || !AllowsSetGroups);
        bool mayAll = isOfParent && writer.Has(ofGroups ? Capability.SetGroups : Capability.SetUsers);
        if (!isOwnAlone && !mayAll && Creator != 0)
            return Errno.EPERM;
        for (int i = 0; i < ranges.Length; i++)
        {
            uint? outside = ofGroups ? Parent!.GroupOutside(ranges[i].Outside) : Parent!.UserOutside(ranges[i].Outside);
            if (outside is null)
                return Errno.EPERM;
            ranges[i] = ranges[i] with { Outside = outside.Value };
        }
        if (ofGroups)
            _groups = ranges;
        else
            _users = ranges;
        return Errno.None;
    }

    private static IdRange[]? Parse(string text)
    {
        string[] lines = text.TrimEnd('\n').Split('\n');
        var ranges = new IdRange[lines.Length];
        if (lines.Length > MostRanges)
            return null;
        for (int i = 0; i < lines.Length; i++)
        {
            string[] words = lines[i].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length != 3 || !uint.TryParse(words[0], out uint inside) || !uint.TryParse(words[1], out uint outside) || !uint.TryParse(words[2], out uint count) || count == 0)
                return null;
            if (inside + (ulong)count > uint.MaxValue || outside + (ulong)count > uint.MaxValue)
                return null;
            ranges[i] = new IdRange(inside, outside, count);
        }
        return ranges;
    }

    /// <summary>Writes "allow" or "deny" to /proc/PID/setgroups.</summary>
    public Errno SetSetGroups(string text)
    {
        string word = text.Trim();
        if (word is not ("allow" or "deny"))
            return Errno.EINVAL;
        if (word == "deny" && HasGroupMap)
            return Errno.EPERM;
        if (word == "allow" && !AllowsSetGroups)
            return Errno.EPERM;
        AllowsSetGroups = word == "allow";
        return Errno.None;
    }
}
