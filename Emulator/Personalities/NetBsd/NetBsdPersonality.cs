using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.X64;
using Vivarium.Emulator.Personalities.NetBsd.X64;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>NetBSD 10 on amd64.</summary>
public sealed class NetBsdPersonality : IPersonality
{
    private const ushort ElfMachineX64 = 62;
    private const int CallInstruction = 2;
    private const int FirstRealTimeSignal = 33, LastSignal = 63;
    private const uint MostCalls = 1024;

    /// <summary>AF_INET6.</summary>
    internal const byte AddressFamily6 = 24;

    /// <summary>__NetBSD_Version__ of what is emulated.</summary>
    public const int Release = 1_000_000_000;

    public static NetBsdPersonality Instance { get; } = new();

    internal static BsdNumbers Numbers { get; } = new(NetBsdSets.Errno, NetBsdSets.Signo, FirstRealTimeSignal, LastSignal);

    public string Name => "netbsd";

    public ushort ElfMachine => ElfMachineX64;

    public (ulong Soft, ulong Hard)[] DefaultLimits => Linux.Calls.ResourceCalls.DefaultLimits();

    public void Decode(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        Span<ulong> arguments =
        [
            state.Registers[X64Registers.Rdi], state.Registers[X64Registers.Rsi], state.Registers[X64Registers.Rdx],
            state.Registers[X64Registers.R10], state.Registers[X64Registers.R8], state.Registers[X64Registers.R9], 0, 0, 0,
        ];
        BsdX64Call.Enter(thread);
        int number = unchecked((int)(uint)state.Registers[X64Registers.Rax]);
        // syscall(2) and __syscall(2).
        int skipped = number is 0 or 198 ? 1 : 0;
        if (skipped != 0)
            number = unchecked((int)(uint)arguments[0]);
        number = (uint)number < MostCalls ? NetBsdTable.Base + number : -1;
        BsdX64Call.ReadStack(thread, arguments[6..], NetBsdTable.ArgumentCount(number) + skipped - 6);
        thread.Call.Begin(number, arguments.Slice(skipped, 8));
    }

    public CallResult Dispatch(CallContext call) => NetBsdTable.Dispatch(call);

    public void Encode(GuestThread thread, in CallResult result) => BsdX64Call.Leave(thread, result, Numbers);

    public void Rewind(GuestThread thread) => thread.Cpu.State.Pc -= CallInstruction;

    public int ErrorNumber(Errno error) => Numbers.ErrorNumber(error);

    public int NeutralSignal(int number) => Numbers.ToNeutral(number);

    public int EncodeWaitStatus(WaitStatus status) => Numbers.EncodeStatus(status);

    public void ReadAddressHead(Span<byte> address) => BsdSocketNames.ReadHead(address, AddressFamily6);

    public void WriteAddressHead(Span<byte> address) => BsdSocketNames.WriteHead(address, AddressFamily6);

    public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => X64Faults.ToSignal(thread, exit);

    public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => NetBsdSignalFrame.Enter(thread, info, action);

    public Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        NetBsdInitialStack.Write(thread, memory, image, program, out layout);

    public void OnThreadExit(GuestThread thread)
    {
    }
}
