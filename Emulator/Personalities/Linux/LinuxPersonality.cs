using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>Linux; what an architecture has of its own is in <see cref="LinuxArchitecture"/>.</summary>
public sealed class LinuxPersonality : IPersonality
{
    public static LinuxPersonality Instance { get; } = new();

    public string Name => "linux";

    public ushort ElfMachine => LinuxArchitecture.Of(Architecture.X64).ElfMachine;

    public (ulong Soft, ulong Hard)[] DefaultLimits => ResourceCalls.DefaultLimits();

    public bool Runs(ushort elfMachine) => LinuxArchitecture.OfMachine(elfMachine) is not null;

    public void Decode(GuestThread thread) => LinuxArchitecture.Of(thread).Decode(thread);

    public uint FileFlags(CallContext call, OpenFile file) => Fcntl.Encode(call, file);

    public CallResult Dispatch(CallContext call)
    {
        if (call.Thread.Filter is { } filter && !call.IsScreened)
        {
            if (filter.Screen(call) is { } refused)
                return refused;
            call.IsScreened = true;
        }
        if (call.Memory.HasMonitors && !call.Interrupted && PageProbe.IsHeldUp(call))
            return Errno.EFAULT;
        return LinuxTable.Dispatch(call);
    }

    public void OnPreempted(GuestThread thread) => RestartableSequences.Interrupt(thread);

    public void OnTimeChanged(GuestThread thread) => InitialStack.ReplaceVdso(thread);

    public void Encode(GuestThread thread, in CallResult result) => LinuxArchitecture.Of(thread).Return(
        ref thread.Cpu.State, unchecked((ulong)(result.Outcome == CallOutcome.Error ? -(long)result.Error : result.Value)));

    public void Rewind(GuestThread thread) => LinuxArchitecture.Of(thread).Rewind(thread);

    public int EncodeWaitStatus(WaitStatus status) => ProcessCalls.EncodeStatus(status);

    public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => LinuxArchitecture.Of(thread).FaultSignal(thread, exit);

    public bool DumpCore(GuestThread thread, int signal) => LinuxArchitecture.Of(thread).DumpCore(thread, signal);

    public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        RestartableSequences.Interrupt(thread);
        if (!LinuxArchitecture.Of(thread).EnterHandler(thread, info, action))
            return false;
        thread.DisarmAlternateStack();
        return true;
    }

    public Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
        InitialStack.Write(thread, memory, image, program, out layout);

    public string ProcessorText(GuestThread thread) => LinuxArchitecture.Of(thread).ProcessorText;

    public void OnThreadExit(GuestThread thread) => ThreadCalls.Leave(thread);
}
