using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>The content of an open file of the host, which the object owns.</summary>
public sealed class HostFileObject(HostFile file) : MemoryObject
{
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
