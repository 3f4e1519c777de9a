using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The register stack and status word of the x87 unit (SDM Vol. 1, 8.1).</summary>
internal static class X87Stack
{
    public const ushort StackFault = 0x40;
    public const ushort ErrorSummary = 0x80;
    public const ushort C0 = 0x100;
    public const ushort C1 = 0x200;
    public const ushort C2 = 0x400;
    public const ushort C3 = 0x4000;
    private const ushort Busy = 0x8000;

    /// <summary>The "real indefinite" QNaN.</summary>
    public static X87Register Indefinite => new() { Significand = 0xC000_0000_0000_0000, SignExponent = 0xFFFF };

    public static bool IsEmpty(ref X87State x87, int index) => (x87.Tags >> ((x87.Top + index) & 7) & 1) == 0;

    public static ref X87Register Register(ref X87State x87, int index) => ref x87.Registers[(x87.Top + index) & 7];

    /// <summary>Writes a stack register and marks it valid.</summary>
    public static void Write(ref X87State x87, int index, X87Register value)
    {
        var physical = (x87.Top + index) & 7;
        x87.Registers[physical] = value;
        x87.Tags |= (byte)(1 << physical);
    }

    /// <summary>Pushes without checking for overflow.</summary>
    public static void Push(ref X87State x87, X87Register value)
    {
        x87.Top--;
        Write(ref x87, 0, value);
    }

    public static void Pop(ref X87State x87, int count = 1)
    {
        for (; count > 0; count--)
        {
            Free(ref x87, 0);
            x87.Top++;
        }
    }

    public static void Free(ref X87State x87, int index) => x87.Tags &= (byte)~(1 << ((x87.Top + index) & 7));

    public static void SetConditions(ref X87State x87, ushort mask, ushort value) => x87.Status = (ushort)((x87.Status & ~mask) | value);

    public static bool IsPending(in X87State x87) => (x87.Status & ErrorSummary) != 0;

    /// <summary>Brings the summary and busy bits up to date with flags and masks.</summary>
    public static void Summarize(ref X87State x87)
    {
        var pending = (x87.Status & ~x87.Control & 63) != 0;
        x87.Status = (ushort)(pending ? x87.Status | ErrorSummary | Busy : x87.Status & ~(ErrorSummary | Busy));
    }

    /// <summary>The value a control word takes: bit 6 is one, 7 and 13..15 are zeros.</summary>
    public static ushort LegalControl(ushort value) => (ushort)((value & 0x1F3F) | 0x0040);

    /// <summary>Loads both words from an image.</summary>
    public static void SetWords(ref X87State x87, ushort control, ushort status)
    {
        x87.Control = LegalControl(control);
        x87.Status = status;
        Summarize(ref x87);
    }

    /// <summary>
    /// Reports the flags raised by an operation, and in C1 whether the result was rounded up. True when the result must not be
    /// delivered: an unmasked exception was detected before computing.
    /// </summary>
    public static bool Report(ref X87State x87, in FloatContext context)
    {
        var unmaskedEarly = (context.Raised & context.Unmasked & FloatFlags.PreComputation) != 0;
        var visible = unmaskedEarly ? context.Raised & FloatFlags.PreComputation : context.Raised;
        x87.Status |= (ushort)visible;
        SetConditions(ref x87, C1, context.RoundedUp && !unmaskedEarly ? C1 : (ushort)0);
        Summarize(ref x87);
        return unmaskedEarly;
    }

    /// <summary>Reports a stack fault. True when the masked response must not be delivered.</summary>
    public static bool Fault(ref X87State x87, bool isOverflow)
    {
        x87.Status |= StackFault | (ushort)FloatFlags.Invalid;
        SetConditions(ref x87, C1, isOverflow ? C1 : (ushort)0);
        Summarize(ref x87);
        return (x87.Control & (ushort)FloatFlags.Invalid) == 0;
    }

    /// <summary>Significand bits of results of add, subtract, multiply, divide and square root.</summary>
    public static int Precision(in X87State x87) => ((x87.Control >> 8) & 3) switch
    {
        0 => 24,
        2 => 53,
        _ => 64,
    };
}
