using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>
/// Where AArch64's SIMD and floating-point state is in <see cref="CpuState"/>: v0..v31 in the vectors, those that programs use most first,
/// since these have host registers; FPCR in a slot, and FPSR in a slot and MXCSR together. While guest code runs MXCSR has the invalid
/// exception unmasked: whatever makes a NaN of none, or quiets a signalling one, stops translated code and is done by the interpreter,
/// which knows AArch64's rules; of what remains the host's results are AArch64's. So MXCSR's own invalid flag means nothing.
/// </summary>
internal static class SimdState
{
    public const int ControlSlot = 62;

    /// <summary>The flags that the interpreter raised.</summary>
    public const int StatusSlot = 63;

    /// <summary>MXCSR of a new program: all masked but invalid.</summary>
    public const uint InitialMxcsr = 0x1F00;

    /// <summary>FPSR: cumulative invalid, divide by zero, overflow, underflow, inexact, denormal input; saturation.</summary>
    public const uint Invalid = 1;
    public const uint InputDenormal = 1u << 7;
    public const uint Saturated = 1u << 27;
    private const uint StatusBits = 0x1F | InputDenormal | Saturated;

    /// <summary>FPCR: rounding mode in two bits, flush to zero, default NaN, the alternative half-precision format.</summary>
    private const int RoundingShift = 22;
    public const uint FlushToZero = 1u << 24;
    public const uint DefaultNaN = 1u << 25;
    public const uint AlternativeHalf = 1u << 26;
    private const uint ControlBits = (3u << RoundingShift) | FlushToZero | DefaultNaN | AlternativeHalf;

    private const uint HostFlags = 0x3F;
    private const int HostRoundingShift = 13;

    /// <summary>v0..v7, v16..v22, which have host registers, then the others.</summary>
    private static ReadOnlySpan<byte> Vectors =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 19, 20, 21, 22, 8, 9, 10, 11, 12, 13, 14, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    /// <summary>The vector that holds a register.</summary>
    public static byte VectorOf(int register) => Vectors[register];

    public static uint GetControl(in CpuState state) => (uint)state.Registers[ControlSlot];

    /// <summary>Writes FPCR; exceptions are never trapped, so their enables stay clear.</summary>
    public static void SetControl(ref CpuState state, uint value)
    {
        state.Registers[ControlSlot] = value & ControlBits;
        state.Mxcsr = (state.Mxcsr & ~(3u << HostRoundingShift)) | ((uint)RoundingOf(value) << HostRoundingShift);
    }

    public static uint GetStatus(in CpuState state)
    {
        uint host = state.Mxcsr;
        return (uint)state.Registers[StatusSlot] | ((host >> 1) & 0x1E);
    }

    public static void SetStatus(ref CpuState state, uint value)
    {
        state.Registers[StatusSlot] = value & StatusBits;
        state.Mxcsr &= ~HostFlags;
    }

    /// <summary>FPCR's RN, RP, RM, RZ.</summary>
    public static RoundingMode RoundingOf(uint control) => ((control >> RoundingShift) & 3) switch
    {
        0 => RoundingMode.NearestEven,
        1 => RoundingMode.Up,
        2 => RoundingMode.Down,
        _ => RoundingMode.TowardZero,
    };

    /// <summary>The mode of code under the present FPCR.</summary>
    public static ExecutionMode ModeOf(in CpuState state) => new(Architecture.Arm64, GetControl(state) switch
    {
        0 => 0,
        uint control when (control & ~(3u << RoundingShift)) == 0 => ExecutionMode.OtherRounding,
        _ => ExecutionMode.Interpreted,
    });

    /// <summary>AT_HWCAP's bits of what is here: FP, ASIMD, AES, PMULL, SHA1, SHA2 (Linux, Documentation/arm64/elf_hwcaps.rst).</summary>
    public const ulong HardwareCapabilities = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6);
}
