using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu;

/// <summary>What an exit with <see cref="ExitReason.FloatingPoint"/> was for.</summary>
public static class FloatTrap
{
    /// <summary>
    /// The unmasked exceptions that are raised: SSE's, else x87's. A signal names the first of invalid, divide by zero, overflow,
    /// underflow or denormal, inexact.
    /// </summary>
    public static FloatFlags Causes(in CpuState state)
    {
        var vector = state.Mxcsr & ~(state.Mxcsr >> 7) & (uint)FloatFlags.All;
        return (FloatFlags)(vector != 0 ? vector : (uint)(state.X87.Status & ~state.X87.Control) & (uint)FloatFlags.All);
    }
}
