using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>Linux on AArch64 (Documentation/arch/arm64): the number in x8, arguments from x0 on, the result in x0.</summary>
internal sealed class Arm64Architecture : LinuxArchitecture
{
    private const int CallInstruction = 4;
    private const int NumberRegister = 8;
    private const ushort Machine = 183;

    private readonly Lazy<byte[]> _vdso = new(static () => VdsoImage.Build(Machine, "LINUX_2.6.39", hasPlainNames: false,
        ("__kernel_rt_sigreturn", [.. Arm64Vdso.SignalReturn]), ("__kernel_clock_gettime", [.. Arm64Vdso.ClockGettime])));

    public override Architecture Architecture => Architecture.Arm64;

    public override ushort ElfMachine => Machine;

    public override string MachineName => "aarch64";

    public override uint AuditArchitecture => 0xC00000B7;

    public override ulong Capabilities => Arm64Features.Capabilities;

    /// <summary>The frame, the frame record above it, and 16 bytes.</summary>
    public override ulong MinimumSignalStack => 4720;

    public override string ProcessorText =>
        $"processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: {Arm64Features.Names}\nCPU implementer\t: 0x00\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0x051\nCPU revision\t: 0\n\n";

    public override ReadOnlyMemory<byte> Vdso => _vdso.Value;

    public override void Decode(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments = stackalloc ulong[6];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = state.Registers[i];
        int number = unchecked((int)(uint)state.Registers[NumberRegister]);
        if (FlagArgument(number, arguments[1]) is { } flags)
            arguments[flags] = OpenFlags((uint)arguments[flags]);
        thread.Call.Begin(LinuxTable.FromArm64(number), arguments);
    }

    /// <summary>The argument of a call that has O_ flags: they are the table's from here on, for listings too. openat2(2) has them in memory.</summary>
    private static int? FlagArgument(int number, ulong second)
    {
        const int control = 25, openAt = 56, pipe = 59, initializeNotification = 262, openByHandle = 265;
        const ulong setFlags = 4;
        return number switch
        {
            openAt or openByHandle => 2,
            pipe or initializeNotification => 1,
            control when second == setFlags => 2,
            _ => null,
        };
    }

    public override int NativeNumber(int number) => LinuxTable.ToArm64(number);

    public override void Return(ref CpuState state, ulong value) => state.Registers[0] = value;

    public override void Rewind(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        state.Pc -= CallInstruction;
        state.Registers[0] = thread.Call.Arguments[0];
    }

    public override TraceLayout? Trace => Arm64TraceLayout.Instance;

    public override ref ulong StackPointer(ref CpuState state) => ref state.Registers[Arm64State.StackPointer];

    public override ref ulong ThreadPointer(ref CpuState state) => ref state.Registers[Arm64State.ThreadPointer];

    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => Arm64SignalFrame.Enter(thread, info, action);

    public override bool LeaveHandler(GuestThread thread) => Arm64SignalFrame.Leave(thread);

    /// <summary>O_DIRECTORY and O_NOFOLLOW have each other's places with O_DIRECT and O_LARGEFILE (asm/fcntl.h).</summary>
    public override uint OpenFlags(uint flags)
    {
        const uint pair = 0xC000;
        const int distance = 2;
        return (flags & ~(pair | (pair << distance))) | ((flags & pair) << distance) | ((flags >> distance) & pair);
    }

    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit)
    {
        ulong pc = thread.Cpu.State.Pc;
        const int illegalOpcode = 1, breakpoint = 1, badAlignment = 1;
        return exit.Reason switch
        {
            ExitReason.MemoryFault => FaultSignals.OfMemory(exit.Fault),
            ExitReason.Breakpoint => FaultSignals.Of(Signal.Trap, breakpoint, pc),
            ExitReason.Misaligned => FaultSignals.Of(Signal.Bus, badAlignment, MisalignedAddress(thread)),
            _ => FaultSignals.Of(Signal.Illegal, illegalOpcode, pc),
        };
    }

    /// <summary>What is not aligned: the program counter, or the base register of the exclusive or atomic access there.</summary>
    private static ulong MisalignedAddress(GuestThread thread)
    {
        const int tagBits = 8;
        ref CpuState state = ref thread.Cpu.State;
        if ((state.Pc & 3) != 0 || !thread.Process.Memory.TryRead(new GuestAddress(state.Pc), out uint word))
            return state.Pc;
        return (ulong)((long)(state.Registers[(int)(word >> 5) & 31] << tagBits) >> tagBits);
    }
}
