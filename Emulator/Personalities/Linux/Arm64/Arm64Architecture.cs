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

    public override ulong SmallestAlternateStack => 5120;

    public override string ProcessorText =>
        $"processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: {Arm64Features.Names}\nCPU implementer\t: 0x00\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0x051\nCPU revision\t: 0\n\n";

    public override ReadOnlyMemory<byte> Vdso => _vdso.Value;

    public override int AuxiliaryRoom => 27 * 16;

    public override void Decode(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments = stackalloc ulong[6];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = state.Registers[i];
        int number = unchecked((int)(uint)state.Registers[NumberRegister]);
        thread.Call.Begin(LinuxTable.FromArm64(number), number, arguments);
    }

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

    public override SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => Arm64Faults.ToSignal(thread, exit);
}
