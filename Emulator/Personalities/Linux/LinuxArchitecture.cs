using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Arm64;
using Vivarium.Emulator.Personalities.Linux.RiscV64;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// What Linux's user interface has of its own on an architecture: registers and numbers of calls, signal frames, start-up, vDSO, and
/// the structures that differ. Found by the thread's processor, so that programs of several architectures live in one world.
/// </summary>
internal abstract class LinuxArchitecture
{
    private static readonly LinuxArchitecture[] All = [new X64Architecture(), new RiscV64Architecture(), new Arm64Architecture()];

    /// <summary>By <see cref="Cpu.Architecture"/>: asked for at each call.</summary>
    private static readonly LinuxArchitecture?[] ByArchitecture = Index();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LinuxArchitecture Of(GuestThread thread) => Of(thread.Cpu.Architecture);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LinuxArchitecture Of(Architecture architecture) => ByArchitecture[(int)architecture] ?? Missing(architecture);

    private static LinuxArchitecture Missing(Architecture architecture) => throw new NotSupportedException($"Linux has no {architecture} here");

    private static LinuxArchitecture?[] Index()
    {
        var index = new LinuxArchitecture?[ExecutionMode.Architectures];
        foreach (LinuxArchitecture each in All)
            index[(int)each.Architecture] = each;
        return index;
    }

    /// <summary>The one whose programs have an ELF machine number, or null.</summary>
    public static LinuxArchitecture? OfMachine(ushort machine) => Array.Find(All, candidate => candidate.ElfMachine == machine);

    public abstract Architecture Architecture { get; }

    /// <summary>EM_ of its programs.</summary>
    public abstract ushort ElfMachine { get; }

    /// <summary>What uname(2) calls the machine, and AT_PLATFORM if the kernel gives one.</summary>
    public abstract string MachineName { get; }

    public virtual string? Platform => MachineName;

    /// <summary>AUDIT_ARCH_ of seccomp(2) and ptrace(2).</summary>
    public abstract uint AuditArchitecture { get; }

    /// <summary>/proc/cpuinfo.</summary>
    public virtual string ProcessorText => "";

    /// <summary>AT_HWCAP and AT_HWCAP2.</summary>
    public abstract ulong Capabilities { get; }

    public virtual ulong Capabilities2 => 0;

    /// <summary>What a signal frame takes at most, with room for the handler (AT_MINSIGSTKSZ, sysconf's _SC_MINSIGSTKSZ).</summary>
    public abstract ulong MinimumSignalStack { get; }

    /// <summary>MINSIGSTKSZ of the kernel: sigaltstack(2) takes no less.</summary>
    public virtual ulong SmallestAlternateStack => 2048;

    /// <summary>Bytes that are kept for a program's auxiliary vector (AT_VECTOR_SIZE).</summary>
    public abstract int AuxiliaryRoom { get; }

    // ---- calls ------------------------------------------------------------------------------------------------------

    /// <summary>Begins the call that the registers say, by the table's number.</summary>
    public abstract void Decode(GuestThread thread);

    /// <summary>Writes a value, or a negated error.</summary>
    public abstract void Return(ref CpuState state, ulong value);

    /// <summary>The call instruction is to be run again, with the registers as they were.</summary>
    public abstract void Rewind(GuestThread thread);

    public abstract ref ulong StackPointer(ref CpuState state);

    /// <summary>The thread register, that CLONE_SETTLS sets.</summary>
    public abstract ref ulong ThreadPointer(ref CpuState state);

    /// <summary>clone(2) has the thread register's value before the place for the child's id.</summary>
    public virtual bool HasThreadPointerFirst => true;

    // ---- programs ---------------------------------------------------------------------------------------------------

    /// <summary>The processor as a new program finds it.</summary>
    public void Start(GuestThread thread, ulong start, ulong stack)
    {
        thread.Cpu.Become(Architecture);
        ref CpuState state = ref thread.Cpu.State;
        state.Pc = start;
        StackPointer(ref state) = stack;
    }

    /// <summary>The vDSO's page.</summary>
    public abstract ReadOnlyMemory<byte> Vdso { get; }

    // ---- signals ----------------------------------------------------------------------------------------------------

    public abstract SignalInfo FaultSignal(GuestThread thread, in EngineExit exit);

    public virtual bool DumpCore(GuestThread thread, int signal) => false;

    /// <summary>Puts a handler's frame on the stack that is its, and goes on there; false when it cannot be written.</summary>
    public abstract bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action);

    /// <summary>rt_sigreturn(2); false when the frame cannot be read.</summary>
    public abstract bool LeaveHandler(GuestThread thread);

    /// <summary>struct sigaction has a restorer.</summary>
    public virtual bool HasRestorer => true;

    // ---- tracing ----------------------------------------------------------------------------------------------------

    /// <summary>What ptrace(2) shows of registers; null = tracers are shown none, and get EIO.</summary>
    public virtual TraceLayout? Trace => null;

    // ---- structures and flags -------------------------------------------------------------------------------------------------

    /// <summary>struct epoll_event has no padding.</summary>
    public virtual bool IsEpollEventPacked => false;

    /// <summary>The architecture's O_ flags as those of asm-generic/fcntl.h, and back. Filters, tracers and records see the program's own.</summary>
    public virtual uint OpenFlags(uint flags) => flags;

    public virtual bool WriteStat(AddressSpace memory, GuestAddress address, in FileStatus status) => memory.TryWrite(address, GenericStat.From(status));

    /// <summary>struct semid64_ds has an unused word behind each time.</summary>
    public virtual bool HasWideSemaphoreTimes => false;
}
