using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Nodes.Images;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>Images that are pushed in pieces.</summary>
public sealed class ImagePushTests(ApiNode node) : IClassFixture<ApiNode>, IDisposable
{
    private readonly ArchiveStore _files = new(new ImageLimits(64 << 20));

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task A_push_that_broke_off_goes_on_where_it_was()
    {
        BuiltImage image = Build(3 * IImageStore.LargestPiece);
        Assert.Equal(0, (await Send("GET", image, "content")).Body.GetProperty("bytes").GetInt64());
        // One piece, and its sender is gone.
        Assert.Equal(200, (await Put(image, 0)).Status);
        Assert.Equal(200, (await Put(image, 0)).Status);
        Assert.Equal(409, (await Put(image, 2 * IImageStore.LargestPiece)).Status);
        List<double> progress = [];
        Assert.Equal(image.Hash, (await node.Client.PushImage(image.Hash, image.Archive, "resumed", progress.Add)).Hash);
        Assert.Equal(IImageStore.LargestPiece, progress[0]);
        Assert.Equal(image.Length, (await node.Client.FindImage("resumed"))!.Bytes);
        // Nothing is put behind what is complete, and completing it again changes nothing.
        Assert.Equal(image.Length, (await Put(image, 0)).Body.GetProperty("bytes").GetInt64());
        Assert.Equal(201, (await Send("POST", image, "complete")).Status);
    }

    [Fact]
    public async Task Pieces_that_are_another_image_are_refused_and_gone()
    {
        BuiltImage image = Build(100), other = Build(200);
        await Put(image with { Archive = other.Archive }, 0);
        (int status, JsonElement problem) = await Send("POST", image, "complete");
        Assert.Equal(422, status);
        Assert.Contains("not the image", problem.GetProperty("detail").GetString());
        Assert.Equal(0, (await Send("GET", image, "content")).Body.GetProperty("bytes").GetInt64());
        Assert.Equal(422, (await Send("POST", image, "complete")).Status);
        Assert.Equal(404, (await node.Send("GET", "images/nothing/content")).Status);
    }

    private BuiltImage Build(int size)
    {
        var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, leaveOpen: true))
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "file") { DataStream = new MemoryStream(RandomNumberGenerator.GetBytes(size)) });
        tar.Position = 0;
        return ImageBuilder.FromArchive(tar, _files, new ImageLimits(64 << 20));
    }

    private Task<(int Status, JsonElement Body)> Send(string method, BuiltImage image, string what) => node.Send(method, $"images/{image.Hash}/{what}");

    private async Task<(int Status, JsonElement Body)> Put(BuiltImage image, long offset)
    {
        byte[] piece = new byte[Math.Min(IImageStore.LargestPiece, image.Archive.Length - offset)];
        image.Archive.Position = offset;
        image.Archive.ReadExactly(piece);
        using HttpResponseMessage response = await node.Http.PutAsync($"images/{image.Hash}/content?offset={offset}", new ByteArrayContent(piece));
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }
}
