using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.FreeBsd.Calls;
using Vivarium.Emulator.Personalities.FreeBsd.X64;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>FreeBSD 13 on amd64.</summary>
public sealed class FreeBsdPersonality : IPersonality
{
    private const ushort ElfMachineX64 = 62;

    /// <summary>AF_INET6.</summary>
    internal const byte AddressFamily6 = 28;
    private const int FirstRealTimeSignal = 65, LastSignal = 126;

    /// <summary>__FreeBSD_version of what is emulated (uname(3), kern.osreldate).</summary>
    public const uint Release = 1302001;

    public static FreeBsdPersonality Instance { get; } = new();

    internal static BsdNumbers Numbers { get; } = new(FreeBsdSets.Errno, FreeBsdSets.Signo, FirstRealTimeSignal, LastSignal);

    public string Name => "freebsd";

    public ushort ElfMachine => ElfMachineX64;

    public (ulong Soft, ulong Hard)[] DefaultLimits => Linux.Calls.ResourceCalls.DefaultLimits();

    public void Decode(GuestThread thread) => BsdX64Call.Begin(thread, FreeBsdTable.Base, FreeBsdTable.ArgumentCount);

    public CallResult Dispatch(CallContext call) => FreeBsdTable.Dispatch(call);

    public void Encode(GuestThread thread, in CallResult result) => BsdX64Call.Leave(thread, result, Numbers);

    public void Rewind(GuestThread thread) => BsdX64Call.Rewind(thread);

    public int ErrorNumber(Errno error) => Numbers.ErrorNumber(error);

    public int NeutralSignal(int number) => Numbers.ToNeutral(number);

    public int EncodeWaitStatus(WaitStatus status) => Numbers.EncodeStatus(status);

    public void ReadAddressHead(Span<byte> address) => BsdSocketNames.ReadHead(address, AddressFamily6);

    public void WriteAddressHead(Span<byte> address) => BsdSocketNames.WriteHead(address, AddressFamily6);

    public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => X64Faults.ToSignal(thread, exit);

    public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => FreeBsdSignalFrame.Enter(thread, info, action);

    public Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        FreeBsdInitialStack.Write(thread, memory, image, program, out layout);

    public void OnThreadExit(GuestThread thread) => ThreadCalls.Leave(thread);
}
