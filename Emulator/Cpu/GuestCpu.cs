using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Cpu;

/// <summary>The instruction set a guest thread runs.</summary>
public enum Architecture : byte
{
    X64,
    Arm64,
    RiscV64,
}

/// <summary>
/// A time stamp counter. Translated code reads it by itself where it can: by a function of the host's, called as clock_gettime(CLOCK_MONOTONIC),
/// whose nanoseconds plus an offset it is.
/// </summary>
/// <param name="Read">Its value.</param>
/// <param name="Function">The function's address, or 0.</param>
/// <param name="Offset">What is added to its nanoseconds.</param>
/// <param name="Counter">What tells the function's nanoseconds in a quarter of the time; null = nothing.</param>
public sealed record TimeStampCounter(Func<ulong> Read, nint Function, long Offset, CounterClock? Counter = null);

/// <summary>One guest thread's processor: plain data, copied by fork and clone.</summary>
public sealed class GuestCpu
{
    // Translated code is given its address for a turn.
    private readonly CpuState[] _state = new CpuState[1];

    public GuestCpu(Architecture architecture)
    {
        Architecture = architecture;
        SetInitial();
    }

    private GuestCpu(GuestCpu original)
    {
        Architecture = original.Architecture;
        TimeStamp = original.TimeStamp;
        HidesTimeStamp = original.HidesTimeStamp;
        Ports = original.Ports;
        _state[0] = original._state[0];
    }

    /// <summary>The registers as a new program finds them.</summary>
    public void Reset()
    {
        _state[0] = default;
        SetInitial();
    }

    private void SetInitial()
    {
        _state[0].Mxcsr = Architecture == Architecture.Arm64 ? Arm64.Arm64State.InitialMxcsr : 0x1F80;
        _state[0].X87.Control = 0x037F;
        // AArch64's C is clear: it is the inverse of carry.
        _state[0].Flags = Architecture == Architecture.Arm64 ? 0x203u : 0x202;
    }

    public Architecture Architecture { get; private set; }

    /// <summary>The lowering that fits the present state.</summary>
    public ExecutionMode Mode
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Architecture == Architecture.X64 ? new ExecutionMode(Architecture.X64) : OtherMode;
    }

    private ExecutionMode OtherMode => Architecture switch
    {
        Architecture.RiscV64 => RiscV.RiscVState.ModeOf(_state[0]),
        Architecture.Arm64 => Arm64.Arm64State.ModeOf(_state[0]),
        _ => new ExecutionMode(Architecture),
    };

    /// <summary>The processor of a new program for another instruction set. Registers are as after <see cref="Reset"/>.</summary>
    public void Become(Architecture architecture)
    {
        HidesTimeStamp &= architecture == Architecture;
        Architecture = architecture;
        Reset();
    }

    public ref CpuState State
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref MemoryMarshal.GetArrayDataReference(_state);
    }

    /// <summary>Instructions retired by this thread.</summary>
    public ulong Instructions { get; set; }

    /// <summary>What the time stamp counter says: a clock of the world's, or else instructions retired.</summary>
    public TimeStampCounter? TimeStamp { get; init; }

    /// <summary>Reading the time stamp counter is a general protection fault (CR4.TSD; SDM Vol. 3, 2.5).</summary>
    public bool HidesTimeStamp { get; set; }

    /// <summary>The time stamp counter that its program may read.</summary>
    internal TimeStampCounter? VisibleTimeStamp => HidesTimeStamp ? null : TimeStamp;

    /// <summary>The I/O ports that its program may use; null = none.</summary>
    public PortPermissions? Ports { get; set; }

    public GuestCpu Clone() => new(this);
}
