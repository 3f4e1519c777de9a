using Vivarium.Actors.Storage;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Images;

namespace Vivarium.Nodes.Http;

/// <summary>Operations on images.</summary>
internal static class ImageRoutes
{
    private const int LongestName = 200;
    private static readonly (int, string) NoImage = (404, "There is no such image.");

    public static IReadOnlyList<Route> All { get; } =
    [
        new("POST", "/images", Access.Submit, "pushImage", "Takes a tar archive (also with gzip), an OCI layout as a tar archive, or what docker save writes.", Push)
        {
            RawBody = "application/octet-stream",
            Answer = typeof(ImageAnswer),
            Status = 201,
            Parameters = [new("name", "string", "A name for it; an older image of that name loses it.")],
            Errors = [(413, "It is larger than the node takes."), (422, "It cannot be an image: damaged, or with names that climb out of it.")],
        },
        new("GET", "/images/{reference}/content", Access.Submit, "getImageContent", "How much of an image is here that is pushed in pieces, by its hash: where the push goes on.", Content)
        {
            Answer = typeof(ContentAnswer),
        },
        new("PUT", "/images/{reference}/content", Access.Submit, "putImageContent", "Takes a piece of an image in its one form (docs/api.md), named by that form's hash.", PutContent)
        {
            RawBody = "application/octet-stream",
            Answer = typeof(ContentAnswer),
            Parameters = [new("offset", "integer", "Where the piece begins: how much is here. A piece has 1 MiB, the last one less.")],
            Errors = [(409, "Something else is needed first."), (413, "It is larger than the node takes.")],
        },
        new("POST", "/images/{reference}/complete", Access.Submit, "completeImage", "Makes an image known whose pieces are all here.", Complete)
        {
            Answer = typeof(ImageAnswer),
            Status = 201,
            Parameters = [new("name", "string", "A name for it; an older image of that name loses it.")],
            Errors = [(422, "Its pieces are not the image of this hash; they are gone.")],
        },
        new("GET", "/images", Access.Read, "listImages", "The cluster's images, newest first.", List) { Answer = typeof(ImageList) },
        new("GET", "/images/{reference}", Access.Read, "getImage", "An image by its hash or name.", Get) { Answer = typeof(ImageAnswer), Errors = [NoImage] },
        new("PUT", "/images/{reference}/name", Access.Submit, "nameImage", "Gives an image another name.", Name)
        {
            Answer = typeof(ImageAnswer),
            Parameters = [new("name", "string", "Its new name.")],
            Errors = [NoImage],
        },
        new("DELETE", "/images/{reference}", Access.Submit, "removeImage", "Removes an image. Jobs that wait for it will fail to start.", Remove) { Status = 204, Errors = [NoImage] },
    ];

    private static async Task Push(ApiCall call)
    {
        call.AllowQueries("name");
        string? name = CheckedName(call.Query("name"));
        call.LiftBodyLimit();
        (ImageRecord image, IReadOnlyList<string> notes) = await Built(call.Node.Images.Push(call.Context.Request.Body, name, call.Cancelled)).ConfigureAwait(false);
        await call.Answer(ToAnswer(image) with { Notes = notes.Count > 0 ? notes : null }, ApiJson.Default.ImageAnswer, 201).ConfigureAwait(false);
    }

