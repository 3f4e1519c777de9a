namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Scalar floating point and Advanced SIMD, with their loads and stores (Arm ARM, C4.1.95 and on).</summary>
internal static class SimdLowering
{
    /// <summary>Lowers an instruction; false when it is undefined.</summary>
    public static bool TryLower(Arm64Emitter emitter, uint word) => false;
}
