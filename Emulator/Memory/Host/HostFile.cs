using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>An open regular file of the host. Results are counts, or the negated errno.</summary>
public sealed unsafe class HostFile : IDisposable
{
    internal HostFile(int descriptor) => Descriptor = descriptor;

    ~HostFile() => HostFileCalls.Close(Descriptor);

    /// <summary>The host's number, for mapping; valid until disposal.</summary>
    public int Descriptor { get; }

    public int Read(long offset, Span<byte> destination)
    {
        fixed (byte* start = destination)
            return Result(HostFileCalls.ReadAt(Descriptor, start, (nuint)destination.Length, offset));
    }

    public int Write(long offset, ReadOnlySpan<byte> source)
    {
        fixed (byte* start = source)
            return Result(HostFileCalls.WriteAt(Descriptor, start, (nuint)source.Length, offset));
    }

    /// <summary>Another handle on the same open file; null with the host's errno.</summary>
    public HostFile? Duplicate(out int error)
    {
        int copy = HostFileCalls.Control(Descriptor, HostFileCalls.DuplicateCloseOnExec, 0);
        error = HostTree.Check(copy);
        return copy < 0 ? null : new HostFile(copy);
    }

    public int SetLength(long length) => Result(HostFileCalls.Truncate(Descriptor, length));

    public int Synchronize() => Result(HostFileCalls.Synchronize(Descriptor));

    public int Allocate(int mode, long offset, long length) => Result(HostFileCalls.Allocate(Descriptor, mode, offset, length));

    public int Status(out HostStatus status) => -HostTree.Status(Descriptor, out status);

    public void Dispose()
    {
        HostFileCalls.Close(Descriptor);
        GC.SuppressFinalize(this);
    }

    private static int Result(nint value) => value < 0 ? -Marshal.GetLastPInvokeError() : (int)value;
}
