using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Loads, stores and constants of the x87 unit.</summary>
internal static class X87Transfers
{
    /// <summary>The FLD constants as significands with two bits beyond the format's 64, which directed rounding sees (biased exponent, upper, lower).</summary>
    private static readonly (ushort Exponent, ulong Upper, ulong Lower)[] Constants =
    [
        (0x3FFF, 0x8000_0000_0000_0000, 0),
        (0x4000, 0xD49A_784B_CD1B_8AFE, 0x492B_F6FF_4DAF_DB4C),
        (0x3FFF, 0xB8AA_3B29_5C17_F0BB, 0xBE87_FED0_691D_3E88),
        (0x4000, 0xC90F_DAA2_2168_C234, 0xC4C6_628B_80DC_1CD1),
        (0x3FFD, 0x9A20_9A84_FBCF_F798, 0x8F89_59AC_0B7C_9178),
        (0x3FFE, 0xB172_17F7_D1CF_79AB, 0xC9E3_B398_03F2_F6AF),
        (0, 0, 0),
    ];

    public static void Constant(ref X87State x87, int index)
    {
        if (!X87Stack.IsEmpty(ref x87, -1))
        {
            PushOverflow(ref x87);
            return;
        }

        var (exponent, upper, lower) = Constants[index];
        var context = FloatContext.FromX87(x87.Control);
        var value = upper == 0
            ? FloatValue.Zero(false)
            : new FloatValue(FloatClass.Finite, false, exponent - FloatFormat.Extended80.Bias, new UInt128(upper, lower));
        X87Stack.Push(ref x87, FloatRounding.PackExtended(value, 64, ref context));
        X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
    }

    private static void PushOverflow(ref X87State x87)
    {
        if (!X87Stack.Fault(ref x87, true))
            X87Stack.Push(ref x87, X87Stack.Indefinite);
    }

    public static void Load(ref X87State x87, AddressSpace memory, in MicroOp op, ulong address)
    {
        var context = FloatContext.FromX87(x87.Control);
        var value = Read(ref x87, memory, op, address, ref context);
        if ((X87Operand)op.Size == X87Operand.Register && X87Stack.IsEmpty(ref x87, op.B))
        {
            if (X87Stack.Fault(ref x87, false))
                return;
            value = X87Stack.Indefinite;
        }
        else if (!X87Stack.IsEmpty(ref x87, -1))
        {
            PushOverflow(ref x87);
            return;
        }
        else if (X87Stack.Report(ref x87, context) && (context.Raised & context.Unmasked & FloatFlags.Invalid) != 0)
        {
            // A denormal is loaded even when its exception is unmasked (AMD's processors; the SDM says otherwise for Intel's).
            return;
        }

        X87Stack.Push(ref x87, value);
    }

    private static X87Register Read(ref X87State x87, AddressSpace memory, in MicroOp op, ulong address, ref FloatContext context)
    {
        switch ((X87Operand)op.Size)
        {
            case X87Operand.Register:
                return X87Stack.Register(ref x87, op.B);
            case X87Operand.Float80:
                return new X87Register { Significand = memory.Load<ulong>(address), SignExponent = memory.Load<ushort>(address + 8) };
            case X87Operand.Float32:
                return Extend(FloatValue.Unpack(FloatFormat.Binary32, memory.Load<uint>(address)), ref context);
            case X87Operand.Float64:
                return Extend(FloatValue.Unpack(FloatFormat.Binary64, memory.Load<ulong>(address)), ref context);
            case X87Operand.Decimal:
                return Extend(X87Decimal.Unpack(memory.Load<ulong>(address), memory.Load<ushort>(address + 8)), ref context);
            case X87Operand.Int16:
                return Extend(FloatValue.FromInteger(memory.Load<short>(address)), ref context);
            case X87Operand.Int32:
                return Extend(FloatValue.FromInteger(memory.Load<int>(address)), ref context);
            default:
                return Extend(FloatValue.FromInteger(memory.Load<long>(address)), ref context);
        }
    }

