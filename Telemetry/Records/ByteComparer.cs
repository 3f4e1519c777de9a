namespace Vivarium.Telemetry.Records;

/// <summary>Byte strings are equal when their bytes are.</summary>
internal sealed class ByteComparer : IEqualityComparer<byte[]>
{
    public static ByteComparer Instance { get; } = new();

    public bool Equals(byte[]? x, byte[]? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.AsSpan().SequenceEqual(y));

    public int GetHashCode(byte[] bytes)
    {
        // FNV-1a: the same in every run.
        uint hash = 2166136261;
        foreach (byte c in bytes)
            hash = (hash ^ c) * 16777619;
        return (int)hash;
    }
}
