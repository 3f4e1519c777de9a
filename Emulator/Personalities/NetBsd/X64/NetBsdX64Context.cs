using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.NetBsd.X64;

/// <summary>ucontext_t of amd64: what getcontext(2) tells, setcontext(2) and _lwp_create(2) take, and a signal frame holds.</summary>
[StructLayout(LayoutKind.Sequential, Size = 784)]
internal struct NetBsdX64Context
{
    public const uint HasMask = 1, HasStack = 2, HasRegisters = 4, HasFloatingPoint = 8, HasTls = 0x80000;
    private const ulong UserCode = 0x47, UserData = 0x3F;

    public uint Flags;
    private uint _padding;
    public ulong Link;
    public BsdSigSet Mask;
    public BsdStack Stack;
    public GeneralRegisters General;
    public ulong TlsBase;
    public FloatingPointBytes FloatingPoint;

    public static NetBsdX64Context Of(GuestThread thread, SignalSet mask)
    {
        ref CpuState state = ref thread.Cpu.State;
        var context = new NetBsdX64Context
        {
            Flags = HasMask | HasRegisters | HasFloatingPoint | HasTls,
            Mask = BsdSigSet.Of(mask, NetBsdPersonality.Instance.Numbers),
            Stack = BsdStack.Of(thread, state.Registers[X64Registers.Rsp]),
            TlsBase = state.FsBase,
        };
        WriteGeneral(thread, context.General);
        FxImage.Write(state, context.FloatingPoint);
        return context;
    }

    /// <summary>EINVAL when it sets what no program may.</summary>
    public readonly Errno RestoreTo(GuestThread thread, ulong restorableFlags)
    {
        ref CpuState state = ref thread.Cpu.State;
        if ((Flags & HasFloatingPoint) != 0 && !FxImage.TryRead(ref state, FloatingPoint))
            return Errno.EINVAL;
        if ((Flags & HasRegisters) != 0)
        {
            ReadOnlySpan<ulong> general = General;
            ReadGeneral(ref state, general);
            state.Pc = general[Counter];
            state.Flags = (state.Flags & ~restorableFlags) | (general[FlagsWord] & restorableFlags);
        }
        if ((Flags & HasTls) != 0)
            state.FsBase = TlsBase;
        if ((Flags & HasMask) != 0)
            thread.Blocked = Mask.ToNeutral(NetBsdPersonality.Instance.Numbers) & ~Signal.Unstoppable;
        return Errno.None;
    }

    /// <summary>_REG_RIP and _REG_RFLAGS.</summary>
    public const int Counter = 21, FlagsWord = 23;

    private const int CodeSegment = 22, StackPointer = 24, StackSegment = 25;

    /// <summary>The registers in the order of _REG_, with the last trap of the thread.</summary>
    public static void WriteGeneral(GuestThread thread, Span<ulong> general)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Order.Length; i++)
            general[i] = state.Registers[Order[i]];
        general[19] = (ulong)thread.Trap.Number;
        general[20] = thread.Trap.Error;
        general[Counter] = state.Pc;
        general[CodeSegment] = UserCode;
        general[FlagsWord] = state.Flags;
        general[StackPointer] = state.Registers[X64Registers.Rsp];
        general[StackSegment] = UserData;
    }

    /// <summary>Takes the registers but for program counter and flags.</summary>
    public static void ReadGeneral(ref CpuState state, ReadOnlySpan<ulong> general)
    {
        for (int i = 0; i < Order.Length; i++)
            state.Registers[Order[i]] = general[i];
        state.Registers[X64Registers.Rsp] = general[StackPointer];
    }

    public static bool HasUserSegments(ReadOnlySpan<ulong> general) => general[CodeSegment] == UserCode && general[StackSegment] == UserData;

    /// <summary>The first of _REG_ (machine/mcontext.h); segments, trap, RIP, flags and RSP follow.</summary>
    private static ReadOnlySpan<int> Order =>
    [
        X64Registers.Rdi, X64Registers.Rsi, X64Registers.Rdx, X64Registers.Rcx, X64Registers.R8, X64Registers.R9, X64Registers.R10, X64Registers.R11,
        X64Registers.R12, X64Registers.R13, X64Registers.R14, X64Registers.R15, X64Registers.Rbp, X64Registers.Rbx, X64Registers.Rax,
    ];
}

[InlineArray(26)]
internal struct GeneralRegisters
{
    private ulong _first;
}

[InlineArray(FxImage.Length)]
internal struct FloatingPointBytes
{
    private byte _first;
}
