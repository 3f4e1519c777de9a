using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Signals;

/// <summary>The signals that faults of instructions raise, with the codes that all systems share (sigaction(2), siginfo(3)).</summary>
internal static class FaultSignals
{
    private const int NotMapped = 1, NoAccess = 2, BeyondEnd = 2, Lost = 4;

    /// <summary>TRAP_TRACE of SIGTRAP: one instruction was run for a tracer.</summary>
    public const int Stepped = 2;

    /// <summary>With what a lost page is the size of it behind the address (si_addr_lsb).</summary>
    public static SignalInfo OfMemory(in MemoryFault fault)
    {
        const int pageShift = 12;
        return fault.Kind switch
        {
            FaultKind.BeyondEnd => Of(Signal.Bus, BeyondEnd, fault.Address.Value),
            FaultKind.Poisoned => Of(Signal.Bus, Lost, fault.Address.Value) with { Detail = pageShift },
            FaultKind.Protection => Of(Signal.Segment, NoAccess, fault.Address.Value),
            _ => Of(Signal.Segment, NotMapped, fault.Address.Value),
        };
    }

    /// <param name="address">What si_addr tells.</param>
    public static SignalInfo Of(int signal, int code, ulong address) => new(signal, code) { IsFault = true, Value = address };
}
