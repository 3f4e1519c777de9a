using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.RiscV64;

/// <summary>Linux on RISC-V (RISC-V ABIs Specification; Documentation/arch/riscv): the number in a7, arguments from a0 on, the result in a0.</summary>
internal sealed class RiscV64Architecture : LinuxArchitecture
{
    private const int CallInstruction = 4;
    private const ushort Machine = 243;

    private readonly Lazy<byte[]> _vdso = new(static () => VdsoImage.Build(Machine, "LINUX_4.15", hasPlainNames: false,
        ("rt_sigreturn", [.. RiscV64Vdso.SignalReturn]), ("clock_gettime", [.. RiscV64Vdso.ClockGettime]), ("getcpu", [.. RiscV64Vdso.Getcpu]),
        ("flush_icache", [.. RiscV64Vdso.FlushIcache]), ("riscv_hwprobe", RiscV64Vdso.Hwprobe())));

    public override Architecture Architecture => Architecture.RiscV64;

    public override ushort ElfMachine => Machine;

    public override string MachineName => "riscv64";

    /// <summary>The kernel gives none.</summary>
    public override string? Platform => null;

    public override uint AuditArchitecture => 0xC00000F3;

    /// <summary>A bit for each letter of IMAFDC.</summary>
    public override ulong Capabilities => 1 << ('I' - 'A') | 1 << ('M' - 'A') | 1 << 0 | 1 << ('F' - 'A') | 1 << ('D' - 'A') | 1 << ('C' - 'A');

    public override ulong MinimumSignalStack => 2048;

    public override string ProcessorText =>
        "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc_zicsr_zifencei_zba_zbb_zbs\nmmu\t\t: sv48\nuarch\t\t: vivarium\n\n";

    public override ReadOnlyMemory<byte> Vdso => _vdso.Value;

    /// <summary>The kernel's struct sigaction ends with the mask: handlers return through the vDSO.</summary>
    public override bool HasRestorer => false;

    public override int AuxiliaryRoom => 35 * 16;

    public override void Decode(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments = stackalloc ulong[6];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = state.Registers[RiscVState.A0 + i];
        int number = unchecked((int)(uint)state.Registers[RiscVState.A7]);
        thread.Call.Begin(LinuxTable.FromRiscV64(number), number, arguments);
    }

    public override void Return(ref CpuState state, ulong value) => state.Registers[RiscVState.A0] = value;

    public override void Rewind(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        state.Pc -= CallInstruction;
        state.Registers[RiscVState.A0] = thread.Call.Arguments[0];
    }

    public override TraceLayout? Trace => RiscV64TraceLayout.Instance;

    public override ref ulong StackPointer(ref CpuState state) => ref state.Registers[RiscVState.StackPointer];

    public override ref ulong ThreadPointer(ref CpuState state) => ref state.Registers[RiscVState.ThreadPointer];

    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => RiscV64SignalFrame.Enter(thread, info, action);

    public override bool LeaveHandler(GuestThread thread) => RiscV64SignalFrame.Leave(thread);

    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit)
    {
        ulong pc = thread.Cpu.State.Pc;
        const int illegalOpcode = 1, breakpoint = 1, badAlignment = 1;
        return exit.Reason switch
        {
            ExitReason.MemoryFault => FaultSignals.OfMemory(exit.Fault),
            ExitReason.Breakpoint => FaultSignals.Of(Signal.Trap, breakpoint, pc),
            ExitReason.Misaligned => FaultSignals.Of(Signal.Bus, badAlignment, pc),
            _ => FaultSignals.Of(Signal.Illegal, illegalOpcode, pc),
        };
    }
}
