using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>AArch64's cryptographic instructions by the host's, which cut the same algorithms otherwise.</summary>
internal sealed unsafe partial class BlockTranslator
{
    // Vectors of the frame, beside NeonSlot.
    private const int SavedVector = 57;
    private const int FirstState = 58;
    private const int SecondState = 59;
    private const int RoundWords = 60;

    private const int Backwards = 0x1B;

    private static bool HasSha { get; } = (X86Base.CpuId(7, 0).Ebx & (1 << 29)) != 0;

    private int EmitNeonCipher(in MicroOp op)
    {
        var operation = (NeonCipher)op.Immediate;
        if (operation <= NeonCipher.AesInverseMixColumns)
            return EmitAes(op, operation);
        if (!HasSha)
            return 0;
        switch (operation)
        {
            case <= NeonCipher.Sha1Majority:
                EmitSha1Rounds(op, operation - NeonCipher.Sha1Choose);
                break;
            case NeonCipher.Sha1Schedule0:
                Vector66(3, 0x0F, Scratch15, UseVector(op.A), VectorPlace(op.C)); // VPALIGNR
                _asm.Byte(8);
                Vector66(PackedXor, Scratch15, Scratch15, VectorPlace(op.C));
                Vector66(PackedXor, Scratch15, Scratch15, VectorPlace(op.B));
                break;
            case NeonCipher.Sha1Schedule1:
                EmitSha1Schedule1(op);
                break;
            case NeonCipher.Sha1Rotate:
                RotateWords(UseVector(op.A), 30);
                FinishLow(op.Destination, Scratch15, 2);
                return 1;
            case NeonCipher.Sha256Hash or NeonCipher.Sha256Hash2:
                EmitSha256Rounds(op, operation == NeonCipher.Sha256Hash);
                break;
            case NeonCipher.Sha256Schedule0:
                LoadWhole(Scratch15, VectorPlace(op.C), isAligned: true);
                _asm.Emit(0x0F38CC, Scratch15, VectorPlace(op.A)); // SHA256MSG1
                break;
            default:
                Vector66(3, 0x0F, Scratch15, UseVector(op.B), VectorPlace(op.A)); // VPALIGNR
                _asm.Byte(4);
                Vector66(1, 0xFE, Scratch15, Scratch15, VectorPlace(op.C)); // VPADDD
                _asm.Emit(0x0F38CD, Scratch15, VectorPlace(op.B)); // SHA256MSG2
                break;
        }
        FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    /// <summary>
    /// The host mixes columns in one instruction with what AArch64 does apart: without a key an inverse last round and a round leave the columns
    /// mixed alone.
    /// </summary>
    private int EmitAes(in MicroOp op, NeonCipher operation)
    {
        const int encrypt = 0xDC, encryptLast = 0xDD, decryptLast = 0xDF, mixInverse = 0xDB;
        if (!Aes.IsSupported)
            return 0;
        Operand zero = Gate.Constant(VectorConstant.Zero);
        switch (operation)
        {
            case NeonCipher.AesEncrypt or NeonCipher.AesDecrypt:
                Vector66(PackedXor, Scratch15, UseVector(op.A), VectorPlace(op.B));
                Vector66(2, operation == NeonCipher.AesEncrypt ? encryptLast : decryptLast, Scratch15, Scratch15, zero);
                break;
            case NeonCipher.AesMixColumns:
                Vector66(2, decryptLast, Scratch15, UseVector(op.A), zero);
                Vector66(2, encrypt, Scratch15, Scratch15, zero);
                break;
            default:
                Vector66(2, mixInverse, Scratch15, 0, VectorPlace(op.A));
                break;
        }
        FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    // ---- SHA-1 -------------------------------------------------------------------------------------------------------

    /// <summary>The scratch register = the words of a register rotated left.</summary>
    private void RotateWords(int from, int count)
    {
        const int bits = 32;
        _asm.Emit(0x0F29, from, VectorPlace(SavedVector)); // MOVAPS
        ShiftLanes(Scratch15, from, 0x72, 6, count);
        _asm.Emit(0x0F29, Scratch15, NeonSlot);
        LoadWhole(Scratch15, VectorPlace(SavedVector), isAligned: true);
        ShiftLanes(Scratch15, Scratch15, 0x72, 2, bits - count);
        Vector66(PackedOr, Scratch15, Scratch15, NeonSlot);
    }

    /// <summary>The last word's own part of the schedule is the first word rotated once more.</summary>
    private void EmitSha1Schedule1(in MicroOp op)
    {
        ShiftBytesRight(Scratch15, UseVector(op.A), 4);
        Vector66(PackedXor, Scratch15, Scratch15, VectorPlace(op.C));
        RotateWords(Scratch15, 1);
        _asm.Emit(0x0F29, Scratch15, VectorPlace(FirstState)); // MOVAPS
        ShiftLanes(Scratch15, Scratch15, 0x73, 7, 12); // VPSLLDQ
        RotateWords(Scratch15, 1);
        Vector66(PackedXor, Scratch15, Scratch15, VectorPlace(FirstState));
    }

    /// <summary>The host has words from the top, E in the first of the schedule, and adds the rounds' constant itself.</summary>
    private void EmitSha1Rounds(in MicroOp op, int function)
    {
        const int borrowed = 0;
        ClearScratch();
        if (IsPinned(op.A))
            _asm.EmitVex(1, 2, false, 0x10, Scratch15, Scratch15, Operand.Of(op.A)); // VMOVSS
        else
            _asm.EmitVex(1, 2, false, 0x10, Scratch15, 0, VectorPlace(op.A));
        Vector66(1, 0xFE, Scratch15, Scratch15, VectorPlace(op.B)); // VPADDD
        Vector66(1, 0xFA, Scratch15, Scratch15, Gate.Constant(VectorConstant.Sha1Choose + function)); // VPSUBD
        Vector66(1, 0x70, Scratch15, 0, Operand.Of(Scratch15)); // VPSHUFD
        _asm.Byte(Backwards);
        _asm.Emit(0x0F29, borrowed, NeonSlot); // MOVAPS
        Vector66(1, 0x70, borrowed, 0, VectorPlace(op.C));
        _asm.Byte(Backwards);
        _asm.Emit(0x0F3ACC, borrowed, Operand.Of(Scratch15)); // SHA1RNDS4
        _asm.Byte(function);
        Vector66(1, 0x70, Scratch15, 0, Operand.Of(borrowed));
        _asm.Byte(Backwards);
        LoadWhole(borrowed, NeonSlot, isAligned: true);
    }

    // ---- SHA-256 -----------------------------------------------------------------------------------------------------

    /// <summary>
    /// ABCD and EFGH from the bottom here; ABEF and CDGH from the top, and two words in XMM0, in the host's instruction, which does two rounds of the
    /// four.
    /// </summary>
    private void EmitSha256Rounds(in MicroOp op, bool isFirst)
    {
        const int words = 0, other = 1, inner = 0x11, outer = 0xBB, upper = 0x0E;
        Keep(FirstState, isFirst ? op.C : op.A);
        Keep(SecondState, isFirst ? op.A : op.C);
        Keep(RoundWords, op.B);
        _asm.Emit(0x0F29, words, NeonSlot); // MOVAPS
        _asm.Emit(0x0F29, other, VectorPlace(SavedVector));
        LoadWhole(Scratch15, VectorPlace(SecondState), isAligned: true);
        ShufflePairs(Scratch15, VectorPlace(FirstState), inner);
        LoadWhole(other, VectorPlace(SecondState), isAligned: true);
        ShufflePairs(other, VectorPlace(FirstState), outer);
        LoadWhole(words, VectorPlace(RoundWords), isAligned: true);
        _asm.Emit(0x0F38CB, other, Operand.Of(Scratch15)); // SHA256RNDS2
        Vector66(1, 0x70, words, 0, Operand.Of(words)); // VPSHUFD
        _asm.Byte(upper);
        _asm.Emit(0x0F38CB, Scratch15, Operand.Of(other));
        ShufflePairs(Scratch15, Operand.Of(other), isFirst ? outer : inner);
        LoadWhole(other, VectorPlace(SavedVector), isAligned: true);
        LoadWhole(words, NeonSlot, isAligned: true);
    }

    private void Keep(int slot, int vector) => StoreWhole(VectorPlace(slot), UseVector(vector), isAligned: true);

    private void ShufflePairs(int host, in Operand second, int order)
    {
        _asm.EmitVex(1, 0, false, 0xC6, host, host, second); // VSHUFPS
        _asm.Byte(order);
    }
}
