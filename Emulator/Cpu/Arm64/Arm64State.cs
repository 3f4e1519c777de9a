using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>
/// Where AArch64's state is in <see cref="CpuState"/>: x0..x30 and the stack pointer in the slots of their numbers, v0..v31 in the
/// vectors, those that programs use most first, since these have host registers. N, Z and V are x86's sign, zero and overflow; the carry flag
/// there is the inverse of C, as it is after a subtraction, so that comparisons and all conditions need no more than x86's own. The cumulative
/// exceptions of FPSR are MXCSR's flags and those in a slot, and MXCSR's rounding control follows FPCR. MXCSR has the invalid exception unmasked:
/// whatever makes a NaN of none, or quiets a signalling one, stops translated code and is done by the interpreter, which knows AArch64's rules; of
/// what remains the host's results are AArch64's. So MXCSR's own invalid flag means nothing.
/// </summary>
internal static class Arm64State
{
    public const int LinkRegister = 30;
    public const byte StackPointer = 31;

    /// <summary>The address that an exclusive load marked, or all ones; what it loaded is in the next slot, and of a pair of 64 bits in the one behind.</summary>
    public const byte Monitor = 32;
    public const byte MonitorValue = 33;
    public const byte MonitorHighValue = 34;

    /// <summary>TPIDR_EL0.</summary>
    public const byte ThreadPointer = 35;

    /// <summary>FPCR, and the bits of FPSR that MXCSR has not or that the interpreter raised.</summary>
    public const byte ControlSlot = 36;
    public const byte StatusSlot = 37;

    /// <summary>The flags in x86's places.</summary>
    public const ulong FlagBits = Alu.Sign | Alu.Zero | Alu.Carry | Alu.Overflow;

    // FPCR (Arm ARM, C5.2.8): AHP, DN, FZ and the rounding mode.
    public const uint AlternativeHalf = 1u << 26;
    public const uint DefaultNaN = 1u << 25;
    public const uint FlushToZero = 1u << 24;
    public const int RoundingShift = 22;
    private const uint ControlBits = AlternativeHalf | DefaultNaN | FlushToZero | (3u << RoundingShift);

    /// <summary>FPSR (C5.2.9): flags of AArch32, QC and IDC, which live in <see cref="StatusSlot"/>.</summary>
    public const uint Saturated = 1u << 27;
    public const uint InputDenormal = 1u << 7;
    private const uint StatusBits = 0xF000_0000 | Saturated | InputDenormal | 0x1F;

    /// <summary>MXCSR of a new program: every exception masked but invalid.</summary>
    public const uint InitialMxcsr = 0x1F00;

    private const int HostRounding = 13;

    /// <summary>v0..v7 and v16..v22, then the others.</summary>
    private static ReadOnlySpan<byte> Vectors =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 19, 20, 21, 22, 8, 9, 10, 11, 12, 13, 14, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    /// <summary>The vector that holds a SIMD and floating-point register.</summary>
    public static byte VectorOf(int register) => Vectors[register];

    /// <summary>NZCV in bits 31:28.</summary>
    public static uint GetFlags(in CpuState state)
    {
        ulong flags = state.Flags;
        return ((flags & Alu.Sign) != 0 ? 1u << 31 : 0) | ((flags & Alu.Zero) != 0 ? 1u << 30 : 0)
            | ((flags & Alu.Carry) == 0 ? 1u << 29 : 0) | ((flags & Alu.Overflow) != 0 ? 1u << 28 : 0);
    }

    public static void SetFlags(ref CpuState state, uint value) => state.Flags = (state.Flags & ~FlagBits) | HostFlags(value >> 28);

    /// <summary>Four bits NZCV as x86's flags.</summary>
    public static ulong HostFlags(uint flags) =>
        ((flags & 8) != 0 ? Alu.Sign : 0) | ((flags & 4) != 0 ? Alu.Zero : 0) | ((flags & 2) == 0 ? Alu.Carry : 0) | ((flags & 1) != 0 ? Alu.Overflow : 0);

    public static uint GetControl(in CpuState state) => (uint)state.Registers[ControlSlot];

    public static void SetControl(ref CpuState state, uint value)
    {
        state.Registers[ControlSlot] = value & ControlBits;
        state.Mxcsr = (state.Mxcsr & ~(3u << HostRounding)) | ((uint)RoundingOf(value) << HostRounding);
    }

    /// <summary>FPCR's RN, RP, RM, RZ.</summary>
    public static RoundingMode RoundingOf(uint control) => ((control >> RoundingShift) & 3) switch
    {
        0 => RoundingMode.NearestEven,
        1 => RoundingMode.Up,
        2 => RoundingMode.Down,
        _ => RoundingMode.TowardZero,
    };

    /// <summary>MXCSR's divide by zero, overflow, underflow and inexact are one place higher.</summary>
    public static uint GetStatus(in CpuState state) => (uint)state.Registers[StatusSlot] | ((state.Mxcsr >> 1) & 0x1E);

    public static void SetStatus(ref CpuState state, uint value)
    {
        state.Registers[StatusSlot] = value & StatusBits;
        state.Mxcsr &= ~0x3Fu;
    }

    public static ExecutionMode ModeOf(in CpuState state)
    {
        uint control = (uint)state.Registers[ControlSlot];
        byte variant = control == 0 ? (byte)0
            : (control & (AlternativeHalf | DefaultNaN | FlushToZero)) != 0 ? ExecutionMode.Interpreted
            : ExecutionMode.OtherRounding;
        return new ExecutionMode(Architecture.Arm64, variant);
    }
}
