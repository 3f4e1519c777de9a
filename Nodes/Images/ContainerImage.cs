using System.Security.Cryptography;
using System.Text.Json;

namespace Vivarium.Nodes.Images;

/// <summary>
/// Container images: an OCI layout (OCI image specification, "Image Layout") or what docker save writes. Reads which layers there are;
/// every blob's digest is checked.
/// </summary>
internal static class ContainerImage
{
    private const string Algorithm = "sha256:";
    private const int LargestManifest = 4 << 20;
    private const int MostIndexes = 4;

    /// <summary>The layers from the lowest up; null when this is no container image.</summary>
    /// <exception cref="ImageException">It is one, and damaged or not for this machine.</exception>
    public static IReadOnlyList<Stream>? OpenLayers(IFileSource files)
    {
        if (files.Open("oci-layout") is { } layout)
        {
            layout.Dispose();
            return OpenLayout(files);
        }
        using Stream? manifest = files.Open("manifest.json");
        return manifest is null ? null : OpenSaved(files, manifest);
    }

    private static List<Stream> OpenLayout(IFileSource files)
    {
        using Stream stream = files.Open("index.json") ?? throw new ImageException("the OCI layout has no index.json");
        JsonElement manifest = Parse(stream, "index.json");
        for (int depth = 0; manifest.TryGetProperty("manifests", out JsonElement choices); depth++)
        {
            if (depth == MostIndexes)
                throw new ImageException("the OCI layout's indexes are nested too deeply");
            using Stream chosen = OpenBlob(files, Choose(choices));
            manifest = Parse(chosen, "a manifest");
        }
        if (!manifest.TryGetProperty("layers", out JsonElement layers) || layers.ValueKind != JsonValueKind.Array)
            throw new ImageException("the OCI layout's manifest has no layers");
        List<Stream> opened = [];
        foreach (JsonElement layer in layers.EnumerateArray())
            opened.Add(OpenBlob(files, layer));
        return Checked(opened);
    }

    /// <summary>The manifest for linux on amd64, or the only one.</summary>
    private static JsonElement Choose(JsonElement choices)
    {
        JsonElement[] all = choices.ValueKind == JsonValueKind.Array ? [.. choices.EnumerateArray()] : [];
        foreach (JsonElement choice in all)
        {
            if (choice.TryGetProperty("platform", out JsonElement platform) && Text(platform, "os") == "linux" && Text(platform, "architecture") == "amd64")
                return choice;
        }
        return all.Length switch
        {
            0 => throw new ImageException("the OCI layout names no image"),
            1 when !all[0].TryGetProperty("platform", out _) => all[0],
            1 => throw new ImageException($"the image is for {Text(all[0].GetProperty("platform"), "os")}/{Text(all[0].GetProperty("platform"), "architecture")}, not for linux/amd64"),
            _ => throw new ImageException("the OCI layout has several images and none says that it is for linux/amd64"),
        };
    }

    private static Stream OpenBlob(IFileSource files, JsonElement descriptor)
    {
        string digest = Text(descriptor, "digest") ?? "";
        string hash = digest.StartsWith(Algorithm, StringComparison.Ordinal) ? digest[Algorithm.Length..] : "";
        if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigitLower))
            throw new ImageException($"not a digest such as sha256:…: {(digest.Length > 80 ? digest[..80] : digest)}");
        Stream blob = files.Open("blobs/sha256/" + hash) ?? throw new ImageException($"the OCI layout lacks its blob {digest}");
        if (Convert.ToHexStringLower(SHA256.HashData(blob)) != hash)
            throw new ImageException($"the blob {digest} has another content than its digest says");
        blob.Position = 0;
        return blob;
    }

    private static List<Stream> OpenSaved(IFileSource files, Stream manifest)
    {
        JsonElement root = Parse(manifest, "manifest.json");
        if (root.ValueKind != JsonValueKind.Array || root.GetArrayLength() == 0 || !root[0].TryGetProperty("Layers", out JsonElement layers))
            throw new ImageException("manifest.json is not one that docker save writes");
        if (root.GetArrayLength() > 1)
            throw new ImageException($"the archive has {root.GetArrayLength()} images: save one at a time");
        List<Stream> opened = [];
        foreach (JsonElement layer in layers.EnumerateArray())
        {
            string name = layer.GetString() ?? "";
            opened.Add(files.Open(name) ?? throw new ImageException($"the archive lacks its layer {name}"));
        }
        return Checked(opened);
    }

    private static List<Stream> Checked(List<Stream> layers) => layers.Count <= ImageLimits.Layers
        ? layers
        : throw new ImageException($"the image has more than {ImageLimits.Layers} layers") { IsTooLarge = true };

    private static JsonElement Parse(Stream stream, string name)
    {
        if (stream.Length > LargestManifest)
            throw new ImageException($"{name} is too large");
        try
        {
            using JsonDocument document = JsonDocument.Parse(stream);
            return document.RootElement.Clone();
        }
        catch (JsonException damage)
        {
            throw new ImageException($"{name} is not JSON: {damage.Message}");
        }
    }

    private static string? Text(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
}
