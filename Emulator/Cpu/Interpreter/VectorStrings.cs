using System.Numerics;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The string comparisons of SSE4.2 (SDM Vol. 2, 4.1, "Imm8 control byte operation").</summary>
internal static class VectorStrings
{
    public static void Execute(ref CpuState state, in MicroOp op)
    {
        Vector128<byte> a = state.Vectors[op.A], b = state.Vectors[op.B];
        var control = (int)op.Immediate;
        var count = (control & 1) == 0 ? 16 : 8;
        var isExplicit = (op.C & 1) != 0;
        var lengthA = isExplicit ? ExplicitLength(state.Registers[0], op.C, count) : ImplicitLength(a, control, count);
        var lengthB = isExplicit ? ExplicitLength(state.Registers[2], op.C, count) : ImplicitLength(b, control, count);

        var result = Aggregate(a, b, lengthA, lengthB, control, count);
        var all = (1 << count) - 1;
        result = (control & 0x30) switch
        {
            0x10 => ~result & all,
            // Masked: only the valid elements of B are inverted.
            0x30 => result ^ ((1 << lengthB) - 1),
            _ => result,
        };

        if (op.Code == OpCode.VectorStringIndex)
            state.Registers[op.Destination] = (ulong)Index(result, (control & 0x40) != 0, count);
        else
            state.Vectors[op.Destination] = Mask(result, (control & 0x40) != 0, count);
        SetFlags(ref state, result, lengthA, lengthB, count);
    }

    private static void SetFlags(ref CpuState state, int result, int lengthA, int lengthB, int count)
    {
        var flags = result != 0 ? X86Flags.Carry : 0;
        if (lengthB < count)
            flags |= X86Flags.Zero;
        if (lengthA < count)
            flags |= X86Flags.Sign;
        if ((result & 1) != 0)
            flags |= X86Flags.Overflow;
        X86Flags.Replace(ref state, flags);
    }

    private static int Index(int result, bool last, int count)
    {
        if (result == 0)
            return count;
        return last ? BitOperations.Log2((uint)result) : BitOperations.TrailingZeroCount(result);
    }

    private static Vector128<byte> Mask(int result, bool expand, int count)
    {
        if (!expand)
            return Vector128.CreateScalar((uint)result).AsByte();
        var width = 16 / count;
        var mask = Vector128<byte>.Zero;
        for (var i = 0; i < 16; i++)
        {
            if ((result >> (i / width) & 1) != 0)
                mask = mask.WithElement(i, (byte)0xFF);
        }

        return mask;
    }

    /// <summary>The absolute value of a signed length, saturated.</summary>
    private static int ExplicitLength(ulong register, int mode, int count)
    {
        var length = (mode & 2) != 0 ? (long)register : (int)register;
        return length == long.MinValue ? count : (int)Math.Min(Math.Abs(length), count);
    }

    private static int ImplicitLength(Vector128<byte> value, int control, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (Element(value, i, control) == 0)
                return i;
        }

        return count;
    }

    private static int Element(Vector128<byte> value, int index, int control) => (control & 3) switch
    {
        0 => value.GetElement(index),
        1 => value.AsUInt16().GetElement(index),
        2 => value.AsSByte().GetElement(index),
        _ => value.AsInt16().GetElement(index),
    };

    private static int Aggregate(Vector128<byte> a, Vector128<byte> b, int lengthA, int lengthB, int control, int count)
    {
        var result = 0;
        for (var j = 0; j < count; j++)
        {
            var holds = ((control >> 2) & 3) switch
            {
                0 => j < lengthB && EqualsAny(a, lengthA, Element(b, j, control), control),
                1 => j < lengthB && InRanges(a, lengthA, Element(b, j, control), control),
                2 => EqualsEach(a, b, j, lengthA, lengthB, control),
                _ => EqualsOrdered(a, b, j, lengthA, lengthB, control, count),
            };
            if (holds)
                result |= 1 << j;
        }

        return result;
    }

    private static bool EqualsAny(Vector128<byte> set, int length, int element, int control)
    {
        for (var i = 0; i < length; i++)
        {
            if (Element(set, i, control) == element)
                return true;
        }

        return false;
    }

    private static bool InRanges(Vector128<byte> ranges, int length, int element, int control)
    {
        for (var i = 0; i + 1 < length; i += 2)
        {
            if (Element(ranges, i, control) <= element && element <= Element(ranges, i + 1, control))
                return true;
        }

        return false;
    }

    /// <summary>Both past their ends count as equal, one past its end as different.</summary>
    private static bool EqualsEach(Vector128<byte> a, Vector128<byte> b, int j, int lengthA, int lengthB, int control)
    {
        if (j >= lengthA || j >= lengthB)
            return j >= lengthA && j >= lengthB;
        return Element(a, j, control) == Element(b, j, control);
    }

    /// <summary>Whether the needle A occurs in B at <paramref name="start"/>, as far as the register shows.</summary>
    private static bool EqualsOrdered(Vector128<byte> a, Vector128<byte> b, int start, int lengthA, int lengthB, int control, int count)
    {
        for (var i = 0; i < lengthA && start + i < count; i++)
        {
            if (start + i >= lengthB || Element(a, i, control) != Element(b, start + i, control))
                return false;
        }

        return true;
    }
}
