using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>One operating system's face of the kernel: how calls arrive, how results, signals and new programs are laid out.</summary>
public interface IPersonality
{
    string Name { get; }

    /// <summary>The machine number of its programs' ELF headers; of some, see <see cref="Runs"/>.</summary>
    ushort ElfMachine { get; }

    /// <summary>Whether it runs programs of an ELF machine.</summary>
    bool Runs(ushort elfMachine) => elfMachine == ElfMachine;

    /// <summary>/proc/cpuinfo as a thread sees it.</summary>
    string ProcessorText(GuestThread thread) => "";

    /// <summary>Resource limits of a world's first process, in the system's own order.</summary>
    (ulong Soft, ulong Hard)[] DefaultLimits { get; }

    /// <summary>Reads number and arguments from the registers and begins the call; the program counter is behind the instruction.</summary>
    void Decode(GuestThread thread);

    /// <summary>A description's access mode and status flags as /proc/PID/fdinfo has them for the caller.</summary>
    uint FileFlags(CallContext call, OpenFile file) => 0;

    /// <summary>Runs the handler of the call under way.</summary>
    CallResult Dispatch(CallContext call);

    /// <summary>Writes a finished call's result to the registers.</summary>
    void Encode(GuestThread thread, in CallResult result);

    /// <summary>Turns the program counter back so that the call instruction runs again.</summary>
    void Rewind(GuestThread thread);

    /// <summary>The signal that an engine's exit raises in its thread.</summary>
    SignalInfo FaultSignal(GuestThread thread, in EngineExit exit);

    /// <summary>Writes a file of the process's memory, for a signal that ends it (core(5)); false when there is none.</summary>
    bool DumpCore(GuestThread thread, int signal) => false;

    /// <summary>Writes a signal frame and points the registers at the handler; false when the frame cannot be written.</summary>
    bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action);

    /// <summary>Writes arguments, environment and auxiliary vector to a new program's stack and sets its first registers. E2BIG, ENOMEM.</summary>
    Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout);

    /// <summary>A thread's process has other clocks since boot (<see cref="TimeSpace"/>): what reads them without a call follows.</summary>
    void OnTimeChanged(GuestThread thread)
    {
    }

    /// <summary>A thread's turn ended in the middle of its program.</summary>
    void OnPreempted(GuestThread thread)
    {
    }

    /// <summary>The system's number of an error.</summary>
    int ErrorNumber(Errno error) => (int)error;

    /// <summary>The kernel's number of a signal that the system numbers so; 0 when it has none.</summary>
    int NeutralSignal(int number) => Signal.IsValid(number) ? number : 0;

    /// <summary>Turns the first two bytes of a socket's address into the family, as Linux numbers it; systems with a length there have their own.</summary>
    void ReadAddressHead(Span<byte> address)
    {
    }

    /// <summary>The other way round.</summary>
    void WriteAddressHead(Span<byte> address)
    {
    }

    /// <summary>/proc names the caller's own process curproc as well.</summary>
    bool HasCurproc => false;

    /// <summary>A child's status word (wait(2)).</summary>
    int EncodeWaitStatus(WaitStatus status);

    /// <summary>What a thread leaves behind in memory when it ends: cleared ids, robust futexes.</summary>
    void OnThreadExit(GuestThread thread);
}

/// <summary>What a program is started with.</summary>
public sealed record ProgramStart(byte[] Path, IReadOnlyList<byte[]> Arguments, IReadOnlyList<byte[]> Environment)
{
    /// <summary>True when the program got privileges from its file (AT_SECURE).</summary>
    public bool IsSecure { get; init; }
}
