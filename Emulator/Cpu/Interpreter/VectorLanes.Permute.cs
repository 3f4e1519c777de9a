using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Movement of lanes: shuffles, interleaves, packs, extensions, blends.</summary>
internal static partial class VectorLanes
{
    private static readonly Vector128<byte> Ascending = Vector128.Create((byte)0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    private static Vector128<byte> Permute(in MicroOp op, Vector128<byte> a, Vector128<byte> b)
    {
        var immediate = (int)op.Immediate & 0xFF;
        return op.Code switch
        {
            OpCode.VectorShiftBytesLeft => Slide(a, -immediate),
            OpCode.VectorShiftBytesRight => Slide(a, immediate),
            OpCode.VectorAlignRight => Slide(b, immediate) | Slide(a, immediate - 16),
            // Indices of 16 and above (a set top bit) select nothing.
            OpCode.VectorShuffleBytes => Vector128.Shuffle(a, b & Vector128.Create((byte)0x8F)),
            OpCode.VectorShuffle32 => Vector128.Shuffle(a.AsUInt32(), Fields32(immediate)).AsByte(),
            OpCode.VectorShuffleLow16 => ShuffleLow16(a, immediate),
            OpCode.VectorShuffleHigh16 => Swap(ShuffleLow16(Swap(a), immediate)),
            OpCode.VectorShufflePairs => ShufflePairs(op.Size, a, b, immediate),
            OpCode.VectorDuplicate => Duplicate(op.Size, a, immediate),
            _ => Blend(op.Size, a, b, immediate),
        };
    }

    /// <summary>Shifts right by <paramref name="bytes"/>, left when negative, filling with zeros.</summary>
    private static Vector128<byte> Slide(Vector128<byte> a, int bytes)
    {
        if (bytes is >= 16 or <= -16)
            return default;
        // Out-of-range indices, negative ones among them, give zero.
        return Vector128.Shuffle(a, Ascending + Vector128.Create((byte)bytes));
    }

    private static Vector128<uint> Fields32(int immediate) => Vector128.Create(
        (uint)immediate & 3, ((uint)immediate >> 2) & 3, ((uint)immediate >> 4) & 3, ((uint)immediate >> 6) & 3);

    private static Vector128<byte> ShuffleLow16(Vector128<byte> a, int immediate)
    {
        var indices = Vector128.Create(
            (ushort)(immediate & 3), (ushort)((immediate >> 2) & 3), (ushort)((immediate >> 4) & 3), (ushort)((immediate >> 6) & 3), 4, 5, 6, 7);
        return Vector128.Shuffle(a.AsUInt16(), indices).AsByte();
    }

    /// <summary>Exchanges the 64-bit halves.</summary>
    private static Vector128<byte> Swap(Vector128<byte> a) => Vector128.Shuffle(a.AsUInt64(), Vector128.Create(1UL, 0)).AsByte();

    private static Vector128<byte> ShufflePairs(int kind, Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        if ((LaneKind)kind is LaneKind.Float64 or LaneKind.Int64)
            return Vector128.Create(a.AsUInt64().GetElement(immediate & 1), b.AsUInt64().GetElement((immediate >> 1) & 1)).AsByte();
        var low = Vector128.Shuffle(a.AsUInt32(), Fields32(immediate)).AsUInt64().ToScalar();
        var high = Vector128.Shuffle(b.AsUInt32(), Fields32(immediate)).AsUInt64().GetElement(1);
        return Vector128.Create(low, high).AsByte();
    }

    private static Vector128<byte> Duplicate(int kind, Vector128<byte> a, int odd)
    {
        if ((LaneKind)kind is LaneKind.Float64 or LaneKind.Int64)
            return Vector128.Create(a.AsUInt64().GetElement(odd)).AsByte();
        var first = (uint)odd;
        return Vector128.Shuffle(a.AsUInt32(), Vector128.Create(first, first, first + 2, first + 2)).AsByte();
    }

    private static Vector128<byte> Blend(int kind, Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        var mask = (LaneKind)kind switch
        {
            LaneKind.Int16 => Selected(immediate, Vector128.Create((ushort)1, 2, 4, 8, 16, 32, 64, 128)),
            LaneKind.Float32 or LaneKind.Int32 => Selected((uint)immediate, Vector128.Create(1u, 2, 4, 8)),
            _ => Selected((ulong)immediate, Vector128.Create(1ul, 2)),
        };
        return Vector128.ConditionalSelect(mask, b, a);
    }

    private static Vector128<byte> Selected(int bits, Vector128<ushort> lanes) => Vector128.Equals(Vector128.Create((ushort)bits) & lanes, lanes).AsByte();

    private static Vector128<byte> Selected(uint bits, Vector128<uint> lanes) => Vector128.Equals(Vector128.Create(bits) & lanes, lanes).AsByte();

    private static Vector128<byte> Selected(ulong bits, Vector128<ulong> lanes) => Vector128.Equals(Vector128.Create(bits) & lanes, lanes).AsByte();

    /// <summary>Lane by lane, b where the top bit of the selector is set, else a.</summary>
    public static Vector128<byte> BlendVariable(int kind, Vector128<byte> a, Vector128<byte> b, Vector128<byte> selector)
    {
        var mask = (LaneKind)kind switch
        {
            LaneKind.Int8 => (selector.AsSByte() >> 7).AsByte(),
            LaneKind.Float32 or LaneKind.Int32 => (selector.AsInt32() >> 31).AsByte(),
            _ => (selector.AsInt64() >> 63).AsByte(),
        };
        return Vector128.ConditionalSelect(mask, b, a);
    }

    private static Vector128<byte> InterleaveLow(int size, Vector128<byte> a, Vector128<byte> b)
    {
        switch ((LaneKind)size)
        {
            case LaneKind.Int8:
                return (Vector128.WidenLower(a) | Vector128.WidenLower(b) << 8).AsByte();
            case LaneKind.Int16:
                return (Vector128.WidenLower(a.AsUInt16()) | Vector128.WidenLower(b.AsUInt16()) << 16).AsByte();
            case LaneKind.Int32 or LaneKind.Float32:
                return (Vector128.WidenLower(a.AsUInt32()) | Vector128.WidenLower(b.AsUInt32()) << 32).AsByte();
            default:
                return Vector128.Create(a.GetLower(), b.GetLower());
        }
    }

    private static Vector128<byte> InterleaveHigh(int size, Vector128<byte> a, Vector128<byte> b) => InterleaveLow(size, Swap(a), Swap(b));

    private static Vector128<byte> PackSigned(int size, Vector128<byte> a, Vector128<byte> b) => size == 1
        ? Vector128.NarrowWithSaturation(a.AsInt16(), b.AsInt16()).AsByte()
        : Vector128.NarrowWithSaturation(a.AsInt32(), b.AsInt32()).AsByte();

    private static Vector128<byte> PackUnsigned(int size, Vector128<byte> a, Vector128<byte> b)
    {
        if (size == 1)
        {
            var limit = Vector128.Create((short)255);
            return Vector128.Narrow(Vector128.Clamp(a.AsInt16(), default, limit).AsUInt16(), Vector128.Clamp(b.AsInt16(), default, limit).AsUInt16());
        }

        var wide = Vector128.Create(65535);
        return Vector128.Narrow(Vector128.Clamp(a.AsInt32(), default, wide).AsUInt32(), Vector128.Clamp(b.AsInt32(), default, wide).AsUInt32()).AsByte();
    }

    private static Vector128<byte> Extend(int from, int to, bool signed, Vector128<byte> a)
    {
        for (var size = from; size < to; size++)
        {
            a = (size, signed) switch
            {
                (0, true) => Vector128.WidenLower(a.AsSByte()).AsByte(),
                (0, false) => Vector128.WidenLower(a).AsByte(),
                (1, true) => Vector128.WidenLower(a.AsInt16()).AsByte(),
                (1, false) => Vector128.WidenLower(a.AsUInt16()).AsByte(),
                (_, true) => Vector128.WidenLower(a.AsInt32()).AsByte(),
                _ => Vector128.WidenLower(a.AsUInt32()).AsByte(),
            };
        }

        return a;
    }
}
