using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>SBFM, BFM, UBFM with their many names, and EXTR (Arm ARM, C4.1.92).</summary>
internal static class BitfieldLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        int size = word.Size, rotation = (int)word.Field(16, 6), last = (int)word.Field(10, 6);
        if (word.Field(22, 1) != (size == 3 ? 1u : 0) || word.Field(29, 2) == 3 || (size == 2 && (rotation > 31 || last > 31)))
            return false;
        if (word.Rd == 31)
            return true;
        byte from = emitter.Read(word.Rn);
        var field = new Bitfield(size, rotation, last);
        switch (word.Field(29, 2))
        {
            case 0: Signed(emitter, word.Rd, from, field); break;
            case 1: Insert(emitter, word.Rd, from, field); break;
            default: Unsigned(emitter, word.Rd, from, field); break;
        }
        return true;
    }

    /// <param name="Rotation">immr.</param>
    /// <param name="Last">imms.</param>
    private readonly record struct Bitfield(int Size, int Rotation, int Last)
    {
        public int Bits => 8 << Size;

        /// <summary>A field of the source goes to the bottom; else its low bits go up.</summary>
        public bool Extracts => Last >= Rotation;

        public int Width => Extracts ? Last - Rotation + 1 : Last + 1;

        /// <summary>Where the field begins in the result.</summary>
        public int Position => Extracts ? 0 : Bits - Rotation;

        public ulong Mask => ulong.MaxValue >> (64 - Width);
    }

    private static void Unsigned(Arm64Emitter emitter, byte to, byte from, Bitfield field)
    {
        int size = field.Size;
        if (field.Extracts && field.Last == field.Bits - 1)
            emitter.Emit(OpCode.ShiftRightImmediate, size, to, from, immediate: field.Rotation);
        else if (field.Last + 1 == field.Rotation)
            emitter.Emit(OpCode.ShiftLeftImmediate, size, to, from, immediate: field.Position);
        else if (field.Extracts)
            And(emitter, size, to, field.Rotation == 0 ? from : emitter.Compute(OpCode.ShiftRightImmediate, size, from, immediate: field.Rotation), field.Mask);
        else
        {
            byte low = emitter.Temporary();
            And(emitter, size, low, from, field.Mask);
            emitter.Emit(OpCode.ShiftLeftImmediate, size, to, low, immediate: field.Position);
        }
    }

    private static void And(Arm64Emitter emitter, int size, byte to, byte from, ulong mask)
    {
        int extension = mask switch { 0xFF => 0, 0xFFFF => 1, 0xFFFF_FFFF => 2, _ => -1 };
        if (extension >= 0)
            emitter.Emit(OpCode.ZeroExtend, extension, to, from);
        else
            emitter.WithImmediate(OpCode.And, size, to, from, (long)mask);
    }

    private static void Signed(Arm64Emitter emitter, byte to, byte from, Bitfield field)
    {
        int size = field.Size;
        int extension = field.Width switch { 8 => 0, 16 => 1, 32 => 2, _ => -1 };
        if (field.Extracts && field.Last == field.Bits - 1)
            emitter.Emit(OpCode.ShiftRightArithmeticImmediate, size, to, from, immediate: field.Rotation);
        else if (field.Rotation == 0 && extension >= 0)
            emitter.Move(size, to, emitter.Compute(OpCode.SignExtend, extension, from));
        else
        {
            byte top = emitter.Compute(OpCode.ShiftLeftImmediate, size, from, immediate: field.Bits - 1 - field.Last);
            emitter.Emit(OpCode.ShiftRightArithmeticImmediate, size, to, top, immediate: field.Bits - field.Width - field.Position);
        }
    }

    /// <summary>BFI, BFXIL: the rest of the destination stays.</summary>
    private static void Insert(Arm64Emitter emitter, byte to, byte from, Bitfield field)
    {
        int size = field.Size;
        if (field.Width == field.Bits)
        {
            emitter.Move(size, to, from);
            return;
        }
        byte part = field is { Extracts: true, Rotation: > 0 } ? emitter.Compute(OpCode.ShiftRightImmediate, size, from, immediate: field.Rotation) : from;
        if (field.Position == 0 && size == 3 && field.Width is 8 or 16)
        {
            emitter.Emit(OpCode.Insert, field.Width / 16, to, part);
            return;
        }
        byte low = emitter.Temporary();
        And(emitter, size, low, part, field.Mask);
        byte placed = field.Position == 0 ? low : emitter.Compute(OpCode.ShiftLeftImmediate, size, low, immediate: field.Position);
        byte rest = emitter.ComputeImmediate(OpCode.And, size, to, (long)~(field.Mask << field.Position));
        emitter.Emit(OpCode.Or, size, to, rest, placed);
    }

    /// <summary>EXTR: the low register's bits from a place on, filled from the high one.</summary>
    public static bool TryExtract(Arm64Emitter emitter, Arm64Word word)
    {
        int size = word.Size, from = (int)word.Field(10, 6);
        if (word.Field(29, 2) != 0 || word.Bit(21) || word.Field(22, 1) != (size == 3 ? 1u : 0) || (size == 2 && from > 31))
            return false;
        if (word.Rd == 31)
            return true;
        byte low = emitter.Read(word.Rm);
        if (from == 0)
            emitter.Move(size, word.Rd, low);
        else if (word.Rn == word.Rm)
            emitter.Emit(OpCode.RotateRightImmediate, size, word.Rd, low, immediate: from);
        else
            emitter.Emit(OpCode.ShiftDoubleRight, size, word.Rd, low, emitter.Read(word.Rn), c: emitter.Constant((ulong)from));
        return true;
    }
}
