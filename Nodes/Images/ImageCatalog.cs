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
