using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Bsd.Tracing;

/// <summary>What a tracer sees of a thread's registers: struct reg, struct fpreg and struct dbreg of machine/reg.h.</summary>
internal abstract class BsdTraceLayout
{
    /// <summary>The most bytes of any of them.</summary>
    public const int Largest = 544;

    public abstract int GeneralSize { get; }

    public abstract int FloatSize { get; }

    /// <summary>0 where debug registers cannot be seen.</summary>
    public virtual int DebugSize => 0;

    /// <summary>Length of the instruction that makes a call.</summary>
    protected abstract ulong CallInstruction { get; }

    /// <summary>Writes the registers; <paramref name="counter"/> is where the program goes on.</summary>
    protected abstract void Read(GuestThread thread, ulong counter, Span<byte> set);

    /// <summary>Takes the registers; returns the program counter among them, or null when they hold what no program may set.</summary>
    protected abstract ulong? Write(GuestThread thread, ReadOnlySpan<byte> set);

    public abstract void ReadFloats(GuestThread thread, Span<byte> set);

    /// <summary>False when the set holds what the processor cannot.</summary>
    public abstract bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set);

    public virtual void ReadDebug(GuestThread thread, Span<byte> set) => set.Clear();

    public virtual bool WriteDebug(GuestThread thread, ReadOnlySpan<byte> set) => false;

    /// <summary>A call that a signal has interrupted is about to run again: the counter is at its instruction (ERESTART).</summary>
    private static bool IsInterrupted(Tracee tracee) => tracee.Thread.InCall && tracee.Stop?.Kind == TraceStopKind.Signal;

    private ulong Counter(Tracee tracee) => tracee.Thread.Cpu.State.Pc - (IsInterrupted(tracee) ? CallInstruction : 0);

    public void ReadGeneral(Tracee tracee, Span<byte> set)
    {
        set[..GeneralSize].Clear();
        Read(tracee.Thread, Counter(tracee), set);
    }

    /// <summary>EINVAL when the set holds what no program may set.</summary>
    public Errno WriteGeneral(Tracee tracee, ReadOnlySpan<byte> set)
    {
        Span<byte> before = stackalloc byte[Largest];
        ReadGeneral(tracee, before);
        if (set.SequenceEqual(before[..GeneralSize]))
            return Errno.None;
        GuestThread thread = tracee.Thread;
        ulong old = thread.Cpu.State.Pc;
        bool runsAgain = IsInterrupted(tracee);
        if (Write(thread, set) is not { } counter)
            return Errno.EINVAL;
        thread.Cpu.State.Pc = counter;
        if (thread.InCall && tracee.Stop?.Kind == TraceStopKind.CallEntry)
            thread.Process.Personality.Decode(thread);
        else if (thread.InCall && (runsAgain || (tracee.Stop is null && counter != old)))
            thread.DropCall();
        return Errno.None;
    }

    /// <summary>The program goes on elsewhere.</summary>
    public void SetCounter(Tracee tracee, ulong counter)
    {
        GuestThread thread = tracee.Thread;
        if (thread.InCall && tracee.Stop?.Kind is null or TraceStopKind.Signal)
            thread.DropCall();
        thread.Cpu.State.Pc = counter;
    }

    protected static Span<ulong> Words(Span<byte> set) => MemoryMarshal.Cast<byte, ulong>(set);

    protected static ReadOnlySpan<ulong> Words(ReadOnlySpan<byte> set) => MemoryMarshal.Cast<byte, ulong>(set);
}