    private static X87Register Extend(in FloatValue value, ref FloatContext context) =>
        FloatRounding.PackExtended(FloatConversion.Convert(value, ref context), 64, ref context);

    public static void Store(ref X87State x87, AddressSpace memory, in MicroOp op, ulong address)
    {
        var context = FloatContext.FromX87(x87.Control);
        var isEmpty = X87Stack.IsEmpty(ref x87, 0);
        var kind = (X87Operand)op.Size;
        var top = isEmpty ? X87Stack.Indefinite : X87Stack.Register(ref x87, 0);
        var isFloat = kind is X87Operand.Float32 or X87Operand.Float64;
        var (low, high) = isEmpty && (context.IsUnmasked(FloatFlags.Invalid) || isFloat)
            ? (FloatIndefinite(kind), (ushort)0)
            : Narrow(top, kind, (op.C & 2) != 0, ref context);

        // An unmasked exception, other than inexact alone, leaves memory and the stack as they were.
        var stops = isEmpty
            ? context.IsUnmasked(FloatFlags.Invalid)
            : (context.Raised & context.Unmasked & ~FloatFlags.Inexact) != 0;
        if (stops)
        {
            context.Raised &= ~FloatFlags.Inexact;
            context.RoundedUp = false;
        }

        if (!stops && kind != X87Operand.Register)
            Write(memory, address, kind, low, high);
        if (isEmpty)
            X87Stack.Fault(ref x87, false);
        else
            X87Stack.Report(ref x87, context);
        if (stops)
            return;
        if (kind == X87Operand.Register)
            X87Stack.Write(ref x87, op.Destination, top);
        if ((op.C & 1) != 0)
            X87Stack.Pop(ref x87);
    }

    private static ulong FloatIndefinite(X87Operand kind) => kind == X87Operand.Float32 ? 0xFFC0_0000UL : 0xFFF8_0000_0000_0000UL;

    /// <summary>The bytes stored: up to eight, and two more for the ten-byte kinds.</summary>
    private static (ulong Low, ushort High) Narrow(X87Register register, X87Operand kind, bool truncates, ref FloatContext context)
    {
        var mode = truncates ? RoundingMode.TowardZero : context.Rounding;
        var value = FloatValue.Unpack(register);
        switch (kind)
        {
            case X87Operand.Float32:
                return (Round(FloatFormat.Binary32, value, ref context), 0);
            case X87Operand.Float64:
                return (Round(FloatFormat.Binary64, value, ref context), 0);
            case X87Operand.Int16:
                return ((ulong)FloatConversion.ToInteger(value, 16, mode, ref context, out _), 0);
            case X87Operand.Int32:
                return ((ulong)FloatConversion.ToInteger(value, 32, mode, ref context, out _), 0);
            case X87Operand.Int64:
                return ((ulong)FloatConversion.ToInteger(value, 64, mode, ref context, out _), 0);
            case X87Operand.Decimal:
                return X87Decimal.Pack(value, ref context);
            default:
                return (register.Significand, register.SignExponent);
        }
    }

    private static ulong Round(FloatFormat format, in FloatValue value, ref FloatContext context)
    {
        // Narrowing a denormal raises no denormal exception: it is simply tiny. Nothing is delivered on unmasked underflow.
        context.WrapExponent = 0;
        return FloatRounding.Pack(format, value.IsNaN ? FloatNaN.Propagate(value, ref context) : value, ref context);
    }

    private static void Write(AddressSpace memory, ulong address, X87Operand kind, ulong low, ushort high)
    {
        switch (kind)
        {
            case X87Operand.Int16:
                memory.Store(address, (ushort)low);
                break;
            case X87Operand.Int32 or X87Operand.Float32:
                memory.Store(address, (uint)low);
                break;
            case X87Operand.Int64 or X87Operand.Float64:
                memory.Store(address, low);
                break;
            default:
                memory.Store(address + 8, high);
                memory.Store(address, low);
                break;
        }
    }
}
