using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Telemetry.Otlp;

/// <summary>Writes protobuf's wire format: fields by number, messages inside messages by their length.</summary>
internal sealed class ProtoWriter
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2;

    /// <summary>Bytes kept free for the length of a message that is being written; shifted away where it turns out shorter.</summary>
    private const int LengthRoom = 5;

    private byte[] _bytes = new byte[4096];
    private int _length;

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

    public void Number(int field, long value)
    {
        if (value == 0)
            return;
        Tag(field, Varint);
        Raw((ulong)value);
    }

    public void Bool(int field, bool value)
    {
        Tag(field, Varint);
        Raw(value ? 1UL : 0);
    }

    /// <summary>A number that is written even when it is 0: a member of a oneof.</summary>
    public void Chosen(int field, long value)
    {
        Tag(field, Varint);
        Raw((ulong)value);
    }

    /// <summary>sint32 and sint64: small negative numbers are short.</summary>
    public void Signed(int field, long value)
    {
        if (value == 0)
            return;
        Tag(field, Varint);
        Raw(Records.VarInt.Fold(value));
    }

    public void Fixed(int field, ulong value)
    {
        Tag(field, Fixed64);
        BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);
        _length += 8;
    }

    public void Double(int field, double value) => Fixed(field, BitConverter.DoubleToUInt64Bits(value));

    public void Text(int field, string value)
    {
        Tag(field, Delimited);
        int size = Encoding.UTF8.GetByteCount(value);
        Raw((ulong)size);
        _length += Encoding.UTF8.GetBytes(value, Room(size));
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, Delimited);
        Raw((ulong)value.Length);
        value.CopyTo(Room(value.Length));
        _length += value.Length;
    }

    /// <summary>Packed repeated unsigned numbers.</summary>
    public void Packed(int field, IReadOnlyList<ulong> values)
    {
        int start = Begin(field);
        foreach (ulong value in values)
            Raw(value);
        End(start);
    }

    /// <summary>A message begins; what is written until <see cref="End"/> is in it.</summary>
    public int Begin(int field)
    {
        Tag(field, Delimited);
        Room(LengthRoom);
        _length += LengthRoom;
        return _length;
    }

    public void End(int start)
    {
        int size = _length - start;
        Span<byte> prefix = stackalloc byte[Records.VarInt.Longest];
        int used = Records.VarInt.Write(prefix, (ulong)size);
        prefix[..used].CopyTo(_bytes.AsSpan(start - LengthRoom));
        _bytes.AsSpan(start, size).CopyTo(_bytes.AsSpan(start - LengthRoom + used));
        _length -= LengthRoom - used;
    }

    private void Tag(int field, int type) => Raw(((ulong)field << 3) | (uint)type);

    private void Raw(ulong value) => _length += Records.VarInt.Write(Room(Records.VarInt.Longest), value);

    private Span<byte> Room(int size)
    {
        if (_bytes.Length - _length < size)
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + size));
        return _bytes.AsSpan(_length);
    }
}
