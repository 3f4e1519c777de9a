using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>Cuts IPv4 packets into fragments and joins them again (RFC 791 section 3.2).</summary>
public sealed class Fragments(World world)
{
    private const int Unit = 8;
    private const ushort MoreFlag = 0x2000;
    private const int LargestPacket = 65_535;

    /// <summary>net.ipv4.ipfrag_time, and how many packets may be incomplete at once.</summary>
    private const long PatienceNanoseconds = 30_000_000_000;
    private const int MostIncomplete = 64;

    private readonly List<Incomplete> _incomplete = [];

    public static List<byte[]> Cut(IpPacket packet, int mtu)
    {
        List<byte[]> parts = [];
        int room = (mtu - packet.HeaderLength) / Unit * Unit;
        ReadOnlySpan<byte> payload = packet.Payload;
        for (int at = 0; at < payload.Length; at += room)
        {
            int count = Math.Min(room, payload.Length - at);
            byte[] part = new byte[packet.HeaderLength + count];
            packet.Bytes.AsSpan(0, packet.HeaderLength).CopyTo(part);
            payload.Slice(at, count).CopyTo(part.AsSpan(packet.HeaderLength));
            BinaryPrimitives.WriteUInt16BigEndian(part.AsSpan(2), (ushort)part.Length);
            BinaryPrimitives.WriteUInt16BigEndian(part.AsSpan(6), (ushort)((at / Unit) | (at + count < payload.Length ? MoreFlag : 0)));
            IpPacket.Seal(part);
            parts.Add(part);
        }
        return parts;
    }

    /// <summary>Takes a fragment; true with the whole packet when it was the last that was missing.</summary>
    public bool TryJoin(in IpPacket fragment, out IpPacket whole)
    {
        whole = default;
        long now = world.Clock.Monotonic;
        _incomplete.RemoveAll(other => now - other.Since > PatienceNanoseconds);
        ushort identifier = BinaryPrimitives.ReadUInt16BigEndian(fragment.Bytes.AsSpan(4));
        (IPAddress source, IPAddress destination, byte protocol) = (fragment.Source, fragment.Destination, fragment.Protocol);
        Incomplete? packet = _incomplete.Find(other =>
            other.Identifier == identifier && other.First.Protocol == protocol && other.First.Source.Equals(source) && other.First.Destination.Equals(destination));
        if (packet is null)
        {
            if (_incomplete.Count == MostIncomplete)
                _incomplete.RemoveAt(0);
            _incomplete.Add(packet = new Incomplete(fragment, identifier, now));
        }
        if (!packet.Add(fragment))
            return false;
        _incomplete.Remove(packet);
        whole = packet.Join();
        return true;
    }

    private sealed class Incomplete(IpPacket first, ushort identifier, long since)
    {
        private readonly SortedDictionary<int, byte[]> _parts = [];
        private int _length = -1;

        public IpPacket First { get; } = first;

        public ushort Identifier { get; } = identifier;

        public long Since { get; } = since;

        public bool Add(in IpPacket fragment)
        {
            ushort field = BinaryPrimitives.ReadUInt16BigEndian(fragment.Bytes.AsSpan(6));
            int at = (field & 0x1FFF) * Unit;
            if (at + fragment.Payload.Length > LargestPacket)
                return false;
            _parts[at] = fragment.Payload.ToArray();
            if ((field & MoreFlag) == 0)
                _length = at + fragment.Payload.Length;
            int end = 0;
            foreach ((int start, byte[] bytes) in _parts)
            {
                if (start > end)
                    return false;
                end = Math.Max(end, start + bytes.Length);
            }
            return _length >= 0 && end >= _length;
        }

        public IpPacket Join()
        {
            byte[] payload = new byte[_length];
            foreach ((int start, byte[] bytes) in _parts)
                bytes.AsSpan(0, Math.Min(bytes.Length, Math.Max(0, _length - start))).CopyTo(payload.AsSpan(Math.Min(start, _length)));
            return IpPacket.Make(First.Source, First.Destination, First.Protocol, payload, First.Hops, First.Class, Identifier);
        }
    }
}
