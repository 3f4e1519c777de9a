using System.Buffers;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Nodes.Images;

/// <summary>Puts images into the store, checked and in their one form whatever they were sent as.</summary>
internal sealed class ImageCatalog(IJobStore store, ulong largest, IClock clock) : IDisposable
{
    private const string Format = "tar";
    private const int AtOnce = 2;

    private readonly SemaphoreSlim _pushes = new(AtOnce);

    /// <summary>Takes an archive from a stream and makes its image known under a name.</summary>
    /// <exception cref="ImageException">It cannot be an image, or is too large.</exception>
    public async Task<(ImageRecord Image, IReadOnlyList<string> Notes)> Push(Stream body, string? name, CancellationToken cancelled)
    {
        await _pushes.WaitAsync(cancelled).ConfigureAwait(false);
        try
        {
            using var files = new ArchiveStore(new ImageLimits(largest));
            FileStream spooled = files.NewFile();
            await Spool(body, spooled, cancelled).ConfigureAwait(false);
            // Reading an archive is work for seconds: not on a thread that serves others.
            BuiltImage built = await Task.Run(() => ImageBuilder.FromArchive(spooled, files, new ImageLimits(largest)), cancelled).ConfigureAwait(false);
            return (await Put(built, name, cancelled).ConfigureAwait(false), built.Notes);
        }
        finally
        {
            _pushes.Release();
        }
    }

    /// <summary>Makes an image known whose pieces were written one by one, if they are what its hash says and in the one form.</summary>
    /// <exception cref="ImageException">They are not. Then they are removed.</exception>
    public async Task<ImageRecord> Complete(string hash, string? name, CancellationToken cancelled)
    {
        if (await store.FindImage(hash).ConfigureAwait(false) is { } there)
            return name is null || name == there.Tag ? there : (await Rename(hash, name).ConfigureAwait(false))!;
        await _pushes.WaitAsync(cancelled).ConfigureAwait(false);
        try
        {
            using var files = new ArchiveStore(new ImageLimits(largest));
            FileStream pieces = files.NewFile();
            for (ReadOnlyMemory<byte> piece; !(piece = await store.ReadBlob(hash, pieces.Position).ConfigureAwait(false)).IsEmpty;)
                await pieces.WriteAsync(piece, cancelled).ConfigureAwait(false);
            long length = pieces.Position;
            pieces.Position = 0;
            try
            {
                BuiltImage built = await Task.Run(() => ImageBuilder.FromArchive(pieces, files, new ImageLimits(largest)), cancelled).ConfigureAwait(false);
                // An image's form is made from its tree, and from nothing else: the same hash is the same bytes.
                if (built.Hash != hash || built.Length != length)
                    throw new ImageException($"the pieces are not the image {hash[..12]}, or not in its one form");
            }
            catch (ImageException)
            {
                await store.RemoveImage(hash).ConfigureAwait(false);
                throw;
            }
            var image = new ImageRecord(hash, name, Format, length, clock.Realtime);
            return await store.PutImage(image).ConfigureAwait(false) ? image : throw new StoreUnavailableException("the image was not written completely; push it again");
        }
        finally
        {
            _pushes.Release();
        }
    }

    /// <summary>Gives an image that is there another name; null when it is not there.</summary>
    public async Task<ImageRecord?> Rename(string hash, string? name)
    {
        if (await store.FindImage(hash).ConfigureAwait(false) is not { } image)
            return null;
        ImageRecord renamed = image with { Tag = name };
        await store.PutImage(renamed).ConfigureAwait(false);
        return renamed;
    }

    public void Dispose() => _pushes.Dispose();

    private async Task Spool(Stream body, FileStream spooled, CancellationToken cancelled)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 17);
        ulong bytes = 0;
        for (int count; (count = await body.ReadAsync(buffer, cancelled).ConfigureAwait(false)) > 0;)
        {
            bytes += (ulong)count;
            if (bytes > largest)
                throw new ImageException($"an image may have {largest} bytes (api.max-image)") { IsTooLarge = true };
            await spooled.WriteAsync(buffer.AsMemory(0, count), cancelled).ConfigureAwait(false);
        }
        ArrayPool<byte>.Shared.Return(buffer);
        spooled.Position = 0;
    }

    private async Task<ImageRecord> Put(BuiltImage built, string? name, CancellationToken cancelled)
    {
        ImageRecord image = new(built.Hash, name, Format, built.Length, clock.Realtime);
        if (await store.FindImage(built.Hash).ConfigureAwait(false) is { } there)
            image = there with { Tag = name ?? there.Tag };
        else
            await Write(built, cancelled).ConfigureAwait(false);
        return await store.PutImage(image).ConfigureAwait(false) ? image : throw new StoreUnavailableException("the image was not written completely; push it again");
    }

    /// <summary>Writes the pieces that the store lacks: an interrupted push goes on where it was.</summary>
    private async Task Write(BuiltImage built, CancellationToken cancelled)
    {
        long offset = await store.BlobLength(built.Hash).ConfigureAwait(false) / IImageStore.LargestPiece * IImageStore.LargestPiece;
        built.Archive.Position = offset;
        byte[] piece = new byte[IImageStore.LargestPiece];
        for (int count; (count = await built.Archive.ReadAtLeastAsync(piece, piece.Length, throwOnEndOfStream: false, cancelled).ConfigureAwait(false)) > 0; offset += count)
            await store.WriteBlob(built.Hash, offset, piece.AsMemory(0, count).ToArray()).ConfigureAwait(false);
    }
}
