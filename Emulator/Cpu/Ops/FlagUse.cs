using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>
/// Removes the production of flags that nothing can see: overwritten before a reader, a fault or the block's end. An op that
/// may exit counts as a reader of all flags that the architecture has, so that they are precise in a signal frame.
/// </summary>
public static class FlagUse
{
    /// <param name="ops">The micro-ops of a block.</param>
    /// <param name="liveBehind">What is read behind each of them is put here.</param>
    /// <param name="atExits">The flags that the architecture has.</param>
    public static void RemoveDead(Span<MicroOp> ops, Span<FlagMask> liveBehind, FlagMask atExits)
    {
        FlagMask live = atExits;
        for (int i = ops.Length - 1; i >= 0; i--)
        {
            ref MicroOp op = ref ops[i];
            liveBehind[i] = live;
            FlagMask written = op.Flags;
            op.Flags &= live;
            if (op.Flags == FlagMask.None && written != FlagMask.None && op.Destination == MicroOp.Discard && !MayExit(op.Code))
            {
                op.Code = OpCode.Nop;
                continue;
            }
            live = LiveBefore(op, live, atExits);
        }
    }

    /// <summary>The flags that something reads from an op on, given those that something reads behind it, and those that the architecture has.</summary>
    public static FlagMask LiveBefore(in MicroOp op, FlagMask liveBehind, FlagMask atExits)
    {
        FlagMask live = WritesConditionally(op.Code) ? liveBehind : liveBehind & ~op.Flags;
        if (MayExit(op.Code))
            live |= atExits;
        return live == FlagMask.All ? live : live | Reads(op);
    }

    /// <summary>Shifts by a register leave the flags when the count is 0; scans and rotates keep some.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool WritesConditionally(OpCode code) => code is >= OpCode.ShiftLeft and <= OpCode.ShiftDoubleRight;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayExit(OpCode code) =>
        code is >= OpCode.Load and <= OpCode.Trap or OpCode.Divide or OpCode.DivideSigned or >= OpCode.VectorLoad;

    /// <summary>Whether an op uses flags as they are before it.</summary>
    public static bool ReadsFlags(in MicroOp op) => Reads(op) != FlagMask.None || (WritesConditionally(op.Code) && op.Flags != FlagMask.None);

    private static FlagMask Reads(in MicroOp op) => op.Code switch
    {
        OpCode.AddCarry or OpCode.AddCarryImmediate or OpCode.SubtractBorrow or OpCode.SubtractBorrowImmediate or OpCode.ComplementCarry => FlagMask.Carry,
        >= OpCode.RotateCarryLeft and <= OpCode.RotateCarryRightImmediate => FlagMask.Carry,
        OpCode.SetCondition or OpCode.Select or OpCode.Branch or OpCode.SubtractIf or OpCode.AddIf => Reads((Condition)op.C),
        OpCode.NeonSelect => Reads((Condition)op.C),
        OpCode.NeonFloatCompare when (op.C & NeonForm.Conditional) != 0 => Reads((Condition)(byte)op.Immediate),
        OpCode.GetFlags => FlagMask.All,
        _ => FlagMask.None,
    };

    private static FlagMask Reads(Condition condition) => (Condition)((int)condition & ~1) switch
    {
        Condition.Overflow => FlagMask.Overflow,
        Condition.Below => FlagMask.Carry,
        Condition.Equal => FlagMask.Zero,
        Condition.BelowOrEqual => FlagMask.Carry | FlagMask.Zero,
        Condition.Sign => FlagMask.Sign,
        Condition.Parity => FlagMask.Parity,
        Condition.Less => FlagMask.Sign | FlagMask.Overflow,
        _ => FlagMask.Zero | FlagMask.Sign | FlagMask.Overflow,
    };
}
