using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu;

/// <summary>Why an engine stopped. The program counter is where the guest goes on, unless said otherwise.</summary>
public enum ExitReason : byte
{
    /// <summary>The budget is spent.</summary>
    Budget,

    /// <summary>A system call instruction ran; the program counter is behind it.</summary>
    SystemCall,

    /// <summary>A memory access faulted; the program counter is the faulting instruction and registers are as before it.</summary>
    MemoryFault,

    /// <summary>An undefined or unsupported instruction (SIGILL); the program counter is at it.</summary>
    InvalidInstruction,

    /// <summary>A privileged instruction or a segment or canonical violation (#GP: SIGSEGV, SI_KERNEL).</summary>
    GeneralProtection,

    /// <summary>int3 (SIGTRAP); the program counter is behind it.</summary>
    Breakpoint,

    /// <summary>Single step (RFLAGS.TF) done (SIGTRAP).</summary>
    SingleStep,

    /// <summary>A debug register's address was met (SIGTRAP).</summary>
    DebugRegister,

    /// <summary>Integer divide error (SIGFPE, FPE_INTDIV).</summary>
    DivideError,

    /// <summary>An unmasked SIMD or x87 exception (SIGFPE).</summary>
    FloatingPoint,

    /// <summary>An access that must be aligned and is not (SIGBUS, BUS_ADRALN).</summary>
    Misaligned,
}

/// <summary>What an engine's run ended with. Two whole words, so that it stays in registers from the engine to whoever asks.</summary>
public readonly struct EngineExit(ExitReason reason, MemoryFault fault = default) : IEquatable<EngineExit>
{
    private const int AccessAt = 8, KindAt = 16;

    private readonly ulong _reason = (ulong)reason | ((ulong)fault.Access << AccessAt) | ((ulong)fault.Kind << KindAt);
    private readonly ulong _address = fault.Address.Value;

    public ExitReason Reason => (ExitReason)(byte)_reason;

    public MemoryFault Fault => new(new GuestAddress(_address), (MemoryAccess)(byte)(_reason >> AccessAt), (FaultKind)(byte)(_reason >> KindAt));

    public bool Equals(EngineExit other) => _reason == other._reason && _address == other._address;

    public override bool Equals(object? other) => other is EngineExit exit && Equals(exit);

    public override int GetHashCode() => HashCode.Combine(_reason, _address);

    public override string ToString() => $"{Reason} {Fault}";

    public static bool operator ==(EngineExit left, EngineExit right) => left.Equals(right);

    public static bool operator !=(EngineExit left, EngineExit right) => !left.Equals(right);
}

/// <summary>
/// What an engine did since the process began, for all worlds: blocks translated and their host bytes, exits of blocks that found
/// a translation, jumps made to go from block to block directly, instructions left to the interpreter, evictions.
/// </summary>
public readonly record struct EngineStatistics(long Blocks, long Bytes, long Hits, long ChainedJumps, long Interpreted, long Evictions)
{
    public static EngineStatistics operator -(EngineStatistics now, EngineStatistics before) => new(
        now.Blocks - before.Blocks, now.Bytes - before.Bytes, now.Hits - before.Hits,
        now.ChainedJumps - before.ChainedJumps, now.Interpreted - before.Interpreted, now.Evictions - before.Evictions);
}

/// <summary>Runs guest code until it must stop. Never calls the kernel (house rule 3).</summary>
public interface IEngine
{
    /// <summary>
    /// Runs up to <paramref name="budget"/> instructions, give or take a block, and subtracts those retired from it. Also adds them
    /// to <see cref="GuestCpu.Instructions"/>.
    /// </summary>
    EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget);

    /// <summary>Counters of an engine that translates; none for others.</summary>
    EngineStatistics Statistics => default;
}
