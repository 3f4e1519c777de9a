using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Routing;
using Vivarium.Emulator.Personalities.NetBsd.Arm64;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.NetBsd.X64;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>NetBSD 10.</summary>
public sealed class NetBsdPersonality : BsdPersonality
{
    private const int FirstRealTimeSignal = 33, LastSignal = 63;

    /// <summary>__NetBSD_Version__ of what is emulated.</summary>
    public const int Release = 1_000_000_000;

    private NetBsdPersonality()
    {
    }

    public static NetBsdPersonality Instance { get; } = new();

    public override string Name => "netbsd";

    internal override BsdNumbers Numbers { get; } = new(NetBsdSets.Errno, NetBsdSets.Signo, FirstRealTimeSignal, LastSignal) { ContinuedStatus = 0xFFFF };

    internal const byte InternetFamily6 = 24;

    internal override byte AddressFamily6 => InternetFamily6;

    internal override BsdOpenFlags OpenFlags { get; } = new(Direct: 0x80000, Directory: 0x200000, CloseOnExec: 0x400000, DataSync: 0x10000, PathOnly: 0);

    internal override BsdStat Stat => BsdStat.NetBsd;

    internal override BsdMessages Messages { get; } = new(NoSignal: 0x400, CloseOnExec: 0x800, new NetBsdControl());

    internal override RoutingFormat Routing => NetBsdRouting.Instance;

    private protected override BsdArchitecture[] Architectures { get; } = [new NetBsdX64Architecture(), new NetBsdArm64Architecture()];

    private protected override int TableBase => NetBsdTable.Base;

    private protected override Func<int, int> ArgumentCount { get; } = NetBsdTable.ArgumentCount;

    private protected override Tables.CallShape? Describe(int number) => NetBsdTable.Describe(number);

    public override CallResult Dispatch(CallContext call) => NetBsdTable.Dispatch(call);

    /// <summary>Marks the robust futexes that the thread held.</summary>
    public override void OnThreadExit(GuestThread thread)
    {
        if (!thread.RobustList.IsNull)
            RobustFutexes.Release(thread);
        thread.RobustList = default;
    }

    public override Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        NetBsdInitialStack.Write(thread, OfMachine(image.Machine)!, memory, image, program, out layout);
}
