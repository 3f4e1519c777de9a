using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>
/// Where RISC-V's state is in <see cref="CpuState"/>: x1..x31 in the slots of their numbers, slot 0 never used; f0..f31 in the vectors,
/// those that programs use most first, since these have host registers. The accrued exceptions are MXCSR's flags, and its rounding
/// control follows frm as far as it can.
/// </summary>
internal static class RiscVState
{
    public const int ReturnAddress = 1;
    public const int StackPointer = 2;
    public const int ThreadPointer = 4;
    public const int A0 = 10;
    public const int A7 = 17;

    /// <summary>The address that a load reserved, or all ones; the value loaded is in the next slot.</summary>
    public const byte Reservation = 32;

    /// <summary>frm, 3 bits.</summary>
    public const int RoundingSlot = 34;

    private const int RoundingControl = 13;

    /// <summary>fa0..fa7, ft0..ft6, then the others; the one vector that never has a host register is ft11.</summary>
    private static ReadOnlySpan<byte> Vectors =>
    [
        8, 9, 10, 11, 12, 13, 14, 31, 16, 17, 0, 1, 2, 3, 4, 5, 6, 7, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 15,
    ];

    /// <summary>The vector that holds a floating-point register.</summary>
    public static byte VectorOf(int register) => Vectors[register];

    /// <summary>x0, which cannot be written, reads as zero.</summary>
    public static ulong Read(in CpuState state, int register) => register == 0 ? 0 : state.Registers[register];

    /// <summary>fcsr: rounding mode in bits 7:5, accrued exceptions NV DZ OF UF NX in bits 4:0 (unprivileged ISA, 12.2).</summary>
    public static uint GetControl(in CpuState state) => ((uint)state.Registers[RoundingSlot] << 5) | FlagsOf(state.Mxcsr);

    public static void SetControl(ref CpuState state, uint value)
    {
        uint mode = (value >> 5) & 7;
        state.Registers[RoundingSlot] = mode;
        uint control = mode < 4 ? (uint)ModeOf(mode) << RoundingControl : 0;
        state.Mxcsr = (state.Mxcsr & ~(0x3Fu | (3u << RoundingControl))) | HostFlagsOf(value) | control;
    }

    /// <summary>MXCSR has invalid in bit 0, then denormal, divide by zero, overflow, underflow, inexact.</summary>
    public static uint FlagsOf(uint control) =>
        ((control & 1) << 4) | ((control & 4) << 1) | ((control & 8) >> 1) | ((control & 0x10) >> 3) | ((control & 0x20) >> 5);

    /// <summary>The inverse.</summary>
    public static uint HostFlagsOf(uint flags) =>
        ((flags >> 4) & 1) | ((flags >> 1) & 4) | ((flags << 1) & 8) | ((flags << 3) & 0x10) | ((flags << 5) & 0x20);

    /// <summary>frm's RNE, RTZ, RDN, RUP, RMM.</summary>
    public static RoundingMode ModeOf(uint mode) => mode switch
    {
        0 => RoundingMode.NearestEven,
        1 => RoundingMode.TowardZero,
        2 => RoundingMode.Down,
        3 => RoundingMode.Up,
        _ => RoundingMode.NearestAway,
    };

    public static ExecutionMode ModeOf(in CpuState state) => new(Architecture.RiscV64, state.Registers[RoundingSlot] switch
    {
        0 => 0,
        <= 3 => ExecutionMode.OtherRounding,
        _ => ExecutionMode.Interpreted,
    });
}
