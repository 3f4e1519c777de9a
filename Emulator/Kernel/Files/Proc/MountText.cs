using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/mounts and mountinfo (proc(5)): what lies under the process's root.</summary>
internal static class MountText
{
    internal static string Mounts(FileContext? context)
    {
        StringBuilder text = new();
        foreach ((Mount mount, string point) in Visible(context))
            text.Append(CultureInfo.InvariantCulture, $"{Escape(mount.Source)} {point} {mount.FileSystem.TypeName} {(mount.IsReadOnly || mount.FileSystem.IsReadOnly ? "ro" : "rw")}{Options(mount)}{OwnOptions(mount)} 0 0\n");
        return text.ToString();
    }

    internal static string MountInfo(FileContext? context)
    {
        StringBuilder text = new();
        foreach ((Mount mount, string point) in Visible(context))
        {
            ulong device = mount.Root.Inode!.Status.Device;
            string root = Escape(Encoding.UTF8.GetString(PathInFileSystem(mount.Root)));
            text.Append(CultureInfo.InvariantCulture,
                $"{mount.Id} {mount.Parent?.Id ?? 1} {DeviceNumber.Major(device)}:{DeviceNumber.Minor(device)} {root} {point} {(mount.IsReadOnly ? "ro" : "rw")}{Options(mount)}{Optional(mount)} - "
                + $"{mount.FileSystem.TypeName} {Escape(mount.Source)} {(mount.FileSystem.IsReadOnly ? "ro" : "rw")}{OwnOptions(mount)}\n");
        }
        return text.ToString();
    }

    private static IEnumerable<(Mount Mount, string Point)> Visible(FileContext? context)
    {
        if (context is null)
            yield break;
        // As they were made (m_start in fs/namespace.c goes by the unique number).
        foreach (Mount mount in Vfs.Mounts(context.Root.Mount).OrderBy(static mount => mount.Id).ToArray())
        {
            byte[] path = new PathEntry(mount, mount.Root).PathFrom(context.Root, out bool reachable);
            if (reachable)
                yield return (mount, Escape(Encoding.UTF8.GetString(path)));
        }
    }

    internal static byte[] PathInFileSystem(Dentry dentry)
    {
        List<byte> path = [];
        for (Dentry? name = dentry; name?.Parent is not null; name = name.Parent)
            path.InsertRange(0, [(byte)'/', .. name.Name]);
        return path.Count == 0 ? "/"u8.ToArray() : [.. path];
    }

    private static string OwnOptions(Mount mount) => mount.FileSystem.Options is { Length: > 0 } options ? "," + Escape(options) : "";

    private static string Options(Mount mount)
    {
        string options = "";
        if (mount.NoSetId)
            options += ",nosuid";
        if (mount.NoDevices)
            options += ",nodev";
        if (mount.NoExecute)
            options += ",noexec";
        if ((mount.Flags & MountFlags.NoAccessTime) != 0)
            options += ",noatime";
        if ((mount.Flags & MountFlags.NoDirectoryAccessTime) != 0)
            options += ",nodiratime";
        if ((mount.Flags & (MountFlags.NoAccessTime | MountFlags.StrictAccessTime)) == 0)
            options += ",relatime";
        return (mount.Flags & MountFlags.NoLinks) != 0 ? options + ",nosymfollow" : options;
    }

    /// <summary>How the mount spreads (proc(5), mountinfo's optional fields).</summary>
    private static string Optional(Mount mount)
    {
        string fields = mount.Peers is { } peers ? $" shared:{peers.Id}" : "";
        if (mount.Master is { } master)
            fields += $" master:{master.Id}";
        return mount.IsUnbindable ? fields + " unbindable" : fields;
    }

    /// <summary>Blanks and backslashes are octal, so that lines stay fields.</summary>
    private static string Escape(string text) =>
        text.Replace("\\", "\\134", StringComparison.Ordinal).Replace(" ", "\\040", StringComparison.Ordinal)
            .Replace("\t", "\\011", StringComparison.Ordinal).Replace("\n", "\\012", StringComparison.Ordinal);
}
