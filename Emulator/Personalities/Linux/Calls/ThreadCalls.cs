using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Making threads and processes, and what threads keep in the kernel: clone(2), fork(2), set_tid_address(2), arch_prctl(2).</summary>
public static class ThreadCalls
{
    private const ulong SignalMask = 0xFF;
    private const ulong Vm = 0x100;
    private const ulong Fs = 0x200;
    private const ulong FileDescriptors = 0x400;
    private const ulong SignalHandlers = 0x800;
    private const ulong ProcessDescriptor = 0x1000;
    private const ulong Vfork_ = 0x4000;
    private const ulong Untraced = 0x800000;
    private const ulong ParentProcess = 0x8000;
    private const ulong Detached = 0x400000;
    private const ulong ThreadOfProcess = 0x10000;
    private const ulong UndoList = 0x40000;
    private const ulong SetTls = 0x80000;
    private const ulong ParentSetTid = 0x100000;
    private const ulong ChildClearTid = 0x200000;
    private const ulong ChildSetTid = 0x1000000;
    private const ulong ClearSignalHandlers = 0x100000000;

    public static CallResult Fork(CallContext call) => Make(call, new CloneArguments { ExitSignal = Signal.Child });

    public static CallResult Vfork(CallContext call) => Make(call, new CloneArguments { Flags = Vm | Vfork_, ExitSignal = Signal.Child });

    public static CallResult Clone(CallContext call, ulong flags, ulong stack, GuestAddress parentTid, GuestAddress childTid, ulong tls)
    {
        if (LinuxArchitecture.Of(call.Thread).HasThreadPointerFirst)
            (childTid, tls) = (new GuestAddress(tls), childTid.Value);
        return Make(call, new CloneArguments
        {
            Flags = flags & ~SignalMask,
            ExitSignal = (int)(flags & SignalMask),
            Stack = stack,
            // A descriptor is put where the id would be.
            ParentTid = parentTid.Value,
            Descriptor = parentTid.Value,
            ChildTid = childTid.Value,
            Tls = tls,
            IsOld = true,
        });
    }

    public static CallResult Clone3(CallContext call, GuestAddress arguments, ulong size)
    {
        const int FirstVersion = 64;
        const int Known = 88;
        if (size < FirstVersion)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        Span<byte> bytes = stackalloc byte[(int)GuestAddress.PageSize];
        bytes = bytes[..(int)size];
        if (!call.Memory.TryRead(arguments, bytes))
            return Errno.EFAULT;
        if (size > Known && bytes[Known..].IndexOfAnyExcept((byte)0) >= 0)
            return Errno.E2BIG;
        ulong Word(ReadOnlySpan<byte> from, int index) =>
            index * 8 + 8 <= from.Length ? BitConverter.ToUInt64(from[(index * 8)..]) : 0;
        ulong stack = Word(bytes, 5), stackSize = Word(bytes, 6), exitSignal = Word(bytes, 4);
        // set_tid and cgroup ask for what only a privileged manager of namespaces may have.
        if (Word(bytes, 8) != 0 || Word(bytes, 9) != 0)
            return Errno.EPERM;
        if ((stack == 0) != (stackSize == 0) || exitSignal > Signal.Last || (Word(bytes, 0) & SignalMask & ~NamespaceCalls.NewTime) != 0)
            return Errno.EINVAL;
        return Make(call, new CloneArguments
        {
            Flags = Word(bytes, 0),
            Descriptor = Word(bytes, 1),
            ChildTid = Word(bytes, 2),
            ParentTid = Word(bytes, 3),
            ExitSignal = (int)exitSignal,
            Stack = stack + stackSize,
            Tls = Word(bytes, 7),
        });
    }

