using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>The list of devices as NetBSD tells it since 7.</summary>
internal sealed class NetBsdInterfaces() : InterfaceList(version: 4, deviceMessage: 0x14, addressHeader: 24, addressIndex: 16, shortestName: 20, NetBsdPersonality.InternetFamily6)
{
    private const int Size = 136;

    /// <summary>Type, lengths of address and header, a pad, state of the link 4, then words: MTU, metric, speed, counters, the time of the last change.</summary>
    protected override byte[] DataOf(NetDevice device)
    {
        const int linkDown = 1, linkUp = 2;
        byte[] data = new byte[Size];
        data[0] = TypeOf(device);
        data[1] = AddressLengthOf(device);
        data[2] = device.Kind == LinkKind.Ethernet ? (byte)14 : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(4), device.IsUp && device.HasCarrier ? linkUp : linkDown);
        ReadOnlySpan<long> words =
        [
            device.Mtu, 0, 0, device.Counters.ReceivedPackets, 0, device.Counters.SentPackets, 0, 0, device.Counters.ReceivedBytes, device.Counters.SentBytes,
            0, 0, device.Counters.Dropped,
        ];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(8 + (8 * i)), words[i]);
        return data;
    }
}
