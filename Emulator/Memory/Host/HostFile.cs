using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>
/// What tells a file of the host, with its content, from all others. Where nobody writes to it, it holds the same bytes for ever.
/// </summary>
public sealed record HostFileIdentity(uint Major, uint Minor, ulong Inode, long Size, long ModifyTime, long ChangeTime)
{
    internal static HostFileIdentity Of(in HostStatus status) =>
        new(status.Major, status.Minor, status.Inode, status.Size, status.ModifyTime, status.ChangeTime);
}

/// <summary>An open regular file of the host, of several holders. Results are counts, or the negated errno.</summary>
public sealed unsafe class HostFile : IDisposable
{
    private int _holders = 1;

    internal HostFile(int descriptor, HostFileIdentity identity)
    {
        Descriptor = descriptor;
        Identity = identity;
    }

    /// <summary>What it was when it was opened.</summary>
    public HostFileIdentity Identity { get; }

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

    /// <summary>One holder more, who disposes of it, too. Thread-safe.</summary>
    public HostFile Share()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    public int SetLength(long length) => Result(HostFileCalls.Truncate(Descriptor, length));

    public int Synchronize() => Result(HostFileCalls.Synchronize(Descriptor));

    public int Allocate(int mode, long offset, long length) => Result(HostFileCalls.Allocate(Descriptor, mode, offset, length));

    public int Status(out HostStatus status) => -HostTree.Status(Descriptor, out status);

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
            return;
        HostFileCalls.Close(Descriptor);
        GC.SuppressFinalize(this);
    }

    private static int Result(nint value) => value < 0 ? -Marshal.GetLastPInvokeError() : (int)value;
}
