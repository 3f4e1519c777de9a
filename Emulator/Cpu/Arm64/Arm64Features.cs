namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>What the processor says of itself to programs; what works, and nothing else.</summary>
internal static class Arm64Features
{
    /// <summary>MIDR_EL1: implementer 0, which the manual reserves for software, variant 0, architecture 15 (see the ID registers), part 0x051, revision 0 (D19.2).</summary>
    public const ulong MainId = 0x000F_0510;

    /// <summary>ID_AA64PFR0_EL1: AArch64 at EL0 and EL1; floating point and Advanced SIMD are 0, without half-precision arithmetic.</summary>
    public const ulong ProcessorFeatures = 0x11;

    /// <summary>ID_AA64ISAR0_EL1: AES (bits 7:4: 2 is PMULL too), SHA1 (11:8), SHA2 (15:12), CRC32 (19:16), Atomic (23:20: 2 is LSE).</summary>
    public const ulong InstructionSet = (2ul << 4) | (1ul << 8) | (1ul << 12) | (1ul << 16) | (2ul << 20);

    // AT_HWCAP (asm/hwcap.h).
    private const ulong FloatingPoint = 1, AdvancedSimd = 2, Ciphers = 0x78, Crc32 = 1 << 7, Atomics = 1 << 8, CpuId = 1 << 11;

    public const ulong Capabilities = FloatingPoint | AdvancedSimd | Ciphers | Crc32 | Atomics | CpuId;

    /// <summary>The same as /proc/cpuinfo has it.</summary>
    public const string Names = "fp asimd aes pmull sha1 sha2 crc32 atomics cpuid";
}