    private static async Task Content(ApiCall call)
    {
        call.AllowQueries();
        await Answer(call, await call.Node.Store.BlobLength(HashOf(call)).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private static async Task PutContent(ApiCall call)
    {
        call.AllowQueries("offset");
        string hash = HashOf(call);
        long offset = call.QueryNumber("offset", 0, 0, long.MaxValue - IImageStore.LargestPiece);
        if ((ulong)offset + IImageStore.LargestPiece > call.Node.Settings.MaxImage)
            throw new ApiException(413, "Too large", $"an image may have {call.Node.Settings.MaxImage} bytes (api.max-image)");
        call.LiftBodyLimit();
        byte[] piece = new byte[IImageStore.LargestPiece + 1];
        int count = await call.Context.Request.Body.ReadAtLeastAsync(piece, piece.Length, throwOnEndOfStream: false, call.Cancelled).ConfigureAwait(false);
        if (count > IImageStore.LargestPiece)
            throw new ApiException(413, "Too large", $"a piece has {IImageStore.LargestPiece} bytes at most");
        // An image that is known is complete: nothing is put behind it.
        if (await call.Node.Store.FindImage(hash).ConfigureAwait(false) is null)
        {
            long there = await call.Node.Store.BlobLength(hash).ConfigureAwait(false);
            if (there % IImageStore.LargestPiece != 0 || there < offset || offset % IImageStore.LargestPiece != 0)
                throw new ApiException(409, "Not the next piece", $"{there} bytes are here");
            await call.Node.Store.WriteBlob(hash, offset, piece.AsMemory(0, count)).ConfigureAwait(false);
        }
        await Answer(call, await call.Node.Store.BlobLength(hash).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private static async Task Complete(ApiCall call)
    {
        call.AllowQueries("name");
        ImageRecord image = await Built(call.Node.Images.Complete(HashOf(call), CheckedName(call.Query("name")), call.Cancelled)).ConfigureAwait(false);
        await call.Answer(ToAnswer(image), ApiJson.Default.ImageAnswer, 201).ConfigureAwait(false);
    }

    private static Task Answer(ApiCall call, long bytes) => call.Answer(new ContentAnswer { Bytes = bytes }, ApiJson.Default.ContentAnswer);

    private static string HashOf(ApiCall call)
    {
        string hash = call.Path("reference");
        return hash.Length == 64 && hash.All(char.IsAsciiHexDigitLower) ? hash : throw ApiException.NotFound(hash + " is no image's hash");
    }

    private static async Task<T> Built<T>(Task<T> work)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (ImageException wrong)
        {
            throw new ApiException(wrong.IsTooLarge ? 413 : 422, wrong.IsTooLarge ? "Too large" : "Not an image", wrong.Message);
        }
    }

    private static async Task List(ApiCall call)
    {
        call.AllowQueries();
        IReadOnlyList<ImageRecord> images = await call.Node.Store.ListImages().ConfigureAwait(false);
        await call.Answer(new ImageList { Images = [.. images.Select(ToAnswer)] }, ApiJson.Default.ImageList).ConfigureAwait(false);
    }

    private static async Task Get(ApiCall call)
    {
        call.AllowQueries();
        ImageRecord image = await Find(call).ConfigureAwait(false);
        // Who asks for it will use it.
        await call.Node.Store.UseImage(image.Hash).ConfigureAwait(false);
        await call.Answer(ToAnswer(image), ApiJson.Default.ImageAnswer).ConfigureAwait(false);
    }

    private static async Task Name(ApiCall call)
    {
        call.AllowQueries("name");
        string name = CheckedName(call.Query("name")) ?? throw ApiException.BadField("name", "must be given");
        ImageRecord image = await Find(call).ConfigureAwait(false);
        ImageRecord renamed = await call.Node.Images.Rename(image.Hash, name).ConfigureAwait(false) ?? throw ApiException.NotFound("there is no image " + image.Hash);
        await call.Answer(ToAnswer(renamed), ApiJson.Default.ImageAnswer).ConfigureAwait(false);
    }

    private static async Task Remove(ApiCall call)
    {
        call.AllowQueries();
        ImageRecord image = await Find(call).ConfigureAwait(false);
        await call.Node.Store.RemoveImage(image.Hash).ConfigureAwait(false);
        await call.AnswerNothing().ConfigureAwait(false);
    }

    private static async ValueTask<ImageRecord> Find(ApiCall call) =>
        await call.Node.Store.FindImage(call.Path("reference")).ConfigureAwait(false) ?? throw ApiException.NotFound("there is no image " + call.Path("reference"));

    /// <summary>A name is no hash, and goes into an address as it is.</summary>
    private static string? CheckedName(string? name)
    {
        if (name is null)
            return null;
        bool isGood = name.Length is > 0 and <= LongestName && name.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or ':') && name.Length != 64;
        return isGood ? name : throw ApiException.BadField("name", $"must be 1 to {LongestName} letters, digits, -, _, . and :");
    }

    private static ImageAnswer ToAnswer(ImageRecord image) => new()
    {
        Hash = image.Hash,
        Name = image.Tag,
        Bytes = image.Length,
        CreatedAt = JobMapping.Time(image.CreatedAt),
    };
}
