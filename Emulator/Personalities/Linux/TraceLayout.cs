using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>What a tracer sees of a thread's registers on one architecture (ptrace(2), PTRACE_GETREGSET).</summary>
internal abstract class TraceLayout
{
    /// <summary>The most bytes of either set.</summary>
    public const int Largest = 544;

    /// <summary>PTRACE_GETREGS and its like, and the user area of PTRACE_PEEKUSER: older architectures have them, with the layout of x86-64.</summary>
    public virtual bool HasUserArea => false;

    /// <summary>PTRACE_SINGLESTEP.</summary>
    public virtual bool CanStep => false;

    /// <summary>Bytes of the set NT_PRSTATUS: struct user_regs_struct.</summary>
    public abstract int GeneralSize { get; }

    /// <summary>Bytes of the set NT_PRFPREG.</summary>
    public abstract int FloatSize { get; }

    /// <summary>Bytes of a register of the floating-point set: tracers give room for whole ones.</summary>
    public virtual int FloatItem => sizeof(ulong);

    /// <summary>A further set, by the type of its note in core files; null = the processor has it not.</summary>
    public virtual TraceSet? FindSet(int type) => null;

    /// <summary>The floating-point set can be written as a whole only.</summary>
    public virtual bool HasWholeFloats => false;

    public abstract void ReadGeneral(Tracee tracee, Span<byte> set);

    public abstract void WriteGeneral(Tracee tracee, ReadOnlySpan<byte> set);

    public abstract void ReadFloats(GuestThread thread, Span<byte> set);

    /// <summary>False when the set holds what the processor cannot.</summary>
    public abstract bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set);

    /// <summary>Where the program goes on, as the tracer sees it.</summary>
    public virtual ulong Counter(Tracee tracee) => tracee.Thread.Cpu.State.Pc;

    /// <summary>A finished call's value, or negated error.</summary>
    public abstract ulong Result(in CpuState state);
}
