using System.Formats.Tar;
using System.IO.Compression;

namespace Vivarium.Nodes.Images;

/// <summary>Temporary files for unpacked archives, deleted when disposed. Watches how much they hold.</summary>
/// <param name="hasPrograms">This machine's programs may decompress what the run-time cannot: see <see cref="HostDecompressor"/>.</param>
internal sealed class ArchiveStore(ImageLimits limits, bool hasPrograms = false) : IDisposable
{
    private readonly List<Stream> _open = [];
    private ulong _bytes;

    /// <summary>A seekable file that is gone with its stream.</summary>
    public FileStream NewFile()
    {
        string path = Path.Combine(Path.GetTempPath(), $"viv-image-{Guid.NewGuid():N}");
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            Options = FileOptions.DeleteOnClose,
            BufferSize = 1 << 16,
        });
        _open.Add(file);
        return file;
    }

    /// <summary>An archive as a seekable stream without compression; it is kept open until this is disposed.</summary>
    /// <exception cref="ImageException">It is damaged, too large, or compressed in a way that is not known.</exception>
    public Stream Unpack(Stream archive)
    {
        _open.Add(archive);
        Span<byte> magic = stackalloc byte[6];
        long start = archive.CanSeek ? archive.Position : 0;
        int count = archive.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        archive.Position = start;
        magic = magic[..count];
        if (magic.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
            return Decompress(archive);
        if (HostDecompressor.ProgramFor(magic) is not { } program)
            return archive;
        return hasPrograms
            ? Decompress(archive, program)
            : throw new ImageException($"a node takes no archives that are compressed with {program}: push it with viv image push, or use gzip or none");
    }

    public void Dispose()
    {
        foreach (Stream stream in _open)
            stream.Dispose();
    }

    private FileStream Decompress(Stream archive)
    {
        FileStream plain = NewFile();
        byte[] buffer = new byte[1 << 16];
        try
        {
            using var decompressed = new GZipStream(archive, CompressionMode.Decompress, leaveOpen: true);
            for (int count; (count = decompressed.Read(buffer)) > 0;)
                Put(plain, buffer.AsSpan(0, count));
        }
        catch (InvalidDataException damage)
        {
            throw new ImageException($"the archive's compression is damaged: {damage.Message}");
        }
        plain.Position = 0;
        return plain;
    }

    private FileStream Decompress(Stream archive, string program)
    {
        FileStream plain = NewFile();
        HostDecompressor.Run(program, archive, bytes => Put(plain, bytes));
        plain.Position = 0;
        return plain;
    }

    private void Put(FileStream plain, ReadOnlySpan<byte> bytes)
    {
        _bytes += (ulong)bytes.Length;
        // Headers come on top of the files' bytes.
        if (_bytes > limits.Bytes + (limits.Bytes / 4) + (1 << 20))
            throw new ImageException($"the archive unpacks to more than {limits.Bytes} bytes") { IsTooLarge = true };
        plain.Write(bytes);
    }
}

/// <summary>Named files of a container image: those of a folder, or of an archive.</summary>
internal interface IFileSource
{
    /// <summary>A seekable stream of the file; null when there is none of this name.</summary>
    Stream? Open(string name);
}

/// <summary>A folder's files. Names come from what was checked to be digests or fixed words.</summary>
internal sealed class FolderSource(string folder) : IFileSource
{
    public Stream? Open(string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? File.OpenRead(path) : null;
    }
}

/// <summary>The regular files of a tar archive by name; those that are links to others in it are followed (docker save of old).</summary>
internal sealed class ArchiveSource : IFileSource
{
    private const int MostLinks = 8;

    private readonly Dictionary<string, (long Offset, long Length)> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _links = new(StringComparer.Ordinal);
    private readonly Stream _archive;

    public ArchiveSource(Stream archive)
    {
        _archive = archive;
        archive.Position = 0;
        try
        {
            using var reader = new TarReader(archive, leaveOpen: true);
            while (reader.GetNextEntry(copyData: false) is { } entry && _files.Count + _links.Count < ImageLimits.Entries)
            {
                string name = Normal(entry.Name);
                if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                    _files[name] = (entry.Length == 0 ? 0 : entry.DataOffset, entry.Length);
                else if (entry.EntryType is TarEntryType.SymbolicLink)
                    _links[name] = Normal(Path.Combine(Path.GetDirectoryName(name) ?? "", entry.LinkName));
                else if (entry.EntryType is TarEntryType.HardLink)
                    _links[name] = Normal(entry.LinkName);
            }
        }
        catch (Exception damage) when (damage is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            throw new ImageException($"this is no tar archive, or a damaged one: {damage.Message}");
        }
        archive.Position = 0;
    }

    public bool IsEmpty => _files.Count == 0 && _links.Count == 0;

    public Stream? Open(string name)
    {
        name = Normal(name);
        for (int i = 0; i < MostLinks && _links.TryGetValue(name, out string? target); i++)
            name = target;
        return _files.TryGetValue(name, out (long Offset, long Length) file) ? new Part(_archive, file.Offset, file.Length) : null;
    }

    /// <summary>Without "./" and with what ".." says, which leads no higher than the archive.</summary>
    private static string Normal(string name) => Path.GetFullPath("/" + name)[1..];

    /// <summary>A part of a seekable stream.</summary>
    private sealed class Part(Stream whole, long offset, long length) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int start, int count) => Read(buffer.AsSpan(start, count));

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Min(buffer.Length, Math.Max(0, length - Position));
            whole.Position = offset + Position;
            count = whole.Read(buffer[..count]);
            Position += count;
            return count;
        }

        public override long Seek(long distance, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => distance,
            SeekOrigin.Current => Position + distance,
            _ => length + distance,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int start, int count) => throw new NotSupportedException();
    }
}
