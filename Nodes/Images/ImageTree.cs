using System.Formats.Tar;
using System.Text;

namespace Vivarium.Nodes.Images;

/// <summary>Where a regular file's bytes are.</summary>
internal sealed record FileContent(Stream Archive, long Offset, long Length);

/// <summary>One name of an image's tree. Several names may have one content: they are hard links.</summary>
internal sealed record ImageEntry
{
    public required TarEntryType Kind { get; init; }

    public uint Mode { get; init; }

    public int User { get; init; }

    public int Group { get; init; }

    /// <summary>Nanoseconds since the epoch.</summary>
    public long ModifyTime { get; init; }

    /// <summary>A symbolic link's text.</summary>
    public string Target { get; init; } = "";

    public FileContent? Content { get; init; }

    /// <summary>Extended attributes by their names.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];

    /// <summary>The layer that it comes from.</summary>
    public int Layer { get; init; }
}

/// <summary>
/// An image's tree, put together from layers in memory: nothing of an archive is ever written to this machine's files under the
/// names that it brings. Names that climb out are refused; links on the way to a name are followed inside the tree, as
/// unpacking with the tree as root would.
/// </summary>
internal sealed class ImageTree(ImageLimits limits)
{
    private const string WhiteoutPrefix = ".wh.";
    private const string OpaqueMarker = ".wh..wh..opq";
    private const string AttributePrefix = "SCHILY.xattr.";
    private const int MostLinks = 40;
    private const uint DirectoryMode = 0x1ED; // 0755

    private readonly Dictionary<string, ImageEntry> _entries = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _paths = new(StringComparer.Ordinal);
    private readonly List<string> _notes = [];
    private int _devices;
    private ulong _bytes;

    /// <summary>By path, without a leading slash; a directory comes before what is in it.</summary>
    public IEnumerable<KeyValuePair<string, ImageEntry>> Entries => _paths.Select(path => KeyValuePair.Create(path, _entries[path]));

    /// <summary>What was left out, and why.</summary>
    public IReadOnlyList<string> Notes => _devices == 0 ? _notes : [.. _notes, $"{_devices} device nodes left out: a world has its own /dev"];

    /// <summary>Puts a layer over those before. Its stream must be seekable, and stay open as long as contents are read.</summary>
    /// <param name="hasWhiteouts">Names that begin with ".wh." take away what lower layers have (OCI image specification, "Whiteouts").</param>
    /// <exception cref="ImageException">An entry is not allowed, damaged, or too much.</exception>
    public void Add(Stream archive, int layer, bool hasWhiteouts)
    {
        try
        {
            using var reader = new TarReader(archive, leaveOpen: true);
            while (reader.GetNextEntry(copyData: false) is { } entry)
                Add(entry, archive, layer, hasWhiteouts);
        }
        catch (Exception damage) when (damage is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            throw new ImageException($"the archive is damaged: {damage.Message}");
        }
    }

    private void Add(TarEntry entry, Stream archive, int layer, bool hasWhiteouts)
    {
        if (entry.EntryType == TarEntryType.GlobalExtendedAttributes)
            return;
        if (Split(entry.Name) is not { Length: > 0 } parts)
        {
            // The root itself.
            return;
        }
        string path = Place(parts, layer);
        if (hasWhiteouts && parts[^1].StartsWith(WhiteoutPrefix, StringComparison.Ordinal))
        {
            Whiteout(path, layer);
            return;
        }
        if (Read(entry, archive, layer) is not { } made)
            return;
        if (_entries.Count >= ImageLimits.Entries)
            throw new ImageException($"the image has more than {ImageLimits.Entries} entries") { IsTooLarge = true };
        if (made.Kind == TarEntryType.Directory && _entries.TryGetValue(path, out ImageEntry? before) && before.Kind == TarEntryType.Directory)
        {
            _entries[path] = made;
            return;
        }
        Replace(path, made);
    }

    /// <summary>What an entry puts into the tree; null for nothing.</summary>
    private ImageEntry? Read(TarEntry entry, Stream archive, int layer)
    {
        var common = new ImageEntry
        {
            Kind = entry.EntryType,
            Mode = (uint)entry.Mode & 0xFFF,
            User = entry.Uid,
            Group = entry.Gid,
            ModifyTime = (entry.ModificationTime - DateTimeOffset.UnixEpoch).Ticks * 100,
            Attributes = entry is PaxTarEntry pax ? AttributesOf(pax) : [],
            Layer = layer,
        };
        switch (entry.EntryType)
        {
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                _bytes += (ulong)entry.Length;
                if (_bytes > limits.Bytes)
                    throw new ImageException($"the image's files are larger than {limits.Bytes} bytes together") { IsTooLarge = true };
                return common with { Kind = TarEntryType.RegularFile, Content = new FileContent(archive, entry.Length == 0 ? 0 : entry.DataOffset, entry.Length) };
            case TarEntryType.Directory or TarEntryType.DirectoryList:
                return common with { Kind = TarEntryType.Directory };
            case TarEntryType.SymbolicLink:
                return common with { Target = Checked(entry.LinkName, entry.Name) };
            case TarEntryType.HardLink:
                return FindLinked(entry) with { Layer = layer };
            case TarEntryType.Fifo:
                return common;
            case TarEntryType.CharacterDevice or TarEntryType.BlockDevice:
                _devices++;
                return null;
            default:
                throw new ImageException($"{entry.Name}: entries of type '{(char)entry.EntryType}' are not known");
        }
    }

