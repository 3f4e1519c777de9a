using System.Numerics;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>AES (FIPS 197), SHA-1 and SHA-256 (FIPS 180-4), in the steps that AArch64's instructions make (Arm ARM, shared pseudocode).</summary>
internal static class NeonCiphers
{
    private static readonly byte[] Substitution = MakeSubstitution();
    private static readonly byte[] InverseSubstitution = Invert(Substitution);

    public static Vector128<byte> Compute(NeonCipher operation, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => operation switch
    {
        NeonCipher.AesEncrypt => ShiftRows(a ^ b, 5, Substitution),
        NeonCipher.AesDecrypt => ShiftRows(a ^ b, 13, InverseSubstitution),
        NeonCipher.AesMixColumns => MixColumns(a, [2, 3, 1, 1]),
        NeonCipher.AesInverseMixColumns => MixColumns(a, [14, 11, 13, 9]),
        <= NeonCipher.Sha1Rotate => Sha1(operation, a.AsUInt32(), b.AsUInt32(), c.AsUInt32()).AsByte(),
        NeonCipher.Sha256Hash => Sha256(c.AsUInt32(), a.AsUInt32(), b.AsUInt32(), isFirst: true).AsByte(),
        NeonCipher.Sha256Hash2 => Sha256(a.AsUInt32(), c.AsUInt32(), b.AsUInt32(), isFirst: false).AsByte(),
        NeonCipher.Sha256Schedule0 => Schedule0(c.AsUInt32(), a.AsUInt32()).AsByte(),
        _ => Schedule1(c.AsUInt32(), a.AsUInt32(), b.AsUInt32()).AsByte(),
    };

    // ---- AES -------------------------------------------------------------------------------------------------------

    /// <summary>Byte i comes from step × i: of a state in columns the rows turn by their number, left with 5 and right with 13.</summary>
    private static Vector128<byte> ShiftRows(Vector128<byte> value, int step, byte[] substitution)
    {
        Vector128<byte> result = default;
        for (int i = 0; i < 16; i++)
            result = result.WithElement(i, substitution[value.GetElement(((i & ~3) + ((i & 3) * step)) & 15)]);
        return result;
    }

    private static Vector128<byte> MixColumns(Vector128<byte> value, ReadOnlySpan<byte> factors)
    {
        Vector128<byte> result = default;
        for (int i = 0; i < 16; i++)
        {
            byte sum = 0;
            for (int row = 0; row < 4; row++)
                sum ^= Multiply(factors[row], value.GetElement((i & ~3) + ((i + row) & 3)));
            result = result.WithElement(i, sum);
        }
        return result;
    }

    /// <summary>In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.</summary>
    private static byte Multiply(int a, int b)
    {
        int product = 0;
        for (; a != 0; a >>= 1)
        {
            if ((a & 1) != 0)
                product ^= b;
            b = (b << 1) ^ ((b & 0x80) != 0 ? 0x11B : 0);
        }
        return (byte)product;
    }

    private static byte[] MakeSubstitution()
    {
        byte[] table = new byte[256];
        for (int i = 0; i < 256; i++)
        {
            byte inverse = Inverse((byte)i);
            table[i] = (byte)(inverse ^ byte.RotateLeft(inverse, 1) ^ byte.RotateLeft(inverse, 2) ^ byte.RotateLeft(inverse, 3) ^ byte.RotateLeft(inverse, 4) ^ 0x63);
        }
        return table;
    }

    /// <summary>The power 254.</summary>
    private static byte Inverse(byte value)
    {
        byte result = 1, power = value;
        for (int exponent = 254; exponent != 0; exponent >>= 1)
        {
            if ((exponent & 1) != 0)
                result = Multiply(result, power);
            power = Multiply(power, power);
        }
        return result;
    }

    private static byte[] Invert(byte[] table)
    {
        byte[] inverse = new byte[256];
        for (int i = 0; i < 256; i++)
            inverse[table[i]] = (byte)i;
        return inverse;
    }

    // ---- SHA-1: c is the destination ------------------------------------------------------------------------------------

    private static Vector128<uint> Sha1(NeonCipher operation, Vector128<uint> a, Vector128<uint> b, Vector128<uint> c)
    {
        switch (operation)
        {
            case NeonCipher.Sha1Rotate:
                return Vector128.CreateScalar(BitOperations.RotateLeft(a.GetElement(0), 30));
            case NeonCipher.Sha1Schedule0:
                return Vector128.Create(c.GetUpper(), a.GetLower()) ^ c ^ b;
            case NeonCipher.Sha1Schedule1:
                Vector128<uint> t = c ^ Vector128.Create(a.GetElement(1), a.GetElement(2), a.GetElement(3), 0u);
                uint last = BitOperations.RotateLeft(t.GetElement(3), 1) ^ BitOperations.RotateLeft(t.GetElement(0), 2);
                return ((t << 1) | (t >>> 31)).WithElement(3, last);
        }
        uint y = a.GetElement(0);
        Vector128<uint> x = c;
        for (int i = 0; i < 4; i++)
        {
            uint k = x.GetElement(1), l = x.GetElement(2), m = x.GetElement(3);
            uint mixed = operation switch
            {
                NeonCipher.Sha1Choose => ((l ^ m) & k) ^ m,
                NeonCipher.Sha1Parity => k ^ l ^ m,
                _ => (k & l) | ((k | l) & m),
            };
            y += BitOperations.RotateLeft(x.GetElement(0), 5) + mixed + b.GetElement(i);
            // The 160 bits Y:X turn left by a word.
            (x, y) = (Vector128.Create(y, x.GetElement(0), BitOperations.RotateLeft(k, 30), l), m);
        }
        return x;
    }

    // ---- SHA-256 ---------------------------------------------------------------------------------------------------

    private static Vector128<uint> Sha256(Vector128<uint> x, Vector128<uint> y, Vector128<uint> w, bool isFirst)
    {
        for (int i = 0; i < 4; i++)
        {
            uint x0 = x.GetElement(0), x1 = x.GetElement(1), x2 = x.GetElement(2), y0 = y.GetElement(0), y1 = y.GetElement(1), y2 = y.GetElement(2);
            uint choice = ((y1 ^ y2) & y0) ^ y2, majority = (x0 & x1) | ((x0 | x1) & x2);
            uint t = y.GetElement(3) + Rotations(y0, 6, 11, 25) + choice + w.GetElement(i);
            uint newX3 = t + x.GetElement(3), newY3 = t + Rotations(x0, 2, 13, 22) + majority;
            // The 256 bits Y:X turn left by a word.
            (x, y) = (Vector128.Create(newY3, x0, x1, x2), Vector128.Create(newX3, y0, y1, y2));
        }
        return isFirst ? x : y;
    }

    private static uint Rotations(uint value, int first, int second, int third) =>
        BitOperations.RotateRight(value, first) ^ BitOperations.RotateRight(value, second) ^ BitOperations.RotateRight(value, third);

    private static Vector128<uint> Schedule0(Vector128<uint> d, Vector128<uint> n)
    {
        Vector128<uint> result = d;
        for (int i = 0; i < 4; i++)
        {
            uint next = i < 3 ? d.GetElement(i + 1) : n.GetElement(0);
            result = result.WithElement(i, d.GetElement(i) + (BitOperations.RotateRight(next, 7) ^ BitOperations.RotateRight(next, 18) ^ (next >> 3)));
        }
        return result;
    }

    private static Vector128<uint> Schedule1(Vector128<uint> d, Vector128<uint> n, Vector128<uint> m)
    {
        Vector128<uint> result = default;
        for (int i = 0; i < 4; i++)
        {
            uint from = i < 2 ? m.GetElement(i + 2) : result.GetElement(i - 2);
            uint other = i < 3 ? n.GetElement(i + 1) : m.GetElement(0);
            uint mixed = BitOperations.RotateRight(from, 17) ^ BitOperations.RotateRight(from, 19) ^ (from >> 10);
            result = result.WithElement(i, mixed + d.GetElement(i) + other);
        }
        return result;
    }
}
