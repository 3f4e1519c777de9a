using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>AES, SHA-1 and SHA-256 (Arm ARM, C4.1.96: "Cryptographic ...").</summary>
internal static class CipherLowering
{
    /// <summary>AES, or with bit 28 SHA of two registers.</summary>
    public static bool TryLowerTwo(Arm64Emitter emitter, SimdWord word)
    {
        if (word.U || !word.Q || word.Size != 0)
            return false;
        NeonCipher? operation = (word.IsScalar, word.Field(12, 5)) switch
        {
            (false, 4) => NeonCipher.AesEncrypt,
            (false, 5) => NeonCipher.AesDecrypt,
            (false, 6) => NeonCipher.AesMixColumns,
            (false, 7) => NeonCipher.AesInverseMixColumns,
            (true, 0) => NeonCipher.Sha1Rotate,
            (true, 1) => NeonCipher.Sha1Schedule1,
            (true, 2) => NeonCipher.Sha256Schedule0,
            _ => null,
        };
        return operation is { } found && Lower(emitter, found, word.Rd, word.Rn, word.Rd);
    }

    public static bool TryLowerThree(Arm64Emitter emitter, SimdWord word)
    {
        NeonCipher? operation = word.Field(12, 3) switch
        {
            0 => NeonCipher.Sha1Choose,
            1 => NeonCipher.Sha1Parity,
            2 => NeonCipher.Sha1Majority,
            3 => NeonCipher.Sha1Schedule0,
            4 => NeonCipher.Sha256Hash,
            5 => NeonCipher.Sha256Hash2,
            6 => NeonCipher.Sha256Schedule1,
            _ => null,
        };
        return operation is { } found && Lower(emitter, found, word.Rd, word.Rn, word.Rm);
    }

    private static bool Lower(Arm64Emitter emitter, NeonCipher operation, int d, int n, int m) =>
        emitter.Vectors(OpCode.NeonCipher, 4, d, n, m, d, (long)operation);
}
