using System.Globalization;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>The options of a tmpfs (tmpfs(5); shmem_parse_one in mm/shmem.c).</summary>
internal sealed class TemporaryOptions
{
    private const uint UsualMode = 0x3FF;
    private const ulong PageSize = 4096;
    private const string Units = "kmgtpe";

    private uint? _mode, _user, _group;
    private ulong? _pages, _inodes;
    private bool _keepsUsers, _keepsGroups;
    private readonly SortedDictionary<string, ulong> _quotaLimits = new(StringComparer.Ordinal);

    public static bool IsKnown(string key, string? value) => new TemporaryOptions().TryTake(key, value, 0);

    public static Errno Make(MemoryFileSystem fileSystem, Func<bool> mayExceed, in FileSystemRequest request, out FileSystem? made)
    {
        made = null;
        ulong memory = request.Call.World.Accountant.Limit, usual = memory / PageSize / 2;
        var options = new TemporaryOptions();
        foreach ((string key, string? value) in request.Options)
        {
            if (!options.TryTake(key, value, memory))
                return Errno.EINVAL;
        }
        // Quotas count real ids (shmem_parse_one: "Quotas in unprivileged tmpfs mounts are unsupported").
        if ((options._keepsUsers || options._keepsGroups) && request.Call.Thread.Namespaces.Users.Parent is not null)
            return Errno.EINVAL;
        fileSystem.Space = new TemporarySpace
        {
            MaxPages = options._pages ?? usual,
            MaxInodes = options._inodes ?? usual,
            Users = options._keepsUsers ? options.NewBook(fileSystem.Clock, mayExceed, "usrquota") : null,
            Groups = options._keepsGroups ? options.NewBook(fileSystem.Clock, mayExceed, "grpquota") : null,
        };
        fileSystem.GivenOptions = () => options.Text(fileSystem.Space, usual);
        made = fileSystem;
        Errno error = fileSystem.Root.SetAttributes(new AttributeChange { Mode = options._mode, User = options._user, Group = options._group });
        FileStatus root = fileSystem.Root.Status;
        fileSystem.Space.Users?.TryAdd(root.User, 0, 1);
        fileSystem.Space.Groups?.TryAdd(root.Group, 0, 1);
        return error;
    }

    /// <summary>Mounts it anew with other limits (shmem_reconfigure): EINVAL for less than is used, and for limits on what had none.</summary>
    public static Errno Change(FileSystem fileSystem, FileSystemChange change)
    {
        if (fileSystem is not MemoryFileSystem { Space: { } space })
            return Errno.None;
        var options = new TemporaryOptions();
        foreach ((string key, string? value) in change.Options)
        {
            if (!options.TryTake(key, value, change.Call.World.Accountant.Limit))
                return Errno.EINVAL;
        }
        _ = space.FreePages;
        if (options._pages is > 0 and var pages && (space.MaxPages == 0 || space.UsedPages > pages))
            return Errno.EINVAL;
        if (options._inodes is > 0 and var inodes && (space.MaxInodes == 0 || space.UsedInodes > inodes))
            return Errno.EINVAL;
        if ((options._keepsUsers || options._keepsGroups) && (space.Users ?? space.Groups) is null)
            return Errno.EINVAL;
        foreach ((string key, ulong limit) in options._quotaLimits)
        {
            if (limit != (key.StartsWith("usr", StringComparison.Ordinal) ? LimitOf(space.Users, key) : LimitOf(space.Groups, key)))
                return Errno.EINVAL;
        }
        space.MaxPages = options._pages ?? space.MaxPages;
        space.MaxInodes = options._inodes ?? space.MaxInodes;
        return Errno.None;
    }

    private static ulong? LimitOf(QuotaBook? book, string key) =>
        key.EndsWith("block_hardlimit", StringComparison.Ordinal) ? book?.UsualHardBytes : book?.UsualHardFiles;

