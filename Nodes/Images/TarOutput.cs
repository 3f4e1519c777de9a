using System.Buffers;
using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Vivarium.Nodes.Images;

/// <summary>
/// Writes an image's tree as a tar archive of the one form that its hash is taken of: entries by path, hard links behind all else, pax
/// headers (POSIX.1-2008, pax) only where ustar's fields are too small. The same tree gives the same bytes everywhere.
/// </summary>
internal sealed class TarOutput(Stream output)
{
    private const int Block = 512;
    private const int LongestName = 100;
    private const long LargestOctal = 0x1_FFFF_FFFF; // 11 octal digits
    private const int LargestId = 0x1F_FFFF; // 7 octal digits

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Bytes written.</summary>
    public long Length { get; private set; }

    /// <summary>Writes the whole tree; its SHA-256 in hexadecimal.</summary>
    public string Write(ImageTree tree, Action<long>? progress = null)
    {
        Dictionary<FileContent, string> first = new(ReferenceEqualityComparer.Instance);
        List<(string Path, ImageEntry Entry, string Target)> links = [];
        foreach ((string path, ImageEntry entry) in tree.Entries)
        {
            if (entry.Content is { } content && !first.TryAdd(content, path))
                links.Add((path, entry, first[content]));
            else
                WriteEntry(path, entry, null);
            progress?.Invoke(Length);
        }
        foreach ((string path, ImageEntry entry, string target) in links)
            WriteEntry(path, entry, target);
        // Two blocks of zeros end an archive.
        Put(new byte[2 * Block]);
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    private void WriteEntry(string path, ImageEntry entry, string? linkedTo)
    {
        bool isFile = entry.Kind == TarEntryType.RegularFile && linkedTo is null;
        string name = entry.Kind == TarEntryType.Directory ? path + "/" : path, target = linkedTo ?? entry.Target;
        long size = isFile ? entry.Content!.Length : 0;
        WriteExtension(name, target, size, entry);
        char kind = linkedTo is not null ? '1' : entry.Kind switch
        {
            TarEntryType.SymbolicLink => '2',
            TarEntryType.Directory => '5',
            TarEntryType.Fifo => '6',
            _ => '0',
        };
        WriteHeader(name, kind, target, size, entry);
        if (isFile)
            Copy(entry.Content!, path);
    }

    /// <summary>What does not fit the header's fields.</summary>
    private void WriteExtension(string name, string target, long size, ImageEntry entry)
    {
        var records = new MemoryStream();
        if (Encoding.UTF8.GetByteCount(name) > LongestName)
            AddRecord(records, "path", name);
        if (Encoding.UTF8.GetByteCount(target) > LongestName)
            AddRecord(records, "linkpath", target);
        if (size > LargestOctal)
            AddRecord(records, "size", size.ToString(CultureInfo.InvariantCulture));
        if (entry.User > LargestId)
            AddRecord(records, "uid", entry.User.ToString(CultureInfo.InvariantCulture));
        if (entry.Group > LargestId)
            AddRecord(records, "gid", entry.Group.ToString(CultureInfo.InvariantCulture));
        if (entry.ModifyTime % 1_000_000_000 != 0 || entry.ModifyTime < 0)
            AddRecord(records, "mtime", (entry.ModifyTime / 1_000_000_000m).ToString("0.#########", CultureInfo.InvariantCulture));
        foreach ((string key, string value) in entry.Attributes)
            AddRecord(records, key, value);
        if (records.Length == 0)
            return;
        WriteHeader("PaxHeader", 'x', "", records.Length, new ImageEntry { Kind = TarEntryType.ExtendedAttributes, Mode = 0x1A4 });
        Put(records.ToArray());
        Pad(records.Length);
    }

    /// <summary>"LENGTH KEY=VALUE\n", the length counting itself.</summary>
    private static void AddRecord(MemoryStream records, string key, string value)
    {
        int rest = Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value) + 3, length = rest;
        while (length != rest + Digits(length))
            length = rest + Digits(length);
        records.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{length} {key}={value}\n")));

        static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;
    }

    private void WriteHeader(string name, char kind, string target, long size, ImageEntry entry)
    {
        byte[] header = new byte[Block];
        Text(header, 0, LongestName, name);
        Octal(header, 100, 8, entry.Mode);
        Octal(header, 108, 8, Math.Clamp(entry.User, 0, LargestId));
        Octal(header, 116, 8, Math.Clamp(entry.Group, 0, LargestId));
        Octal(header, 124, 12, size > LargestOctal ? 0 : size);
        Octal(header, 136, 12, Math.Clamp(entry.ModifyTime / 1_000_000_000, 0, LargestOctal));
        header[156] = (byte)kind;
        Text(header, 157, LongestName, target);
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        // The sum counts its own field as blanks.
        header.AsSpan(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte value in header)
            sum += value;
        Octal(header, 148, 7, sum);
        Put(header);
    }

    private static void Text(byte[] header, int offset, int length, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        bytes.AsSpan(0, Math.Min(bytes.Length, length)).CopyTo(header.AsSpan(offset));
    }

    private static void Octal(byte[] header, int offset, int length, long value)
    {
        for (int i = offset + length - 2; i >= offset; i--, value >>= 3)
            header[i] = (byte)('0' + (value & 7));
        header[offset + length - 1] = 0;
    }

    private void Copy(FileContent content, string path)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        content.Archive.Position = content.Offset;
        for (long left = content.Length; left > 0;)
        {
            int count = content.Archive.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (count == 0)
                throw new ImageException($"{path}: the archive ends in the middle of it");
            Put(buffer.AsSpan(0, count));
            left -= count;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        Pad(content.Length);
    }

    private void Pad(long written)
    {
        int rest = (int)(written % Block);
        if (rest > 0)
            Put(new byte[Block - rest]);
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        output.Write(bytes);
        _hash.AppendData(bytes);
        Length += bytes.Length;
    }
}
