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
    private const int FirstRealTimeSignal = 33, LastSignal = 63;

    /// <summary>AF_INET6.</summary>
    internal const byte AddressFamily6 = 24;

    /// <summary>__NetBSD_Version__ of what is emulated.</summary>
    public const int Release = 1_000_000_000;

    public static NetBsdPersonality Instance { get; } = new();

    internal static BsdNumbers Numbers { get; } = new(NetBsdSets.Errno, NetBsdSets.Signo, FirstRealTimeSignal, LastSignal);

    public string Name => "netbsd";

    public ushort ElfMachine => ElfMachineX64;

    public (ulong Soft, ulong Hard)[] DefaultLimits => Linux.Calls.ResourceCalls.DefaultLimits();

    public void Decode(GuestThread thread) => BsdX64Call.Begin(thread, NetBsdTable.Base, NetBsdTable.ArgumentCount);

    public CallResult Dispatch(CallContext call) => NetBsdTable.Dispatch(call);

    public void Encode(GuestThread thread, in CallResult result) => BsdX64Call.Leave(thread, result, Numbers);

    public void Rewind(GuestThread thread) => BsdX64Call.Rewind(thread);

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
