using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Bsd.Routing;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>What FreeBSD's and NetBSD's faces of the kernel have in common; an architecture's part is a <see cref="BsdArchitecture"/>.</summary>
public abstract class BsdPersonality : IPersonality
{
    private protected BsdPersonality()
    {
    }

    public abstract string Name { get; }

    public ushort ElfMachine => Architectures[0].ElfMachine;

    public bool Runs(ushort elfMachine) => OfMachine(elfMachine) is not null;

    public (ulong Soft, ulong Hard)[] DefaultLimits => Linux.Calls.ResourceCalls.DefaultLimits();

    internal abstract BsdNumbers Numbers { get; }

    /// <summary>AF_INET6.</summary>
    internal abstract byte AddressFamily6 { get; }

    internal abstract BsdOpenFlags OpenFlags { get; }

    /// <summary>The layout of struct stat.</summary>
    internal abstract BsdStat Stat { get; }

    /// <summary>What messages on sockets have of the system's own.</summary>
    internal abstract BsdMessages Messages { get; }

    /// <summary>How it writes routing messages.</summary>
    internal abstract RoutingFormat Routing { get; }

    private protected abstract BsdArchitecture[] Architectures { get; }

    /// <summary>The caller's system.</summary>
    internal static BsdPersonality Of(CallContext call) => (BsdPersonality)call.Process.Personality;

    /// <summary>The caller's architecture.</summary>
    internal static BsdArchitecture ArchitectureOf(CallContext call) => Of(call).ArchitectureOf(call.Thread);

    internal BsdArchitecture ArchitectureOf(GuestThread thread)
    {
        foreach (BsdArchitecture candidate in Architectures)
        {
            if (candidate.Architecture == thread.Cpu.Architecture)
                return candidate;
        }
        throw new NotSupportedException($"{Name} has no {thread.Cpu.Architecture} here");
    }

    private protected BsdArchitecture? OfMachine(ushort machine) => Array.Find(Architectures, candidate => candidate.ElfMachine == machine);

    private protected abstract int TableBase { get; }

    private protected abstract Func<int, int> ArgumentCount { get; }

    /// <summary>How many arguments a call has.</summary>
    internal int ArgumentsOf(int number) => number < 0 ? 0 : Describe(number)?.Arguments.Length ?? 0;

    private protected abstract Tables.CallShape? Describe(int number);

    internal BsdArchitecture? ArchitectureFor(GuestThread thread) => Array.Find(Architectures, candidate => candidate.Architecture == thread.Cpu.Architecture);

    public void Decode(GuestThread thread) => ArchitectureOf(thread).Decode(thread, TableBase, ArgumentCount);

    public abstract CallResult Dispatch(CallContext call);

    public void Encode(GuestThread thread, in CallResult result)
    {
        bool isError = result.Outcome == CallOutcome.Error;
        ArchitectureOf(thread).Return(ref thread.Cpu.State, isError ? (ulong)Numbers.ErrorNumber(result.Error) : unchecked((ulong)result.Value), isError);
    }

    public void Rewind(GuestThread thread) => ArchitectureOf(thread).Rewind(thread);

    public bool HasCurproc => true;

    /// <summary>As Linux has them: so is the file.</summary>
    public uint FileFlags(CallContext call, OpenFile file) => Linux.Abi.Fcntl.Encode(file);

    public int ErrorNumber(Errno error) => Numbers.ErrorNumber(error);

    public int NeutralSignal(int number) => Numbers.ToNeutral(number);

    public int EncodeWaitStatus(WaitStatus status) => Numbers.EncodeStatus(status);

    public void ReadAddressHead(Span<byte> address) => BsdSocketNames.ReadHead(address, AddressFamily6);

    public void WriteAddressHead(Span<byte> address) => BsdSocketNames.WriteHead(address, AddressFamily6);

    public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => ArchitectureOf(thread).FaultSignal(thread, exit);

    public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => ArchitectureOf(thread).EnterHandler(thread, info, action);

    public abstract Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout);

    /// <summary>Nothing is left in memory but what the calls themselves write that end a thread.</summary>
    public virtual void OnThreadExit(GuestThread thread)
    {
    }
}
