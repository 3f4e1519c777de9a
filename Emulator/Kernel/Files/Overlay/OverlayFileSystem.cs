namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>What lies in an overlay, and how. The lowers come from the uppermost down; without an upper the whole cannot be written.</summary>
public sealed record OverlayLayers(IReadOnlyList<PathEntry> Lowers, PathEntry? Upper, PathEntry? Work)
{
    /// <summary>Directories that show something from below can be renamed: their old place is noted in them (redirect_dir=on).</summary>
    public bool Redirects { get; init; }

    /// <summary>Such notes are heeded (all but redirect_dir=nofollow).</summary>
    public bool FollowsRedirects { get; init; } = true;

    /// <summary>As /proc/mounts tells them.</summary>
    public string Options { get; init; } = "";
}

/// <summary>
/// Directories laid over each other, of any file systems (Documentation/filesystems/overlayfs.rst): names are merged, what is changed is first copied
/// up to the upper directory, and what is removed is covered there by whiteouts. No index and no origins: a lower file's hard links part when they are copied up.
/// </summary>
public sealed class OverlayFileSystem : FileSystem
{
    private const uint Magic = 0x794C7630;

    private readonly Dictionary<Inode, OverlayNode> _linked = [];
    private readonly bool _isOneFileSystem;
    private ulong _lastNumber;

    public OverlayFileSystem(IClock clock, ulong device, OverlayLayers layers)
        : base(clock)
    {
        Device = device;
        Layers = layers;
        FileSystem? first = layers.Lowers[0].Inode.FileSystem;
        _isOneFileSystem = (layers.Upper is null || layers.Upper.Inode.FileSystem == first) && layers.Lowers.All(lower => lower.Inode.FileSystem == first);
        Root = new OverlayNode(this, null, [], layers.Upper?.Dentry, TopsFrom(0));
    }

    public override string TypeName => "overlay";

    public override bool HandlesKeepNames => true;

    public override string Options => Layers.Options;

    public override Inode Root { get; }

    public override bool IsReadOnly => Layers.Upper is null || ForbidsChanges;

    internal override int Depth => Layers.Lowers.Append(Layers.Upper).Max(static layer => layer?.Inode.FileSystem?.Depth ?? 0);

    internal ulong Device { get; }

    internal OverlayLayers Layers { get; }

    /// <summary>The layers' tops, from one on down.</summary>
    internal LowerName[] TopsFrom(int first) => [.. Layers.Lowers.Select(static (lower, layer) => new LowerName(lower.Dentry, layer)).Skip(first)];

    /// <summary>That of the layer which is written, or the first.</summary>
    public override FileSystemStatus Status => ((Layers.Upper ?? Layers.Lowers[0]).Inode.FileSystem?.Status ?? default) with { Magic = Magic, Id = Device };

    /// <summary>A node's number: the layer's own when all are on one file system.</summary>
    internal ulong NumberOf(Inode real) => _isOneFileSystem ? real.Status.Inode : ++_lastNumber;

    /// <summary>The node of an upper file that has several names, which share it.</summary>
    internal OverlayNode? FindLinked(Inode upper) => _linked.GetValueOrDefault(upper);

    internal void Remember(Inode upper, OverlayNode node) => _linked[upper] = node;

    internal void Forget(Inode upper) => _linked.Remove(upper);
}