    private static CallResult Make(CallContext call, in CloneArguments arguments)
    {
        // Run again after vfork: the child has let go of us.
        if (call.State is Process child)
            return child.HoldsParent ? WaitForChild(call, child) : CallResult.Ok(call.Pids.Inside(child.Id));
        ulong flags = arguments.Flags;
        if (((flags & SignalHandlers) != 0 && (flags & Vm) == 0) || ((flags & ThreadOfProcess) != 0 && (flags & SignalHandlers) == 0))
            return Errno.EINVAL;
        if ((flags & ClearSignalHandlers) != 0 && (flags & SignalHandlers) != 0)
            return Errno.EINVAL;
        Errno error = NamespaceCalls.CheckClone(call, flags);
        if (error != Errno.None)
            return error;
        if ((flags & ProcessDescriptor) != 0)
        {
            // The old call has one place for the descriptor and the id.
            if ((flags & (ThreadOfProcess | Detached)) != 0 || (arguments.IsOld && (flags & ParentSetTid) != 0))
                return Errno.EINVAL;
            if (!call.Process.Files.HasRoom)
                return Errno.EMFILE;
            if (!call.Memory.TryWrite(new GuestAddress(arguments.Descriptor), 0))
                return Errno.EFAULT;
        }
        Namespaces spaces = NamespaceCalls.Make(call.Thread, flags);
        error = call.Process.Clone(call.Thread, SharesOf(flags), arguments.ExitSignal, spaces.Processes, out GuestThread? thread);
        if (error != Errno.None)
            return error;
        if ((flags & ProcessDescriptor) != 0)
            call.Memory.TryWrite(new GuestAddress(arguments.Descriptor), (int)ProcessDescriptorCalls.Install(call, thread!.Process, 0).Value);
        if ((flags & UndoList) != 0)
            thread!.Process.UndoList = call.Process.UndoList ??= new object();
        NamespaceCalls.Enter(thread!, spaces, flags & NamespaceCalls.All);
        if ((flags & Vm) == 0)
            thread!.EnterTime();
        Complete(call, thread!, arguments);
        if ((flags & Untraced) == 0)
            call.World.FollowNew(call.Thread, thread!, (flags & Vfork_) != 0 ? TraceEvent.Vfork : arguments.ExitSignal == Signal.Child ? TraceEvent.Fork : TraceEvent.Clone);
        if ((flags & Vfork_) == 0)
            return CallResult.Ok(call.Pids.Inside(thread!.Id));
        thread!.Process.HoldsParent = true;
        call.State = thread.Process;
        return WaitForChild(call, thread.Process);
    }

    /// <summary>A parent in vfork(2) cannot be interrupted, only killed.</summary>
    private static CallResult WaitForChild(CallContext call, Process child)
    {
        call.AddSource(child.Released);
        return CallResult.Blocked(RestartKind.IfNoHandler);
    }

    private static CloneShares SharesOf(ulong flags) =>
        ((flags & Vm) != 0 ? CloneShares.Memory : 0)
        | ((flags & FileDescriptors) != 0 ? CloneShares.Files : 0)
        | ((flags & Fs) != 0 ? CloneShares.FileContext : 0)
        | ((flags & SignalHandlers) != 0 ? CloneShares.Actions : 0)
        | ((flags & ThreadOfProcess) != 0 ? CloneShares.Process : 0)
        | ((flags & ParentProcess) != 0 ? CloneShares.Parent : 0);

    private static void Complete(CallContext call, GuestThread thread, in CloneArguments arguments)
    {
        ref CpuState state = ref thread.Cpu.State;
        LinuxArchitecture architecture = LinuxArchitecture.Of(thread);
        architecture.Return(ref state, 0);
        if (arguments.Stack != 0)
            architecture.StackPointer(ref state) = arguments.Stack;
        if ((arguments.Flags & SetTls) != 0)
            architecture.ThreadPointer(ref state) = arguments.Tls;
        // As on Linux, an id that cannot be written is no error.
        if ((arguments.Flags & ParentSetTid) != 0)
            call.Memory.TryWrite(new GuestAddress(arguments.ParentTid), call.Pids.Inside(thread.Id));
        if ((arguments.Flags & ChildSetTid) != 0)
            thread.Process.Memory.TryWrite(new GuestAddress(arguments.ChildTid), thread.Process.Space.Inside(thread.Id));
        if ((arguments.Flags & ChildClearTid) != 0)
            thread.ClearChildTid = new GuestAddress(arguments.ChildTid);
        if ((arguments.Flags & ClearSignalHandlers) != 0)
            thread.Process.Actions.DropHandlers();
    }

    public static CallResult SetTidAddress(CallContext call, GuestAddress address)
    {
        call.Thread.ClearChildTid = address;
        return CallResult.Ok(call.Pids.Inside(call.Thread.Id));
    }

    public static CallResult SetRobustList(CallContext call, GuestAddress head, ulong length)
    {
        if (length != RobustHeadSize)
            return Errno.EINVAL;
        call.Thread.RobustList = head;
        return CallResult.Ok();
    }

