namespace Vivarium.Nodes.Images;

/// <summary>Something cannot be an image; the message is one sentence for who pushed it.</summary>
internal sealed class ImageException(string message) : Exception(message)
{
    /// <summary>True when it is only too large.</summary>
    public bool IsTooLarge { get; init; }
}

/// <summary>How large an image may be.</summary>
/// <param name="Bytes">Of all files together, unpacked.</param>
internal sealed record ImageLimits(ulong Bytes)
{
    public const int Entries = 2_000_000;
    public const int Layers = 500;
    public const int PathBytes = 4095;
    public const int NameBytes = 255;
}
