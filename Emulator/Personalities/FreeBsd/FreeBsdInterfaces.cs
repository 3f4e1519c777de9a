using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>The list of devices as FreeBSD tells it since 11.</summary>
internal sealed class FreeBsdInterfaces() : InterfaceList(version: 5, deviceMessage: 0xE, addressHeader: 20, addressIndex: 12, shortestName: 54, FreeBsdPersonality.InternetFamily6)
{
    private const int Size = 152;

    /// <summary>Type, physical, lengths of address and header, state of the link, a pad, length 2, MTU 4, metric 4, speed, then counters, the time of the last change.</summary>
    protected override byte[] DataOf(NetDevice device)
    {
        byte[] data = new byte[Size];
        data[0] = TypeOf(device);
        data[2] = AddressLengthOf(device);
        data[3] = device.Kind == LinkKind.Ethernet ? (byte)14 : (byte)0;
        data[4] = LinkState(device);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(6), Size);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(8), (uint)device.Mtu);
        ReadOnlySpan<long> counters =
        [
            device.Counters.ReceivedPackets, 0, device.Counters.SentPackets, 0, 0, device.Counters.ReceivedBytes, device.Counters.SentBytes, 0, 0, device.Counters.Dropped,
        ];
        for (int i = 0; i < counters.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(24 + (8 * i)), counters[i]);
        return data;
    }

    /// <summary>LINK_STATE_DOWN, LINK_STATE_UP.</summary>
    private static byte LinkState(NetDevice device) => device.IsUp && device.HasCarrier ? (byte)2 : (byte)1;
}
