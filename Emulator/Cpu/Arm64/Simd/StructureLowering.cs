using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>LD1 to LD4 and ST1 to ST4: multiple structures, single ones, and replicated ones (Arm ARM, C4.1.94).</summary>
internal static class StructureLowering
{
    private const int T = SimdEmit.FirstTemporary;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        bool isSingle = word.Has(24), isPostIndex = word.Has(23);
        // Of single structures bit 21 is part of the opcode.
        if ((!isPostIndex && word.Rm != 0) || (!isSingle && word.Has(21)))
            return false;
        int bytes = isSingle ? LowerSingle(emitter, word) : LowerMultiple(emitter, word);
        if (bytes == 0)
            return false;
        if (!isPostIndex)
            return true;
        if (word.Rm == 31)
            SimdMemory.Advance(emitter, word, bytes);
        else
            emitter.Emit(OpCode.Add, 3, (byte)word.Rn, (byte)word.Rn, (byte)word.Rm);
        return true;
    }

    private static int R(SimdWord word, int index) => (word.Rd + index) & 31;

    // ---- multiple structures -----------------------------------------------------------------------------------------

    /// <summary>Lowers and tells how many bytes are accessed; 0 for what is unallocated.</summary>
    private static int LowerMultiple(Arm64Emitter emitter, SimdWord word)
    {
        (int registers, int elements) = word.Field(12, 4) switch
        {
            0 => (4, 4),
            2 => (4, 1),
            4 => (3, 3),
            6 => (3, 1),
            7 => (1, 1),
            8 => (2, 2),
            10 => (2, 1),
            _ => (0, 0),
        };
        int size = word.Field(10, 2), whole = word.Q ? 4 : 3;
        if (registers == 0 || (elements != 1 && size == 3 && !word.Q))
            return 0;
        Arm64Address address = emitter.Address((byte)word.Rn);
        bool isLoad = word.Has(22);
        if (elements == 3)
            AccessThree(emitter, word, isLoad, size, address);
        else if (isLoad)
            LoadMany(emitter, word, registers, elements, size, whole, address);
        else
            StoreMany(emitter, word, registers, elements, size, whole, address);
        return registers << whole;
    }

    private static void LoadMany(Arm64Emitter emitter, SimdWord word, int registers, int elements, int size, int whole, Arm64Address address)
    {
        int count = (1 << whole) >> size;
        for (int i = 0; i < registers; i++)
            emitter.Load(whole, elements == 1 ? R(word, i) : T + i, address, (long)i << whole);
        if (elements == 2)
            Split(emitter, size, count, R(word, 0), R(word, 1), T, T + 1);
        if (elements != 4)
            return;
        Split(emitter, size, count, T + 4, T + 5, T, T + 1);
        Split(emitter, size, count, T, T + 1, T + 2, T + 3);
        Split(emitter, size, count, R(word, 0), R(word, 2), T + 4, T);
        Split(emitter, size, count, R(word, 1), R(word, 3), T + 5, T + 1);
    }

    private static void Split(Arm64Emitter emitter, int size, int count, int even, int odd, int a, int b)
    {
        emitter.Permute(NeonOperation.Even, size, count, even, a, b);
        emitter.Permute(NeonOperation.Odd, size, count, odd, a, b);
    }

    private static void Join(Arm64Emitter emitter, int size, int count, int low, int high, int a, int b)
    {
        emitter.Permute(NeonOperation.InterleaveLow, size, count, low, a, b);
        emitter.Permute(NeonOperation.InterleaveHigh, size, count, high, a, b);
    }

    private static void StoreMany(Arm64Emitter emitter, SimdWord word, int registers, int elements, int size, int whole, Arm64Address address)
    {
        int count = (1 << whole) >> size;
        if (elements == 2)
            Join(emitter, size, count, T, T + 1, R(word, 0), R(word, 1));
        if (elements == 4)
        {
            Join(emitter, size, count, T + 2, T + 3, R(word, 0), R(word, 2));
            Join(emitter, size, count, T + 4, T + 5, R(word, 1), R(word, 3));
            Join(emitter, size, count, T, T + 1, T + 2, T + 4);
            Join(emitter, size, count, T + 2, T + 6, T + 3, T + 5);
        }
        for (int i = 0; i < registers; i++)
            emitter.Store(whole, elements == 1 ? R(word, i) : i == 3 ? T + 6 : T + i, address, (long)i << whole);
    }

    /// <summary>Lane by lane.</summary>
    private static void AccessThree(Arm64Emitter emitter, SimdWord word, bool isLoad, int size, Arm64Address address)
    {
        const int elements = 3;
        for (int i = 0; isLoad && i < elements; i++)
            emitter.Zero(R(word, i));
        for (int i = 0; i < word.Lanes(size); i++)
        {
            for (int j = 0; j < elements; j++)
                AccessLane(emitter, isLoad, size, R(word, j), i, address, (long)((elements * i) + j) << size);
        }
    }

    private static void AccessLane(Arm64Emitter emitter, bool isLoad, int size, int register, int lane, Arm64Address address, long offset)
    {
        byte vector = SimdEmit.V(register);
        emitter.Emit(isLoad ? OpCode.VectorLoadLane : OpCode.VectorStoreLane, size, isLoad ? vector : (byte)0, address.Register, vector, address.Displacement + offset, (byte)lane);
    }

    // ---- single structures -------------------------------------------------------------------------------------------

    private static int LowerSingle(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(13, 3), size = word.Field(10, 2);
        int elements = 1 + (((opcode & 1) << 1) | word.Field(21, 1));
        bool isLoad = word.Has(22), s = word.Has(12);
        if (opcode >= 6)
        {
            if (!isLoad || s)
                return 0;
            Replicate(emitter, word, size, elements);
            return elements << size;
        }
        // Q:S:size without the bits that the element's size takes.
        int index = (word.Q ? 8 : 0) | (s ? 4 : 0) | size, scale = opcode >> 1;
        if ((scale == 1 && (size & 1) != 0) || (scale == 2 && (size > 1 || (size == 1 && s))))
            return 0;
        scale += scale == 2 && size == 1 ? 1 : 0;
        Arm64Address address = emitter.Address((byte)word.Rn);
        for (int i = 0; i < elements; i++)
            AccessLane(emitter, isLoad, scale, R(word, i), index >> scale, address, (long)i << scale);
        return elements << scale;
    }

    private static void Replicate(Arm64Emitter emitter, SimdWord word, int size, int elements)
    {
        Arm64Address address = emitter.Address((byte)word.Rn);
        for (int i = 0; i < elements; i++)
        {
            byte value = emitter.Compute(OpCode.Load, size, address.Register, immediate: address.Displacement + ((long)i << size));
            emitter.Emit(OpCode.NeonDuplicateInteger, size, SimdEmit.V(R(word, i)), value, immediate: NeonForm.Make(default, word.Lanes(size)));
        }
    }
}
