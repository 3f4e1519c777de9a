using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory.Host;
using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>Standard input. An empty destination asks whether a read would block, without taking anything.</summary>
internal sealed class HostInput(int descriptor) : HostStream(descriptor, Libc.PollIn), IHostInput
{
    public event Action? Available;

    public int TryRead(Span<byte> destination)
    {
        while (true)
        {
            if (!IsReady())
            {
                Watch();
                return -1;
            }
            if (destination.IsEmpty)
                return 0;
            nint count = HostDescriptors.Read(Descriptor, ref MemoryMarshal.GetReference(destination), (nuint)destination.Length);
            if (count >= 0)
                return (int)count;
            // Any other error (a closed descriptor, a terminal that hung up) is the end of the input.
            if (!IsRetry(Marshal.GetLastPInvokeError()))
                return 0;
        }
    }

    protected override void OnReady() => Available?.Invoke();
}
