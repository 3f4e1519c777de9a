using System.Numerics;
using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>What is known of a register.</summary>
internal enum RegisterKind : byte
{
    Unset,
    Number,
    Context,
    Stack,
    Map,
    MapValue,
    MapValueOrNull,
    Record,
    RecordOrNull,
}

/// <summary>A number by bounds, signed and not, and by bits: those of <see cref="Unknown"/> may be anything, the rest are <see cref="Bits"/>'. Of a pointer, what was added to it.</summary>
internal struct RegisterState
{
    public RegisterKind Kind;
    public ulong Bits, Unknown, Least, Most;
    public long LeastSigned, MostSigned;
    public ProgramMap? Map;

    /// <summary>The same for all copies of a pointer that may be null, and of a record.</summary>
    public int Identity;

    /// <summary>Bytes of a record.</summary>
    public int Length;

    public static RegisterState Any { get; } = new()
    {
        Kind = RegisterKind.Number, Unknown = ulong.MaxValue, Most = ulong.MaxValue, LeastSigned = long.MinValue, MostSigned = long.MaxValue,
    };

    public readonly bool IsNumber => Kind == RegisterKind.Number;

    public readonly bool IsPointer => Kind > RegisterKind.Number;

    public readonly bool IsConstant => Least == Most;

    public static RegisterState Of(ulong value) => new()
    {
        Kind = RegisterKind.Number, Bits = value, Least = value, Most = value, LeastSigned = (long)value, MostSigned = (long)value,
    };

    public static RegisterState Between(ulong least, ulong most)
    {
        RegisterState state = Any;
        (state.Least, state.Most) = (least, most);
        state.Settle();
        return state;
    }

    /// <summary>What one way of knowing says is known in the others. False: there is no such number.</summary>
    public bool Settle()
    {
        for (int i = 0; i < 2; i++)
        {
            Least = Math.Max(Least, Bits);
            Most = Math.Min(Most, Bits | Unknown);
            if (Least > Most || LeastSigned > MostSigned)
                return false;
            // Where the sign is the same all over, the orders agree.
            if ((long)Least <= (long)Most)
            {
                LeastSigned = Math.Max(LeastSigned, (long)Least);
                MostSigned = Math.Min(MostSigned, (long)Most);
            }
            if (LeastSigned >= 0 || MostSigned < 0)
            {
                Least = Math.Max(Least, (ulong)LeastSigned);
                Most = Math.Min(Most, (ulong)MostSigned);
            }
            if (Least > Most || LeastSigned > MostSigned)
                return false;
            // Bits above the highest in which the bounds differ are those of both.
            ulong differs = Least ^ Most;
            ulong open = differs == 0 ? 0 : ulong.MaxValue >> BitOperations.LeadingZeroCount(differs);
            ulong shared = ~open;
            if (((Bits ^ Least) & shared & ~Unknown) != 0)
                return false;
            Bits = (Bits & ~(Unknown & shared)) | (Least & Unknown & shared);
            Unknown &= open;
        }
        return true;
    }

    /// <summary>The number in its lower half, as instructions on 32 bits leave it.</summary>
    public readonly RegisterState Lower()
    {
        if (IsConstant)
            return Of((uint)Least);
        RegisterState low = Any;
        (low.Bits, low.Unknown) = (Bits & uint.MaxValue, Unknown & uint.MaxValue);
        if (Most <= uint.MaxValue)
            (low.Least, low.Most) = (Least, Most);
        low.Settle();
        return low;
    }

    public static RegisterState Add(in RegisterState one, in RegisterState two)
    {
        RegisterState sum = Any;
        // What carries may bring to unknown bits (tnum_add).
        ulong low = one.Bits + two.Bits, high = low + one.Unknown + two.Unknown;
        sum.Unknown = (low ^ high) | one.Unknown | two.Unknown;
        sum.Bits = low & ~sum.Unknown;
        if (one.Most + two.Most >= one.Most)
            (sum.Least, sum.Most) = (one.Least + two.Least, one.Most + two.Most);
        if (!Overflows(one.LeastSigned, two.LeastSigned) && !Overflows(one.MostSigned, two.MostSigned))
            (sum.LeastSigned, sum.MostSigned) = (one.LeastSigned + two.LeastSigned, one.MostSigned + two.MostSigned);
        sum.Settle();
        return sum;
    }

    public static RegisterState Subtract(in RegisterState one, in RegisterState two)
    {
        RegisterState rest = Any;
        ulong difference = one.Bits - two.Bits, high = difference + one.Unknown, low = difference - two.Unknown;
        rest.Unknown = (high ^ low) | one.Unknown | two.Unknown;
        rest.Bits = difference & ~rest.Unknown;
        if (one.Least >= two.Most)
            (rest.Least, rest.Most) = (one.Least - two.Most, one.Most - two.Least);
        Int128 least = (Int128)one.LeastSigned - two.MostSigned, most = (Int128)one.MostSigned - two.LeastSigned;
        if (least >= long.MinValue && most <= long.MaxValue)
            (rest.LeastSigned, rest.MostSigned) = ((long)least, (long)most);
        rest.Settle();
        return rest;
    }

