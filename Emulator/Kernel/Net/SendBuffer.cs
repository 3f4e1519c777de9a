using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>
/// What a UNIX socket sent and its peers did not take yet, in the memory that Linux charges for it: a sender may go on until
/// the charge reaches the buffer's size, and counts as writable below a quarter of it (unix_writable in net/unix/af_unix.c).
/// </summary>
public sealed class SendBuffer(Source source)
{
    /// <summary>net.core.wmem_default.</summary>
    public const int Size = 212_992;

    /// <summary>The longest message that is sent at all.</summary>
    public const int LongestMessage = Size - 32;

    private const int Page = 4096;

    /// <summary>A buffer's own descriptor, and what ends each piece of memory that it holds linearly.</summary>
    private const int Descriptor = 256;
    private const int Trailer = 320;

    /// <summary>Beyond these lengths the rest goes to whole pages: of streams, of messages.</summary>
    private const int LinearStream = Page - Trailer;
    private const int LinearMessage = (4 * Page) - Trailer;
    private const int PagedStream = 8 * Page;

    private int _charged;

    public bool HasRoom => _charged < Size;

    public bool IsWritable => 4L * _charged < Size;

    /// <summary>Charges for a message and returns the charge.</summary>
    public int ChargeMessage(int length) => Charge(length, AlignToPages(Math.Max(0, length - LinearMessage)));

    /// <summary>Charges for the first piece that a stream's bytes are cut into: its length and charge.</summary>
    public (int Length, int Charge) ChargeStream(int length)
    {
        int piece = Math.Min(Math.Min(length, (Size / 2) - 64), LinearStream + PagedStream);
        int paged = Math.Min(piece, AlignToPages(Math.Max(0, piece - LinearStream)));
        return (piece, Charge(piece, paged));
    }

    /// <summary>The receiver took it, or will not.</summary>
    public void Release(int charge)
    {
        _charged -= charge;
        if (IsWritable)
            source.Pulse(Readiness.Out);
    }

    private int Charge(int length, int paged)
    {
        int linear = Math.Max(512, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(Math.Max(0, length - paged) + Trailer)));
        int charge = Descriptor + linear + AlignToPages(paged);
        _charged += charge;
        return charge;
    }

    private static int AlignToPages(int length) => (length + Page - 1) / Page * Page;
}
