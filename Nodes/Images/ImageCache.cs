using System.Collections.Concurrent;
using System.Security.Cryptography;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Images;

/// <summary>
/// The images that this node has pulled, as files named by their hash. One is pulled when the first job needs it, once however
/// many do, and checked before it is used. The least lately used ones go when there are too many.
/// </summary>
internal sealed class ImageCache : IJobPreparation
{
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _pulls = new(StringComparer.Ordinal);
    private readonly IJobStore _store;
    private readonly string _folder;
    private readonly ulong _capacity;

    /// <param name="capacity">Bytes of images kept.</param>
    public ImageCache(IJobStore store, string folder, ulong capacity)
    {
        (_store, _folder, _capacity) = (store, folder, capacity);
        Directory.CreateDirectory(folder);
        foreach (string left in Directory.EnumerateFiles(folder, "*.part"))
            File.Delete(left);
    }

    public bool IsNeeded(JobSpec spec) => spec.Image is not null;

    public async ValueTask<JobSpec> Prepare(JobSpec spec)
    {
        string hash = spec.Image!;
        if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigitLower))
            throw new JobPreparationException($"{hash} is not an image's hash");
        Lazy<Task<string>> pull = _pulls.GetOrAdd(hash, hash => new Lazy<Task<string>>(() => Pull(hash)));
        try
        {
            return spec with { RootFilesystem = await pull.Value.ConfigureAwait(false), Image = null };
        }
        finally
        {
            // The file is what is remembered; a failure is tried again by the next job.
            _pulls.TryRemove(KeyValuePair.Create(hash, pull));
        }
    }

    private async Task<string> Pull(string hash)
    {
        string file = Path.Combine(_folder, hash + ".tar");
        if (File.Exists(file))
        {
            File.SetLastAccessTimeUtc(file, DateTime.UtcNow);
            return file;
        }
        string part = Path.Combine(_folder, $"{hash}.{Guid.NewGuid():N}.part");
        try
        {
            ImageRecord image = await _store.FindImage(hash).ConfigureAwait(false) ?? throw new JobPreparationException($"image {hash[..12]} was removed");
            MakeRoom((ulong)image.Length);
            await Download(image, part).ConfigureAwait(false);
            File.Move(part, file, overwrite: true);
            return file;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new JobPreparationException($"image {hash[..12]} cannot be kept here: {failure.Message}");
        }
        finally
        {
            File.Delete(part);
        }
    }

    private async Task Download(ImageRecord image, string part)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using FileStream file = File.Create(part);
        while (file.Position < image.Length)
        {
            ReadOnlyMemory<byte> piece = await _store.ReadBlob(image.Hash, file.Position).ConfigureAwait(false);
            if (piece.IsEmpty)
                throw new JobPreparationException($"image {image.Hash[..12]} is not complete in the store");
            hash.AppendData(piece.Span);
            await file.WriteAsync(piece).ConfigureAwait(false);
        }
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != image.Hash)
            throw new JobPreparationException($"image {image.Hash[..12]} is damaged in the store");
    }

    /// <summary>Worlds that use a file that is deleted keep it until they end (unlink(2)).</summary>
    private void MakeRoom(ulong bytes)
    {
        List<FileInfo> files = [.. new DirectoryInfo(_folder).EnumerateFiles("*.tar").OrderBy(static file => file.LastAccessTimeUtc)];
        ulong used = files.Aggregate(bytes, static (sum, file) => sum + (ulong)file.Length);
        foreach (FileInfo file in files)
        {
            if (used <= _capacity)
                return;
            used -= (ulong)file.Length;
            file.Delete();
        }
    }
}
