using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Routing;
using Vivarium.Emulator.Personalities.FreeBsd.Arm64;
using Vivarium.Emulator.Personalities.FreeBsd.Umtx;
using Vivarium.Emulator.Personalities.FreeBsd.X64;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>FreeBSD 13.</summary>
public sealed class FreeBsdPersonality : BsdPersonality
{
    private const int FirstRealTimeSignal = 65, LastSignal = 126;

    /// <summary>__FreeBSD_version of what is emulated (uname(3), kern.osreldate).</summary>
    public const uint Release = 1302001;

    private FreeBsdPersonality()
    {
    }

    public static FreeBsdPersonality Instance { get; } = new();

    public override string Name => "freebsd";

    internal override BsdNumbers Numbers { get; } = new(FreeBsdSets.Errno, FreeBsdSets.Signo, FirstRealTimeSignal, LastSignal) { ContinuedStatus = 19 };

    internal const byte InternetFamily6 = 28;

    internal override byte AddressFamily6 => InternetFamily6;

    internal override BsdOpenFlags OpenFlags { get; } = new(Direct: 0x10000, Directory: 0x20000, CloseOnExec: 0x100000, DataSync: 0x1000000, PathOnly: 0x400000);

    internal override BsdStat Stat => BsdStat.FreeBsd;

    internal override BsdMessages Messages { get; } = new(NoSignal: 0x20000, CloseOnExec: 0x40000, new FreeBsdControl());

    internal override RoutingFormat Routing => FreeBsdRouting.Instance;

    private protected override BsdArchitecture[] Architectures { get; } = [new FreeBsdX64Architecture(), new FreeBsdArm64Architecture()];

    private protected override int TableBase => FreeBsdTable.Base;

    private protected override Func<int, int> ArgumentCount { get; } = FreeBsdTable.ArgumentCount;

    private protected override Tables.CallShape? Describe(int number) => FreeBsdTable.Describe(number);

    public override CallResult Dispatch(CallContext call) => FreeBsdTable.Dispatch(call);

    public override Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        FreeBsdInitialStack.Write(thread, OfMachine(image.Machine)!, memory, image, program, out layout);

    public override void OnThreadExit(GuestThread thread) => UmtxRobustLists.Release(thread);
}
