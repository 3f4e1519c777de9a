using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Frames in memory that a packet socket shares with its user, laid out as its system has it.</summary>
public abstract class FrameRings
{
    /// <summary>The memory: the ring of received frames, then that of frames to send; null without either.</summary>
    public abstract MemoryObject? Content { get; }

    public abstract long Length { get; }

    public abstract bool Receives { get; }

    public abstract bool Sends { get; }

    /// <summary>The next place for a received frame is free.</summary>
    public abstract bool HasRoom { get; }

    public abstract Readiness Poll();

    /// <summary>Takes a frame, <paramref name="kept"/> bytes of it; false when it is lost.</summary>
    /// <param name="header">Bytes of the link's header that it begins with.</param>
    public abstract bool Take(ReadOnlySpan<byte> frame, int kept, int header, LinkAddress from);

    /// <summary>Sends all frames that are ready to be.</summary>
    public abstract IoResult Send(PacketSocket socket, NetDevice device, LinkAddress? target);

    public abstract void Close();
}

/// <summary>How sockets of a fan-out share frames (packet(7), PACKET_FANOUT); the values are Linux'.</summary>
public enum FanoutKind : byte
{
    Hash,
    Turns,
    Processor,
    Rollover,
    Random,
    Queue,
    Filter,
    ExtendedFilter,
}

/// <summary>Packet sockets of which each frame goes to one.</summary>
public sealed class FrameFanout(Network network, int number, FanoutKind kind, int flags, int most, ushort type, int device)
{
    private readonly List<PacketSocket> _members = [];
    private int _turn;

    public int Number { get; } = number;

    public FanoutKind Kind { get; } = kind;

    public int Flags { get; } = flags;

    public int Most { get; } = most;

    public int Count => _members.Count;

    /// <summary>The program that chooses, for kinds that have one.</summary>
    public IMessageFilter? Chooser
    {
        get;
        set
        {
            value?.Join();
            field?.Leave();
            field = value;
        }
    }

    /// <summary>It takes the frames that a socket does.</summary>
    public bool Matches(PacketSocket socket, FanoutKind other) => other == Kind && socket.FrameType != 0 && socket.FrameType == type && socket.BoundDevice == device;

    public void Join(PacketSocket socket)
    {
        _members.Add(socket);
        socket.Fanout = this;
    }

    public void Leave(PacketSocket socket)
    {
        _members.Remove(socket);
        if (_members.Count != 0)
            return;
        network.Fanouts.Remove(Number);
        Chooser = null;
    }

    internal bool IsFirst(PacketSocket socket) => ReferenceEquals(_members[0], socket);

    internal PacketSocket? Choose(ReadOnlySpan<byte> frame, int header)
    {
        const int rollsOver = 0x1000;
        int count = _members.Count;
        int chosen = Kind switch
        {
            FanoutKind.Hash => (int)(FlowOf(frame[header..]) % (uint)count),
            FanoutKind.Turns or FanoutKind.Random => _turn++ % count,
            FanoutKind.Filter or FanoutKind.ExtendedFilter when Chooser is { } chooser => (int)(chooser.Run(frame[header..], default) % (uint)count),
            _ => 0,
        };
        bool mayRoll = Kind == FanoutKind.Rollover || (Flags & rollsOver) != 0;
        for (int i = 0; mayRoll && i < count; i++)
        {
            if (_members[(chosen + i) % count].HasRoom)
                return _members[(chosen + i) % count];
        }
        return _members[chosen];
    }

    /// <summary>The same for both directions of a flow: addresses and, of TCP and UDP, ports.</summary>
    private static uint FlowOf(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 20)
            return 0;
        bool is4 = packet[0] >> 4 == 4;
        int addresses = is4 ? 12 : 8, size = is4 ? 4 : 16, ports = is4 ? (packet[0] & 15) * 4 : 40;
        if (packet.Length < ports)
            return 0;
        uint flow = packet[is4 ? 9 : 6];
        for (int i = 0; i < size; i++)
            flow = (flow * 31) + (uint)(packet[addresses + i] ^ packet[addresses + size + i]);
        bool hasPorts = flow != 0 && packet[is4 ? 9 : 6] is 6 or 17 && packet.Length >= ports + 4;
        return hasPorts ? (flow * 31) + (uint)((packet[ports] ^ packet[ports + 2]) << 8 | (packet[ports + 1] ^ packet[ports + 3])) : flow;
    }
}
