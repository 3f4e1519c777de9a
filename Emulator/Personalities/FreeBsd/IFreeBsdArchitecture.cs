using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>What FreeBSD alone asks of an architecture.</summary>
internal interface IFreeBsdArchitecture
{
    /// <summary>hw.machine.</summary>
    string MachineName { get; }

    /// <summary>hw.machine_arch.</summary>
    string MachineArchitecture { get; }

    /// <summary>AT_HWCAP.</summary>
    ulong Capabilities { get; }

    /// <summary>
    /// What a signal handler returns to (sigcode). It calls the handler, whose address is in the frame, where it has to be called, and then
    /// sigreturn(2) with the frame's context.
    /// </summary>
    ReadOnlySpan<byte> SignalCode { get; }

    /// <summary>A new thread's registers, as if its start had been called (cpu_set_upcall).</summary>
    /// <param name="top">The end of its stack.</param>
    void SetThreadStart(ref CpuState state, ulong start, ulong argument, ulong top);
}