    private QuotaBook NewBook(IClock clock, Func<bool> mayExceed, string kind) => new(clock, mayExceed)
    {
        UsualHardBytes = _quotaLimits.GetValueOrDefault(kind + "_block_hardlimit"),
        UsualHardFiles = _quotaLimits.GetValueOrDefault(kind + "_inode_hardlimit"),
    };

    private bool TryTake(string key, string? value, ulong memory)
    {
        switch (key, value)
        {
            case ("mode", { } text):
                return (_mode = Number(text, isOctal: true) & 0xFFF) is not null;
            case ("uid", { } text):
                return (_user = Number(text, isOctal: false)) is not null;
            case ("gid", { } text):
                return (_group = Number(text, isOctal: false)) is not null;
            case ("size", { } text) when text.EndsWith('%'):
                _pages = Bytes(text[..^1]) is { } percents ? percents * (memory / PageSize) / 100 : null;
                return _pages is not null;
            case ("size", { } text):
                return (_pages = (Bytes(text) + PageSize - 1) / PageSize) is not null;
            case ("nr_blocks", { } text):
                return (_pages = Bytes(text)) is not null;
            case ("nr_inodes", { } text):
                return (_inodes = Bytes(text)) is not null;
            case ("quota", null):
                return _keepsUsers = _keepsGroups = true;
            case ("usrquota", null):
                return _keepsUsers = true;
            case ("grpquota", null):
                return _keepsGroups = true;
            case ("usrquota_block_hardlimit" or "usrquota_inode_hardlimit" or "grpquota_block_hardlimit" or "grpquota_inode_hardlimit", { } text):
                return Bytes(text) is > 0 and <= long.MaxValue and var limit && (_quotaLimits[key] = limit) != 0;
            case ("huge", "never" or "always" or "within_size" or "advise") or ("mpol", not null) or ("inode32" or "inode64" or "noswap", null):
                return true;
            default:
                return false;
        }
    }

    /// <summary>In the order of shmem_show_options in mm/shmem.c; what is as usual is not told.</summary>
    private string Text(TemporarySpace space, ulong usual)
    {
        List<string> told = [];
        void Tell(string name, ulong value, string unit = "") => told.Add(string.Create(CultureInfo.InvariantCulture, $"{name}={value}{unit}"));
        if (space.MaxPages != usual)
            Tell("size", space.MaxPages * PageSize / 1024, "k");
        if (space.MaxInodes != usual)
            Tell("nr_inodes", space.MaxInodes);
        if (_mode is { } mode && mode != UsualMode)
            told.Add("mode=" + Convert.ToString(mode, 8).PadLeft(3, '0'));
        if (_user is { } user and not 0)
            Tell("uid", user);
        if (_group is { } group and not 0)
            Tell("gid", group);
        if (_keepsUsers)
            told.Add("usrquota");
        if (_keepsGroups)
            told.Add("grpquota");
        foreach (string key in (string[])["usrquota_block_hardlimit", "grpquota_block_hardlimit", "usrquota_inode_hardlimit", "grpquota_inode_hardlimit"])
        {
            if (_quotaLimits.TryGetValue(key, out ulong limit))
                Tell(key, limit);
        }
        return string.Join(',', told);
    }

    /// <summary>memparse in lib/cmdline.c: a number with a unit, in which nothing may follow.</summary>
    private static ulong? Bytes(string text)
    {
        int unit = text.Length == 0 ? -1 : Units.IndexOf(char.ToLowerInvariant(text[^1]), StringComparison.Ordinal);
        string digits = unit < 0 ? text : text[..^1];
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isNumber = isHex
            ? ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return isNumber ? number << (10 * (unit + 1)) : null;
    }

    private static uint? Number(string text, bool isOctal)
    {
        if (!isOctal)
            return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint decimalValue) ? decimalValue : null;
        uint value = 0;
        foreach (char digit in text)
        {
            if (digit is < '0' or > '7')
                return null;
            value = (value * 8) + (uint)(digit - '0');
        }
        return text.Length is > 0 and < 11 ? value : null;
    }
}
