using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// The content of an open file of the host, which the object owns. <paramref name="isImmutable"/> says that no guest may write it; it
/// is then known by what the host said of it when it was opened.
/// </summary>
public sealed class HostFileObject(HostFile file, bool isImmutable = false) : MemoryObject
{
    public override object? Identity => isImmutable ? file.Identity : null;

    /// <summary>Another object of the same open file, for a user of its own.</summary>
    public HostFileObject Duplicate() => new(file.Share(), isImmutable);

    public override long Length => PositionedIo.Length(file.Descriptor);

    internal override int MapHandle() => file.Descriptor;

    public override int Read(long offset, Span<byte> destination) => PositionedIo.ReadFully(file.Descriptor, offset, destination);

    public override bool Write(long offset, ReadOnlySpan<byte> source)
    {
        ReleaseCode(offset, source.Length);
        return PositionedIo.WriteFully(file.Descriptor, offset, source);
    }

    public override bool SetLength(long length) => file.SetLength(length) == 0;

    public override void Dispose() => file.Dispose();
}
