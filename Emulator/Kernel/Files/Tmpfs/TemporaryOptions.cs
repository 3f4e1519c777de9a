using System.Globalization;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>The options of a tmpfs (tmpfs(5)). Its size is the world's, whatever is asked for.</summary>
internal static class TemporaryOptions
{
    public static bool IsKnown(string key, string? value) => (key, value) switch
    {
        ("mode", { } text) => Number(text, isOctal: true) is not null,
        ("uid" or "gid", { } text) => Number(text, isOctal: false) is not null,
        ("size" or "nr_blocks" or "nr_inodes", { } text) => IsSize(text),
        ("huge", "never" or "always" or "within_size" or "advise") => true,
        ("mpol", not null) or ("inode32" or "inode64" or "noswap", null) => true,
        _ => false,
    };

    public static Errno Make(MemoryFileSystem fileSystem, in FileSystemRequest request, out FileSystem? made)
    {
        made = null;
        var change = new AttributeChange();
        foreach ((string key, string? value) in request.Options)
        {
            if (!IsKnown(key, value))
                return Errno.EINVAL;
            switch (key)
            {
                case "mode":
                    change.Mode = Number(value!, isOctal: true) & 0xFFF;
                    break;
                case "uid":
                    change.User = Number(value!, isOctal: false);
                    break;
                case "gid":
                    change.Group = Number(value!, isOctal: false);
                    break;
            }
        }
        fileSystem.GivenOptions = Text(request.Options, change);
        made = fileSystem;
        return fileSystem.Root.SetAttributes(change);
    }

    /// <summary>In the order of shmem_show_options in mm/shmem.c; what is as usual is not told.</summary>
    private static string Text(IReadOnlyList<(string Key, string? Value)> options, in AttributeChange change)
    {
        const uint usualMode = 0x3FF;
        List<string> told = [];
        foreach ((string key, string? value) in options)
        {
            if (key == "size" && !value!.EndsWith('%'))
                told.Add(string.Create(CultureInfo.InvariantCulture, $"size={(Bytes(value) + 1023) / 1024}k"));
        }
        if (change.Mode is { } mode && mode != usualMode)
            told.Add("mode=" + Convert.ToString(mode, 8).PadLeft(3, '0'));
        if (change.User is { } user and not 0)
            told.Add(string.Create(CultureInfo.InvariantCulture, $"uid={user}"));
        if (change.Group is { } group and not 0)
            told.Add(string.Create(CultureInfo.InvariantCulture, $"gid={group}"));
        return string.Join(',', told);
    }

    private static ulong Bytes(string size)
    {
        ulong number = ulong.Parse(size.ToLowerInvariant().TrimEnd(Units), NumberStyles.None, CultureInfo.InvariantCulture);
        int unit = Array.IndexOf(Units, char.ToLowerInvariant(size[^1]));
        return number << (10 * (unit + 1));
    }

    private static readonly char[] Units = ['k', 'm', 'g', 't'];

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

    private static bool IsSize(string text) =>
        ulong.TryParse(text.ToLowerInvariant().TrimEnd([.. Units, '%']), NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
