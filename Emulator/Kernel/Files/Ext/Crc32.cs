using System.Buffers.Binary;
using System.Numerics;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Checksums of a volume's structures: crc32c without the final inversion, and the crc16 of older volumes' group descriptors.</summary>
internal static class Crc32
{
    public static uint Of(uint start, ReadOnlySpan<byte> bytes)
    {
        uint crc = start;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte value in bytes)
            crc = BitOperations.Crc32C(crc, value);
        return crc;
    }

    public static uint Of(uint start, uint value) => BitOperations.Crc32C(start, value);

    public static uint Of(uint start, ulong value) => BitOperations.Crc32C(start, value);

    /// <summary>crc16 with the polynomial x^16 + x^15 + x^2 + 1, reflected (lib/crc16.c).</summary>
    public static ushort Of16(ushort start, ReadOnlySpan<byte> bytes)
    {
        const int polynomial = 0xA001;
        int crc = start;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int i = 0; i < 8; i++)
                crc = (crc >> 1) ^ ((crc & 1) * polynomial);
        }
        return (ushort)crc;
    }
}
