using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>
/// Exclusive and ordered loads and stores, CAS and CASP (Arm ARM, C4.1.96). Their addresses must be aligned; memory is in order, so
/// acquire and release ask for no more. An exclusive store succeeds where the load marked and memory holds what was loaded.
/// </summary>
internal static class ExclusiveLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        bool isOrdered = word.Bit(23), isLoad = word.Bit(22), o1 = word.Bit(21);
        int scale = (int)word.Field(30, 2);
        if (isOrdered && o1)
            return word.Rt2 == 31 && CompareAndSwap(emitter, word, scale);
        if (o1)
            return word.Bit(31) ? ExclusivePair(emitter, word, isLoad, scale) : word.Rt2 == 31 && CompareAndSwapPair(emitter, word, word.Bit(30) ? 3 : 2);
        Arm64Address address = Aligned(emitter, word.Rn, scale);
        if (isOrdered)
            Ordered(emitter, word, isLoad, scale, address);
        else if (isLoad)
            LoadExclusive(emitter, word, scale, address);
        else
        {
            byte failed = emitter.Temporary();
            emitter.Emit(OpCode.StoreReserved, scale, failed, address.Register, emitter.Read(word.Rt), c: Arm64State.Monitor);
            emitter.Move(3, word.Rs, failed);
        }
        return true;
    }

    private static Arm64Address Aligned(Arm64Emitter emitter, byte register, int scale)
    {
        Arm64Address address = emitter.Address(register);
        if (scale != 0)
            emitter.Emit(OpCode.CheckAlignment, scale, 0, address.Register, c: (byte)ExitReason.Misaligned);
        return address;
    }

    /// <summary>LDAR, STLR, LDLAR, STLLR.</summary>
    private static void Ordered(Arm64Emitter emitter, Arm64Word word, bool isLoad, int scale, Arm64Address address)
    {
        if (!isLoad)
        {
            emitter.Emit(OpCode.Store, scale, 0, address.Register, emitter.Read(word.Rt));
            return;
        }
        byte to = emitter.Write(word.Rt);
        emitter.Emit(OpCode.Load, scale, to, address.Register);
        emitter.Touch(word.Rt, to);
    }

    private static void LoadExclusive(Arm64Emitter emitter, Arm64Word word, int scale, Arm64Address address)
    {
        byte loaded = emitter.Compute(OpCode.Load, scale, address.Register);
        emitter.Emit(OpCode.Move, 3, Arm64State.MonitorValue, loaded);
        emitter.Emit(OpCode.Move, 3, Arm64State.Monitor, address.Register);
        emitter.Move(3, word.Rt, Arm64State.MonitorValue);
    }

    // ---- pairs ------------------------------------------------------------------------------------------------------

    private static bool ExclusivePair(Arm64Emitter emitter, Arm64Word word, bool isLoad, int scale)
    {
        Arm64Address address = Aligned(emitter, word.Rn, scale + 1);
        if (scale == 2)
            WordPair(emitter, word, isLoad, address);
        else if (isLoad)
        {
            byte low = emitter.Compute(OpCode.Load, 3, address.Register), high = emitter.Compute(OpCode.Load, 3, address.Register, immediate: 8);
            emitter.Emit(OpCode.Move, 3, Arm64State.MonitorHighValue, high);
            emitter.Emit(OpCode.Move, 3, Arm64State.MonitorValue, low);
            emitter.Emit(OpCode.Move, 3, Arm64State.Monitor, address.Register);
            emitter.Move(3, word.Rt, Arm64State.MonitorValue);
            emitter.Move(3, word.Rt2, Arm64State.MonitorHighValue);
        }
        else
            StorePair(emitter, word, address);
        return true;
    }

    /// <summary>Two words are one access of 64 bits.</summary>
    private static void WordPair(Arm64Emitter emitter, Arm64Word word, bool isLoad, Arm64Address address)
    {
        if (isLoad)
        {
            byte loaded = emitter.Compute(OpCode.Load, 3, address.Register);
            emitter.Emit(OpCode.Move, 3, Arm64State.MonitorValue, loaded);
            emitter.Emit(OpCode.Move, 3, Arm64State.Monitor, address.Register);
            emitter.Move(2, word.Rt, Arm64State.MonitorValue);
            if (word.Rt2 != 31)
                emitter.Emit(OpCode.ShiftRightImmediate, 3, word.Rt2, Arm64State.MonitorValue, immediate: 32);
            return;
        }
        byte failed = emitter.Temporary();
        emitter.Emit(OpCode.StoreReserved, 3, failed, address.Register, Joined(emitter, word.Rt, word.Rt2), c: Arm64State.Monitor);
        emitter.Move(3, word.Rs, failed);
    }

    private static byte Joined(Arm64Emitter emitter, byte low, byte high)
    {
        byte lower = emitter.Compute(OpCode.ZeroExtend, 2, emitter.Read(low));
        byte upper = emitter.Compute(OpCode.ShiftLeftImmediate, 3, emitter.Read(high), immediate: 32);
        return emitter.Compute(OpCode.Or, 3, lower, upper);
    }

    /// <summary>
    /// STXP of 16 bytes: stores what is to be there, old or new, since guest threads take turns between instructions. Both stores are in
    /// one page.
    /// </summary>
    private static void StorePair(Arm64Emitter emitter, Arm64Word word, Arm64Address address)
    {
        byte saved = emitter.SaveFlags();
        byte low = emitter.Compute(OpCode.Load, 3, address.Register), high = emitter.Compute(OpCode.Load, 3, address.Register, immediate: 8);
        byte elsewhere = emitter.Compute(OpCode.Xor, 3, Arm64State.Monitor, address.Register);
        byte lowDiffers = emitter.Compute(OpCode.Xor, 3, Arm64State.MonitorValue, low);
        byte highDiffers = emitter.Compute(OpCode.Xor, 3, Arm64State.MonitorHighValue, high);
        byte differs = emitter.Compute(OpCode.Or, 3, elsewhere, emitter.Compute(OpCode.Or, 3, lowDiffers, highDiffers));
        byte failed = Choose(emitter, saved, differs, (emitter.Read(word.Rt), low), (emitter.Read(word.Rt2), high), address);
        emitter.Emit(OpCode.MoveImmediate, 3, Arm64State.Monitor, 0, immediate: -1);
        emitter.Move(3, word.Rs, failed);
    }

    /// <summary>Stores the new values where a difference is zero, else the old ones; returns whether there was one.</summary>
    private static byte Choose(Arm64Emitter emitter, byte savedFlags, byte difference, (byte New, byte Old) low, (byte New, byte Old) high, Arm64Address address)
    {
        emitter.EmitFlags(OpCode.SubtractImmediate, 3, MicroOp.Discard, difference);
        byte newLow = emitter.Compute(OpCode.Select, 3, low.New, low.Old, c: (byte)Condition.Equal);
        byte newHigh = emitter.Compute(OpCode.Select, 3, high.New, high.Old, c: (byte)Condition.Equal);
        byte failed = emitter.Compute(OpCode.SetCondition, 3, 0, c: (byte)Condition.NotEqual);
        emitter.RestoreFlags(savedFlags);
        emitter.Emit(OpCode.Store, 3, 0, address.Register, newLow);
        emitter.Emit(OpCode.Store, 3, 0, address.Register, newHigh, 8);
        return failed;
    }

    // ---- compare and swap -------------------------------------------------------------------------------------------

    private static bool CompareAndSwap(Arm64Emitter emitter, Arm64Word word, int scale)
    {
        Arm64Address address = Aligned(emitter, word.Rn, scale);
        byte old = emitter.Temporary();
        emitter.Emit(OpCode.CompareExchange, scale, old, address.Register, emitter.Read(word.Rt), c: emitter.Read(word.Rs));
        emitter.Move(3, word.Rs, old);
        return true;
    }

    private static bool CompareAndSwapPair(Arm64Emitter emitter, Arm64Word word, int scale)
    {
        if (((word.Rs | word.Rt) & 1) != 0)
            return false;
        Arm64Address address = Aligned(emitter, word.Rn, scale + 1);
        byte second = (byte)(word.Rs + 1), third = (byte)(word.Rt + 1);
        if (scale == 2)
        {
            byte expected = Joined(emitter, word.Rs, second), swapped = Joined(emitter, word.Rt, third), old = emitter.Temporary();
            emitter.Emit(OpCode.CompareExchange, 3, old, address.Register, swapped, c: expected);
            emitter.Move(2, word.Rs, old);
            if (second != 31)
                emitter.Emit(OpCode.ShiftRightImmediate, 3, second, old, immediate: 32);
            return true;
        }
        byte saved = emitter.SaveFlags();
        byte low = emitter.Compute(OpCode.Load, 3, address.Register), high = emitter.Compute(OpCode.Load, 3, address.Register, immediate: 8);
        byte lowDiffers = emitter.Compute(OpCode.Xor, 3, low, emitter.Read(word.Rs));
        byte highDiffers = emitter.Compute(OpCode.Xor, 3, high, emitter.Read(second));
        Choose(emitter, saved, emitter.Compute(OpCode.Or, 3, lowDiffers, highDiffers), (emitter.Read(word.Rt), low), (emitter.Read(third), high), address);
        emitter.Move(3, word.Rs, low);
        emitter.Move(3, second, high);
        return true;
    }
}
