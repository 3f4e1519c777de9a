using System.Buffers.Binary;

namespace Vivarium.Emulator.Tests.Loader;

/// <summary>Spoils a program: bytes flipped, fields made absurd, ends cut off, headers doubled or pointing at each other.</summary>
internal sealed class Mutation(int seed)
{
    private static readonly ulong[] Absurd =
    [
        0, 1, 7, 0xFFF, 0x1000, 0x1001, 0x3000, 0x40_0000, 0x40_1FFF, 0x7FFF_FFFF, 0x8000_0000, uint.MaxValue, 1ul << 32, 1ul << 40, (1ul << 47) - 1, 1ul << 47,
        1ul << 62, long.MaxValue, 1ul << 63, ulong.MaxValue - 0xFFF, ulong.MaxValue,
    ];

    // Widths of the ELF header's fields from the type on, then of a program header's.
    private static readonly int[] HeaderFields = [2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2];
    private static readonly int[] ProgramFields = [4, 4, 8, 8, 8, 8, 8, 8];

    private readonly Random _random = new(seed);

    public byte[] Apply(byte[] original)
    {
        byte[] file = (byte[])original.Clone();
        int changes = 1 + _random.Next(4);
        for (int i = 0; i < changes; i++)
            file = Change(file);
        return file;
    }

    private byte[] Change(byte[] file)
    {
        if (file.Length < 0x200)
            return file;
        switch (_random.Next(10))
        {
            case 0:
                return file[..(_random.Next(3) == 0 ? _random.Next(0x200) : _random.Next(file.Length))];
            case 1:
                for (int i = _random.Next(8); i >= 0; i--)
                    file[_random.Next(0x140)] ^= (byte)(1 << _random.Next(8));
                return file;
            case 2:
                // Code is data as well.
                for (int i = _random.Next(16); i >= 0; i--)
                    file[Math.Min(file.Length - 1, 0x1000 + _random.Next(32))] = (byte)_random.Next(256);
                return file;
            case 3:
                SetField(file, 16, HeaderFields);
                return file;
            case 4:
                // One segment over another, or the same again.
                file.AsSpan(Segment(), ElfBuilder.ProgramHeaderSize).CopyTo(file.AsSpan(Segment()));
                return file;
            case 5:
                ElfBuilder.Word32(file, Segment(), (uint)_random.Next(8));
                return file;
            case 6:
                ElfBuilder.Word32(file, Segment() + 4, (uint)_random.Next(8));
                return file;
            default:
                SetField(file, Segment(), ProgramFields);
                return file;
        }
    }

    private int Segment() => ElfBuilder.HeaderSize + (_random.Next(4) * ElfBuilder.ProgramHeaderSize);

    private void SetField(byte[] file, int offset, int[] widths)
    {
        int field = _random.Next(widths.Length);
        for (int i = 0; i < field; i++)
            offset += widths[i];
        ulong value = _random.Next(3) switch
        {
            0 => Absurd[_random.Next(Absurd.Length)],
            1 => (ulong)_random.NextInt64(),
            _ => (ulong)_random.Next(0x10000),
        };
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..widths[field]].CopyTo(file.AsSpan(offset));
    }
}