    private ImageEntry FindLinked(TarEntry entry)
    {
        if (Split(entry.LinkName) is not { Length: > 0 } parts || !_entries.TryGetValue(Place(parts, -1), out ImageEntry? target))
            throw new ImageException($"{entry.Name}: a hard link to {entry.LinkName}, which is not in the archive");
        return target.Kind != TarEntryType.Directory ? target : throw new ImageException($"{entry.Name}: a hard link to a directory, {entry.LinkName}");
    }

    private static List<KeyValuePair<string, string>> AttributesOf(PaxTarEntry entry)
    {
        List<KeyValuePair<string, string>> attributes = [];
        foreach ((string name, string value) in entry.ExtendedAttributes)
        {
            if (name.StartsWith(AttributePrefix, StringComparison.Ordinal) && !value.Contains('\uFFFD'))
                attributes.Add(new(name, value));
        }
        attributes.Sort(static (one, other) => string.CompareOrdinal(one.Key, other.Key));
        return attributes;
    }

    /// <summary>A name's parts; an absolute one is meant from the tree's root.</summary>
    /// <exception cref="ImageException">It climbs out, or cannot be a name.</exception>
    private static string[] Split(string name)
    {
        Checked(name, name);
        string[] parts = [.. name.Split('/').Where(static part => part is not ("" or "."))];
        if (parts.Contains(".."))
            throw new ImageException($"refused: {Shown(name)} climbs out of the archive");
        if (parts.Any(static part => Encoding.UTF8.GetByteCount(part) > ImageLimits.NameBytes))
            throw new ImageException($"refused: {Shown(name)} has a part longer than {ImageLimits.NameBytes} bytes");
        return parts;
    }

    private static string Checked(string text, string name)
    {
        if (text.Contains('\0') || Encoding.UTF8.GetByteCount(text) > ImageLimits.PathBytes)
            throw new ImageException($"refused: a name of {Shown(name)} is too long or holds a NUL");
        return text.Contains('\uFFFD') ? throw new ImageException($"refused: a name of {Shown(name)} is not UTF-8") : text;
    }

    private static string Shown(string name) => name.Length > 100 ? name[..100] + "…" : name;

    /// <summary>
    /// The path that a name means: links among its folders are followed inside the tree, and folders that are not there are made
    /// (<paramref name="layer"/> -1: not).
    /// </summary>
    private string Place(string[] parts, int layer)
    {
        var left = new Stack<string>(parts[..^1].Reverse());
        List<string> folder = [];
        int links = 0;
        while (left.TryPop(out string? part))
        {
            if (part is "" or ".")
                continue;
            if (part == "..")
            {
                // Only a link's text has these: at the root they lead nowhere else.
                if (folder.Count > 0)
                    folder.RemoveAt(folder.Count - 1);
                continue;
            }
            folder.Add(part);
            string path = string.Join('/', folder);
            ImageEntry? entry = _entries.GetValueOrDefault(path);
            if (entry?.Kind == TarEntryType.SymbolicLink)
            {
                if (++links > MostLinks)
                    throw new ImageException($"refused: {string.Join('/', parts)} leads through too many links");
                folder.RemoveAt(folder.Count - 1);
                if (entry.Target.StartsWith('/'))
                    folder.Clear();
                foreach (string next in entry.Target.Split('/').Reverse())
                    left.Push(next);
            }
            else if (entry?.Kind != TarEntryType.Directory && layer >= 0)
            {
                Replace(path, new ImageEntry { Kind = TarEntryType.Directory, Mode = DirectoryMode, Layer = layer });
            }
        }
        return string.Join('/', [.. folder, parts[^1]]);
    }

    private void Whiteout(string path, int layer)
    {
        int slash = path.LastIndexOf('/');
        string folder = slash < 0 ? "" : path[..slash], name = path[(slash + 1)..];
        if (name == OpaqueMarker)
            RemoveBelow(folder, layer);
        else
            Remove((folder.Length == 0 ? "" : folder + "/") + name[WhiteoutPrefix.Length..], layer);
    }

    private void Replace(string path, ImageEntry entry)
    {
        Remove(path, int.MaxValue);
        _entries[path] = entry;
        _paths.Add(path);
    }

    /// <summary>Takes a name away with all below it, as far as it comes from lower layers than this.</summary>
    private void Remove(string path, int layer)
    {
        if (!_entries.TryGetValue(path, out ImageEntry? entry))
            return;
        if (entry.Kind == TarEntryType.Directory)
            RemoveBelow(path, layer);
        if (entry.Layer < layer)
            Drop(path);
    }

    private void RemoveBelow(string folder, int layer)
    {
        // '0' comes right after '/'.
        SortedSet<string> below = folder.Length == 0 ? _paths : _paths.GetViewBetween(folder + "/", folder + "0");
        foreach (string path in below.Where(path => _entries.TryGetValue(path, out ImageEntry? entry) && entry.Layer < layer).ToList())
            Drop(path);
    }

    private void Drop(string path)
    {
        _entries.Remove(path);
        _paths.Remove(path);
    }
}