    private static bool Overflows(long one, long two) => (Int128)one + two is var sum && (sum < long.MinValue || sum > long.MaxValue);

    /// <summary>Of numbers alone, in 64 bits. Divisions are by 0 where they may be: then 0, or what was to be divided.</summary>
    public static RegisterState Calculate(int operation, in RegisterState one, in RegisterState two, int width)
    {
        if (one.IsConstant && two.IsConstant)
            return Of(ProgramArithmetic.Calculate(operation, one.Least, two.Least, width));
        RegisterState result = Any;
        int shift = two.IsConstant ? (int)(two.Least & (ulong)(width - 1)) : -1;
        switch (operation)
        {
            case ProgramCodes.Add:
                return Add(one, two);
            case ProgramCodes.Subtract:
                return Subtract(one, two);
            case And:
                (result.Bits, result.Most) = (one.Bits & two.Bits, Math.Min(one.Most, two.Most));
                result.Unknown = (one.Bits | one.Unknown) & (two.Bits | two.Unknown) & ~result.Bits;
                break;
            case Or:
                result.Bits = one.Bits | two.Bits;
                result.Unknown = (one.Unknown | two.Unknown) & ~result.Bits;
                break;
            case Xor:
                result.Unknown = one.Unknown | two.Unknown;
                result.Bits = (one.Bits ^ two.Bits) & ~result.Unknown;
                break;
            case ShiftLeft when shift >= 0 && width == 64:
                (result.Bits, result.Unknown) = (one.Bits << shift, one.Unknown << shift);
                if (one.Most <= ulong.MaxValue >> shift)
                    (result.Least, result.Most) = (one.Least << shift, one.Most << shift);
                break;
            case ShiftRight when shift >= 0 && (width == 64 || one.Most <= uint.MaxValue):
                (result.Bits, result.Unknown, result.Least, result.Most) = (one.Bits >> shift, one.Unknown >> shift, one.Least >> shift, one.Most >> shift);
                break;
            case Modulo when two.IsConstant && two.Least != 0 && (width == 64 || (uint)two.Least != 0):
                result.Most = (width == 64 ? two.Least : (uint)two.Least) - 1;
                break;
            case Multiply when one.Most <= uint.MaxValue && two.Most <= uint.MaxValue:
                (result.Least, result.Most) = (one.Least * two.Least, one.Most * two.Most);
                break;
        }
        result.Settle();
        return result;
    }
}

/// <summary>What instructions compute.</summary>
internal static class ProgramArithmetic
{
    /// <summary>In 64 bits, or in the lower 32 with the upper ones 0.</summary>
    public static ulong Calculate(int operation, ulong one, ulong two, int width) =>
        width == 32 ? Calculate<uint, int>(operation, (uint)one, (uint)two) : Calculate<ulong, long>(operation, one, two);

    /// <summary>In the width of the type. Counts of shifts are taken modulo the width; divisions by 0 give 0, or what was to be divided.</summary>
    public static T Calculate<T, TSigned>(int operation, T one, T two)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
        where TSigned : unmanaged, IBinaryInteger<TSigned>, ISignedNumber<TSigned> => operation switch
        {
            Add => one + two,
            Subtract => one - two,
            Multiply => one * two,
            Divide => T.IsZero(two) ? T.Zero : one / two,
            Modulo => T.IsZero(two) ? one : one % two,
            Or => one | two,
            And => one & two,
            Xor => one ^ two,
            ShiftLeft => one << int.CreateTruncating(two),
            ShiftRight => one >> int.CreateTruncating(two),
            ShiftArithmetic => T.CreateTruncating(TSigned.CreateTruncating(one) >> int.CreateTruncating(two)),
            Negate => T.Zero - one,
            _ => two,
        };

    public static bool Holds(int condition, ulong one, ulong two, int width)
    {
        (long left, long right) = width == 32 ? ((int)one, (int)two) : ((long)one, (long)two);
        if (width == 32)
            (one, two) = ((uint)one, (uint)two);
        return condition switch
        {
            Equal => one == two,
            NotEqual => one != two,
            Greater => one > two,
            GreaterOrEqual => one >= two,
            Less => one < two,
            LessOrEqual => one <= two,
            Set => (one & two) != 0,
            SignedGreater => left > right,
            SignedGreaterOrEqual => left >= right,
            SignedLess => left < right,
            SignedLessOrEqual => left <= right,
            _ => false,
        };
    }

    public static ulong Swap(ulong value, int bits, bool toBig) => (bits, toBig) switch
    {
        (16, true) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)value),
        (32, true) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((uint)value),
        (64, true) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value),
        (16, false) => (ushort)value,
        (32, false) => (uint)value,
        _ => value,
    };
}