    public static CallResult GetRobustList(CallContext call, int pid, GuestAddress head, GuestAddress length)
    {
        GuestThread? thread = pid == 0 ? call.Thread : call.FindThread(pid);
        if (thread is null)
            return Errno.ESRCH;
        if (!thread.Process.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        return call.Memory.TryWrite(length, RobustHeadSize) && call.Memory.TryWrite(head, thread.RobustList.Value) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult ArchPrctl(CallContext call, int code, ulong address)
    {
        const int SetGs = 0x1001;
        const int SetFs = 0x1002;
        const int GetFs = 0x1003;
        const int GetGs = 0x1004;
        const int GetCpuId = 0x1011;
        const int SetCpuId = 0x1012;
        const ulong UserLimit = 0x7FFF_FFFF_F000;
        ref CpuState state = ref call.Thread.Cpu.State;
        switch (code)
        {
            case SetGs or SetFs when address >= UserLimit:
                return Errno.EPERM;
            case SetGs:
                state.GsBase = address;
                return CallResult.Ok();
            case SetFs:
                state.FsBase = address;
                return CallResult.Ok();
            case GetFs:
                return call.Memory.TryWrite(new GuestAddress(address), state.FsBase) ? CallResult.Ok() : Errno.EFAULT;
            case GetGs:
                return call.Memory.TryWrite(new GuestAddress(address), state.GsBase) ? CallResult.Ok() : Errno.EFAULT;
            case GetCpuId:
                return 1;
            case SetCpuId:
                // Processors here cannot be told to fault at CPUID.
                return Errno.ENODEV;
            default:
                return Errno.EINVAL;
        }
    }

    public static CallResult Rseq(CallContext call, GuestAddress area, uint length, int flags, uint signature)
    {
        const int unregister = 1;
        const uint size = 32;
        GuestThread thread = call.Thread;
        if ((flags & unregister) != 0)
        {
            if ((flags & ~unregister) != 0 || thread.RestartableArea.IsNull || thread.RestartableArea != area || length < size)
                return Errno.EINVAL;
            if (thread.RestartableSignature != signature)
                return Errno.EPERM;
            bool written = RestartableSequences.WriteProcessor(thread, uint.MaxValue);
            thread.RestartableArea = default;
            return written ? CallResult.Ok() : Errno.EFAULT;
        }
        if (flags != 0)
            return Errno.EINVAL;
        if (!thread.RestartableArea.IsNull)
            return thread.RestartableArea != area || length < size ? Errno.EINVAL : thread.RestartableSignature != signature ? Errno.EPERM : Errno.EBUSY;
        if (area.Value % size != 0 || length < size || area.IsNull)
            return Errno.EINVAL;
        thread.RestartableArea = area;
        thread.RestartableSignature = signature;
        if (RestartableSequences.WriteProcessor(thread, 0))
            return CallResult.Ok();
        thread.RestartableArea = default;
        return Errno.EFAULT;
    }

    public static CallResult SchedYield(CallContext call)
    {
        call.Yield();
        return CallResult.Ok();
    }

    public static CallResult Gettid(CallContext call) => CallResult.Ok(call.Pids.Inside(call.Thread.Id));

    private const ulong RobustHeadSize = 24;

    /// <summary>What an ending thread leaves in memory: robust futexes marked, its id cleared and woken (get_robust_list(2), clone(2)).</summary>
    internal static void Leave(GuestThread thread)
    {
        if (!thread.RobustList.IsNull)
            RobustFutexes.Release(thread);
        thread.RobustList = default;
        FutexCalls.HandOverAll(thread);
        GuestAddress address = thread.ClearChildTid;
        thread.ClearChildTid = default;
        if (address.IsNull || !thread.Process.Memory.TryWrite(address, 0))
            return;
        if (thread.Process.Memory.FutexKey(address, isPrivate: false) is { } key)
            thread.Process.World.Futexes.Wake(key, 1);
        if (thread.Process.Memory.FutexKey(address, isPrivate: true) is { } own)
            thread.Process.World.Futexes.Wake(own, 1);
    }

    private readonly record struct CloneArguments
    {
        public ulong Flags { get; init; }

        public int ExitSignal { get; init; }

        public ulong Stack { get; init; }

        public ulong ParentTid { get; init; }

        public ulong ChildTid { get; init; }

        public ulong Tls { get; init; }

        /// <summary>Where CLONE_PIDFD puts a descriptor of the child.</summary>
        public ulong Descriptor { get; init; }

        public bool IsOld { get; init; }
    }
}
