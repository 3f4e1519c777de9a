using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory.Host;
using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>Standard output or error.</summary>
internal sealed class HostOutput(int descriptor) : HostStream(descriptor, Libc.PollOut), IHostOutput
{
    /// <summary>PIPE_BUF: a pipe that polls writable takes this much without blocking (pipe(7)).</summary>
    private const int AtomicWrite = 4096;

    /// <summary>Files and /dev/null take everything at once; pipes, sockets and terminals have no offset (lseek(2), ESPIPE).</summary>
    private readonly int _largestWrite = Libc.LSeek(descriptor, 0, 1) >= 0 ? int.MaxValue : AtomicWrite;

    public event Action? RoomAvailable;

    public int TryWrite(ReadOnlySpan<byte> source)
    {
        int written = 0;
        while (written < source.Length)
        {
            if (!IsReady())
            {
                Watch();
                break;
            }
            ReadOnlySpan<byte> chunk = source.Slice(written, Math.Min(_largestWrite, source.Length - written));
            nint count = HostDescriptors.Write(Descriptor, ref MemoryMarshal.GetReference(chunk), (nuint)chunk.Length);
            if (count >= 0)
                written += (int)count;
            else if (!IsRetry(Marshal.GetLastPInvokeError()))
                return written > 0 ? written : -1;
        }
        return written;
    }

    protected override void OnReady() => RoomAvailable?.Invoke();
}
