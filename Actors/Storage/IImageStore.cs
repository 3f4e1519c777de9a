namespace Vivarium.Actors.Storage;

/// <summary>A guest's file system that the cluster keeps.</summary>
/// <param name="Hash">SHA-256 of its blob, lower-case hexadecimal: its name.</param>
/// <param name="Tag">A name for people; a later image with the same takes it over. Null for none.</param>
/// <param name="Format">What the blob is, as in "tar".</param>
/// <param name="Length">Bytes of the blob.</param>
/// <param name="CreatedAt">Unix nanoseconds.</param>
public sealed record ImageRecord(string Hash, string? Tag, string Format, long Length, long CreatedAt);

/// <summary>Images by the hash of their content, each one blob written in pieces before it is put.</summary>
public interface IImageStore
{
    /// <summary>The largest piece of a blob.</summary>
    const int LargestPiece = 1 << 20;

    /// <summary>The image with this hash or tag; null when there is none, or its blob is not complete.</summary>
    ValueTask<ImageRecord?> FindImage(string reference);

    /// <summary>Notes that an image is about to be used, by its hash: it is not removed for some time. False when there is none.</summary>
    ValueTask<bool> UseImage(string hash);

    /// <summary>By creation, newest first.</summary>
    ValueTask<IReadOnlyList<ImageRecord>> ListImages();

    /// <summary>Bytes there are of a blob, from its start on without a gap: where an interrupted push goes on.</summary>
    ValueTask<long> BlobLength(string hash);

    /// <summary>Writes a piece of a blob. All pieces but the last are <see cref="LargestPiece"/> long; a repeated one changes nothing.</summary>
    ValueTask WriteBlob(string hash, long offset, ReadOnlyMemory<byte> piece);

    /// <summary>The piece at an offset that one was written at; empty at the blob's end.</summary>
    ValueTask<ReadOnlyMemory<byte>> ReadBlob(string hash, long offset);

    /// <summary>Makes an image known whose blob is complete and was checked; false when bytes of it are missing.</summary>
    ValueTask<bool> PutImage(ImageRecord image);

    /// <summary>Removes an image and its blob; false when there is none.</summary>
    ValueTask<bool> RemoveImage(string hash);
}
