using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>Linux on x86-64 (System V ABI, AMD64 supplement, A.2).</summary>
public sealed class LinuxPersonality : IPersonality
{
    private const ushort ElfMachineX64 = 62;

    /// <summary>Length of <c>syscall</c>.</summary>
    private const int CallInstruction = 2;

    public static LinuxPersonality Instance { get; } = new();

    public string Name => "linux";

    public ushort ElfMachine => ElfMachineX64;

    public (ulong Soft, ulong Hard)[] DefaultLimits => ResourceCalls.DefaultLimits();

    public void Decode(GuestThread thread)
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
        thread.Call.Begin(unchecked((int)(uint)state.Registers[X64Registers.Rax]), arguments);
    }

    public CallResult Dispatch(CallContext call)
    {
        if (call.Thread.Filter is { } filter && !call.IsScreened)
        {
            if (filter.Screen(call) is { } refused)
                return refused;
            call.IsScreened = true;
        }
        return LinuxTable.Dispatch(call);
    }

    public void OnPreempted(GuestThread thread) => RestartableSequences.Interrupt(thread);

    public void OnTimeChanged(GuestThread thread) => X64InitialStack.ReplaceVdso(thread);

    public void Encode(GuestThread thread, in CallResult result) =>
        thread.Cpu.State.Registers[X64Registers.Rax] = unchecked((ulong)(result.Outcome == CallOutcome.Error ? -(long)result.Error : result.Value));

    public void Rewind(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        state.Pc -= CallInstruction;
        state.Registers[X64Registers.Rax] = (ulong)thread.Call.Number;
    }

    public string? CallName(int number) => LinuxTable.Name(number);

    public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => X64Faults.ToSignal(thread, exit);

    public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => X64SignalFrame.Enter(thread, info, action);

    public Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        X64InitialStack.Write(thread, memory, image, program, out layout);

    public void OnThreadExit(GuestThread thread) => ThreadCalls.Leave(thread);
}
