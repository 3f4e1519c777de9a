using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>Linux on x86-64 (System V ABI, AMD64 supplement, A.2).</summary>
internal sealed class X64Architecture : LinuxArchitecture
{
    /// <summary>Length of <c>syscall</c>.</summary>
    private const int CallInstruction = 2;

    public override Architecture Architecture => Architecture.X64;

    public override ushort ElfMachine => 62;

    public override string MachineName => "x86_64";

    public override uint AuditArchitecture => 0xC000003E;

    /// <summary>CPUID leaf 1's EDX.</summary>
    public override ulong Capabilities => 0x0788_8131;

    public override ulong MinimumSignalStack => 2048;

    public override bool HasThreadPointerFirst => false;

    public override bool IsEpollEventPacked => true;

    public override bool HasWideSemaphoreTimes => true;

    private readonly Lazy<byte[]> _vdso = new(static () => VdsoImage.Build(62, "LINUX_2.6", hasPlainNames: true,
        ("clock_gettime", [.. VdsoFunctions.ClockGettime]), ("gettimeofday", [.. VdsoFunctions.Gettimeofday]), ("time", [.. VdsoFunctions.Time]),
        ("getcpu", [.. VdsoFunctions.Getcpu]), ("getrandom", [.. VdsoFunctions.Getrandom])));

    public override ReadOnlyMemory<byte> Vdso => _vdso.Value;

    public override int AuxiliaryRoom => 28 * 16;

    public override void Decode(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        ReadOnlySpan<ulong> arguments =
        [
            state.Registers[X64Registers.Rdi], state.Registers[X64Registers.Rsi], state.Registers[X64Registers.Rdx],
            state.Registers[X64Registers.R10], state.Registers[X64Registers.R8], state.Registers[X64Registers.R9],
        ];
        // The instruction itself saves these (SDM Vol. 2, SYSCALL).
        state.Registers[X64Registers.Rcx] = state.Pc;
        state.Registers[X64Registers.R11] = state.Flags;
        int number = unchecked((int)(uint)state.Registers[X64Registers.Rax]);
        thread.Call.Begin(LinuxTable.FromX64(number), number, arguments);
    }

    public override void Return(ref CpuState state, ulong value) => state.Registers[X64Registers.Rax] = value;

    public override void Rewind(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        state.Pc -= CallInstruction;
        state.Registers[X64Registers.Rax] = (ulong)thread.Call.Asked;
    }

    public override TraceLayout? Trace => X64TraceLayout.Instance;

    public override ref ulong StackPointer(ref CpuState state) => ref state.Registers[X64Registers.Rsp];

    public override ref ulong ThreadPointer(ref CpuState state) => ref state.FsBase;

    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => X64Faults.ToSignal(thread, exit);

    public override bool DumpCore(GuestThread thread, int signal) => CoreDump.Write(thread, signal);

    public override bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => X64SignalFrame.Enter(thread, info, action);

    public override bool LeaveHandler(GuestThread thread) => X64SignalFrame.Leave(thread);

    public override bool WriteStat(AddressSpace memory, GuestAddress address, in FileStatus status) => memory.TryWrite(address, Stat.From(status));
}
