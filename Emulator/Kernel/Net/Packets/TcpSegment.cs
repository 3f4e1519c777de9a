using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

[Flags]
public enum TcpFlags : byte
{
    None = 0,
    Finish = 1,
    Synchronize = 2,
    Reset = 4,
    Push = 8,
    Acknowledge = 16,
    Urgent = 32,
}

/// <summary>A TCP segment's header (RFC 9293 section 3.1) with the options that both ends here use.</summary>
public readonly record struct TcpSegment
{
    private const int HeaderLength = 20;
    private const byte EndOption = 0, NoOption = 1, SizeOption = 2, ScaleOption = 3;

    public required int SourcePort { get; init; }

    public required int TargetPort { get; init; }

    public required uint Sequence { get; init; }

    public uint Acknowledged { get; init; }

    public TcpFlags Flags { get; init; }

    /// <summary>As in the header, not scaled.</summary>
    public int Window { get; init; }

    public ushort UrgentPointer { get; init; }

    /// <summary>The largest segment the sender takes; 0 = not said. Only with Synchronize.</summary>
    public int LargestSegment { get; init; }

    /// <summary>The window's scale (RFC 7323); null = not said. Only with Synchronize.</summary>
    public int? WindowScale { get; init; }

    public bool Has(TcpFlags flag) => (Flags & flag) != 0;

    /// <summary>How far the segment moves the sequence: its bytes, and one each for its beginning and end.</summary>
    public uint SequenceLength(int data) => (uint)data + (Has(TcpFlags.Synchronize) ? 1u : 0) + (Has(TcpFlags.Finish) ? 1u : 0);

    public byte[] ToBytes(IPAddress source, IPAddress target, ReadOnlySpan<byte> data)
    {
        int options = (LargestSegment != 0 ? 4 : 0) + (WindowScale is not null ? 4 : 0);
        byte[] bytes = new byte[HeaderLength + options + data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)TargetPort);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), Acknowledged);
        bytes[12] = (byte)((HeaderLength + options) / 4 << 4);
        bytes[13] = (byte)Flags;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(14), (ushort)Window);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(18), UrgentPointer);
        Span<byte> option = bytes.AsSpan(HeaderLength, options);
        if (LargestSegment != 0)
        {
            (option[0], option[1]) = (SizeOption, 4);
            BinaryPrimitives.WriteUInt16BigEndian(option[2..], (ushort)LargestSegment);
            option = option[4..];
        }
        if (WindowScale is { } scale)
            (option[0], option[1], option[2], option[3]) = (NoOption, ScaleOption, 3, (byte)scale);
        data.CopyTo(bytes.AsSpan(HeaderLength + options));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(16), InternetChecksum.Of(bytes, InternetChecksum.PseudoHeader(source, target, IpProtocol.Tcp, bytes.Length)));
        return bytes;
    }

    public static bool TryParse(in IpPacket packet, out TcpSegment segment, out ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> bytes = packet.Payload;
        segment = default;
        data = default;
        if (bytes.Length < HeaderLength)
            return false;
        int header = (bytes[12] >> 4) * 4;
        if (header < HeaderLength || header > bytes.Length)
            return false;
        if (InternetChecksum.Of(bytes, InternetChecksum.PseudoHeader(packet.Source, packet.Destination, IpProtocol.Tcp, bytes.Length)) != 0)
            return false;
        ReadOptions(bytes[HeaderLength..header], out int largest, out int? scale);
        segment = new TcpSegment
        {
            SourcePort = BinaryPrimitives.ReadUInt16BigEndian(bytes), TargetPort = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            Sequence = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), Acknowledged = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
            Flags = (TcpFlags)bytes[13], Window = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]),
            UrgentPointer = BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]), LargestSegment = largest, WindowScale = scale,
        };
        data = bytes[header..];
        return true;
    }

    private static void ReadOptions(ReadOnlySpan<byte> options, out int largest, out int? scale)
    {
        (largest, scale) = (0, null);
        while (options.Length > 0 && options[0] != EndOption)
        {
            int length = options[0] == NoOption ? 1 : options.Length > 1 ? options[1] : 0;
            if (length == 0 || length > options.Length)
                return;
            if (options[0] == SizeOption && length == 4)
                largest = BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
            else if (options[0] == ScaleOption && length == 3)
                scale = Math.Min((int)options[2], 14);
            options = options[length..];
        }
    }
}
