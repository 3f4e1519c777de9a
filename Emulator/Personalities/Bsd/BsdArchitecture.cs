using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>What a BSD's user interface has of its own on an architecture: how calls arrive and return, contexts, signal frames, first registers.</summary>
internal abstract class BsdArchitecture
{
    public abstract Architecture Architecture { get; }

    /// <summary>EM_ of its programs.</summary>
    public abstract ushort ElfMachine { get; }

    // ---- calls ------------------------------------------------------------------------------------------------------

    /// <summary>Reads number and arguments; those that no register has, and are not on the stack either, are 0.</summary>
    /// <param name="tableBase">What is added to the system's own numbers.</param>
    /// <param name="argumentCount">From the table: how many arguments a call has.</param>
    public abstract void Decode(GuestThread thread, int tableBase, Func<int, int> argumentCount);

    /// <summary>Writes a value, or an error, which the carry flag tells apart.</summary>
    public abstract void Return(ref CpuState state, ulong value, bool isError);

    /// <summary>The call instruction is to be run again, with the registers as they were.</summary>
    public abstract void Rewind(GuestThread thread);

    /// <summary>Where a second result goes: of pipe(2), of fork(2).</summary>
    public abstract ref ulong SecondResult(ref CpuState state);

    public abstract ref ulong StackPointer(ref CpuState state);

    /// <summary>What thread-local storage is found by.</summary>
    public abstract ref ulong ThreadPointer(ref CpuState state);

    /// <summary>The registers as tracers see them.</summary>
    public abstract Tracing.BsdTraceLayout Trace { get; }

    // ---- programs and threads ---------------------------------------------------------------------------------------

    /// <summary>The processor as a new program finds it.</summary>
    /// <param name="start">The first instruction.</param>
    /// <param name="stack">Where argc is.</param>
    /// <param name="strings">struct ps_strings.</param>
    public void Start(GuestThread thread, ulong start, ulong stack, ulong strings)
    {
        thread.Cpu.Become(Architecture);
        ref CpuState state = ref thread.Cpu.State;
        state.Pc = start;
        SetFirstRegisters(ref state, stack, strings);
    }

    protected abstract void SetFirstRegisters(ref CpuState state, ulong stack, ulong strings);

    // ---- signals ----------------------------------------------------------------------------------------------------

    public abstract SignalInfo FaultSignal(GuestThread thread, in EngineExit exit);

    public abstract bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action);

    /// <summary>Bytes of a ucontext_t.</summary>
    public abstract int ContextSize { get; }

    /// <summary>getcontext(2): registers and mask as a ucontext_t; EFAULT.</summary>
    public abstract Errno SaveContext(GuestThread thread, GuestAddress address);

    /// <summary>setcontext(2) and sigreturn(2): EFAULT when the context cannot be read, EINVAL when it sets what no program may.</summary>
    public abstract Errno RestoreContext(GuestThread thread, GuestAddress address);

    /// <summary>Where a handler's frame ends: below the red zone, or the alternate stack's top.</summary>
    protected static ulong FrameTop(GuestThread thread, in SignalAction action, ulong stack, ulong redZone) =>
        action.UsesAlternateStack && thread.AlternateStackSize != 0 && !BsdStack.IsOn(thread, stack)
            ? thread.AlternateStack.Value + thread.AlternateStackSize
            : stack - redZone;
}
