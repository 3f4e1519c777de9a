using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>The options of an overlay ("lowerdir=…,upperdir=…,workdir=…"), and the overlay that they ask for.</summary>
internal sealed class OverlayOptions
{
    /// <summary>OVL_MAX_STACK.</summary>
    private const int MostLayers = 500;

    private readonly List<(string Text, PathEntry Path)> _lowers = [];
    private (string Text, PathEntry Path)? _upper, _work;
    private bool _redirects, _followsRedirects = true;
    private string _other = "";

    /// <summary>EINVAL for options that are unknown or do not go together, ENOENT and others for paths.</summary>
    public static Errno Make(Vfs vfs, IClock clock, in FileSystemRequest request, out FileSystem? made)
    {
        made = null;
        var options = new OverlayOptions();
        foreach ((string key, string? value) in request.Options)
        {
            Errno error = options.Take(vfs, request.Call, key, value);
            if (error != Errno.None)
                return error;
        }
        if (options._lowers.Count is 0 or > MostLayers || (options._lowers.Count == 1 && options._upper is null) || (options._upper is null) != (options._work is null) || !options.AreApart())
            return Errno.EINVAL;
        if (options._work is { } work && !PrepareWork(work.Path))
            return Errno.EROFS;
        made = new OverlayFileSystem(clock, vfs.NewDevice(), new OverlayLayers([.. options._lowers.Select(static lower => lower.Path)], options._upper?.Path, options._work?.Path)
        {
            Redirects = options._redirects,
            FollowsRedirects = options._followsRedirects,
            Options = options.Text(),
        });
        return Errno.None;
    }

    /// <summary>As far as it can be said without looking at paths.</summary>
    public static bool IsKnown(string key, string? value) => (key, value) switch
    {
        ("lowerdir" or "lowerdir+" or "upperdir" or "workdir", { Length: > 0 }) => true,
        ("redirect_dir", "on" or "off" or "follow" or "nofollow") => true,
        ("index" or "xino" or "metacopy" or "nfs_export", "off") or ("xino", "auto") or ("uuid", "on" or "off" or "null" or "auto") => true,
        ("volatile" or "default_permissions", null) => true,
        _ => false,
    };

    private Errno Take(Vfs vfs, CallContext call, string key, string? value)
    {
        if (!IsKnown(key, value))
            return Errno.EINVAL;
        switch (key)
        {
            case "lowerdir":
                _lowers.Clear();
                return TakeLowers(vfs, call, value!);
            case "lowerdir+":
                return TakeLower(vfs, call, value!);
            case "upperdir":
                return Find(vfs, call, value!, ref _upper);
            case "workdir":
                return Find(vfs, call, value!, ref _work);
            case "redirect_dir":
                (_redirects, _followsRedirects) = (value == "on", value != "nofollow");
                _other += value == "follow" ? "" : $",redirect_dir={value}";
                return Errno.None;
            case "volatile" or "default_permissions":
                _other += "," + key;
                return Errno.None;
            default:
                return Errno.None;
        }
    }

    /// <summary>Directories between colons; a backslash takes the meaning from the next character.</summary>
    private Errno TakeLowers(Vfs vfs, CallContext call, string value)
    {
        var path = new StringBuilder();
        for (int i = 0; i <= value.Length; i++)
        {
            if (i < value.Length && value[i] == '\\' && i + 1 < value.Length)
            {
                path.Append(value[++i]);
                continue;
            }
            if (i < value.Length && value[i] != ':')
            {
                path.Append(value[i]);
                continue;
            }
            Errno error = TakeLower(vfs, call, path.ToString());
            if (error != Errno.None)
                return error;
            path.Clear();
        }
        return Errno.None;
    }

    private Errno TakeLower(Vfs vfs, CallContext call, string text)
    {
        (string, PathEntry)? found = null;
        Errno error = text.Length == 0 ? Errno.EINVAL : Find(vfs, call, text, ref found);
        if (error == Errno.None)
            _lowers.Add(found!.Value);
        return error;
    }

    private static Errno Find(Vfs vfs, CallContext call, string text, ref (string, PathEntry)? found)
    {
        var caller = new FileCaller(call.Process.FileContext, call.Thread.FileCredentials, call);
        Errno error = vfs.Resolve(caller, call.Process.FileContext.WorkingDirectory, Encoding.Latin1.GetBytes(text), WalkFlags.Follow, out PathEntry? path);
        if (error != Errno.None)
            return error;
        if (path!.Inode.Kind != FileKind.Directory)
            return Errno.EINVAL;
        found = (text, path);
        return Errno.None;
    }

    /// <summary>Upper and work directory are two of one mount, neither in the other; the upper can be written.</summary>
    private bool AreApart()
    {
        if (_upper is not { } upper || _work is not { } work)
            return true;
        return upper.Path.Mount == work.Path.Mount && !upper.Path.Mount.IsReadOnly
            && !upper.Path.Dentry.IsAncestorOf(work.Path.Dentry) && !work.Path.Dentry.IsAncestorOf(upper.Path.Dentry);
    }

    private static bool PrepareWork(PathEntry work) =>
        LayerNames.Find(work.Dentry, "work"u8) is not null || LayerNames.Make(work.Dentry, "work"u8, new NodeSpec(FileKind.Directory, 0, 0, 0), out _) == Errno.None;

    private string Text()
    {
        string text = "lowerdir=" + string.Join(':', _lowers.Select(static lower => lower.Text.Replace("\\", "\\\\").Replace(":", "\\:")));
        if (_upper is { } upper && _work is { } work)
            text += $",upperdir={upper.Text},workdir={work.Text}";
        return text + _other + ",uuid=" + (_upper is null ? "null" : "on");
    }
}
