using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>
/// What devices of a world have received and nobody looked at yet. Packets answer packets: taken one after the other from a queue
/// they cannot nest without end.
/// </summary>
public sealed class PacketBacklog
{
    /// <summary>net.core.netdev_max_backlog, generously: beyond it packets are dropped.</summary>
    private const int Most = 10_000;

    private readonly Queue<(NetDevice Device, byte[] Bytes)> _waiting = new();
    private bool _isBusy;

    /// <summary>Takes a frame, or for devices without frames a packet.</summary>
    public void Add(NetDevice device, byte[] bytes)
    {
        if (_waiting.Count >= Most)
        {
            device.Counters.CountDropped();
            return;
        }
        _waiting.Enqueue((device, bytes));
        if (_isBusy)
            return;
        _isBusy = true;
        while (_waiting.TryDequeue(out (NetDevice Device, byte[] Bytes) next))
            Receive(next.Device, next.Bytes);
        _isBusy = false;
    }

    private static void Receive(NetDevice device, byte[] bytes)
    {
        if (device is EthernetDevice ethernet)
            ethernet.Receive(bytes);
        else if (device.IsUp && IpPacket.TryParse(bytes, out IpPacket packet))
            device.Network.Receive(device, packet);
        else
            device.Counters.CountDropped();
    }
}
