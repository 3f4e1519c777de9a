using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using LinuxProcesses = Vivarium.Emulator.Personalities.Linux.Calls.ProcessCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>fork(2), vfork(2), pdfork(2), wait4(2), procctl(2) and smaller ones about processes.</summary>
public static class ProcessCalls
{
    public static CallResult Fork(CallContext call)
    {
        Errno error = Make(call, CloneShares.None, Kernel.Tracing.TraceEvent.Fork, out GuestThread? child);
        return error != Errno.None ? error : call.Pids.Inside(child!.Id);
    }

    public static CallResult Vfork(CallContext call)
    {
        // Run again: the child has let go of us.
        if (call.State is Process waited)
            return waited.HoldsParent ? WaitFor(call, waited) : call.Pids.Inside(waited.Id);
        Errno error = Make(call, CloneShares.Memory, Kernel.Tracing.TraceEvent.Vfork, out GuestThread? child);
        if (error != Errno.None)
            return error;
        child!.Process.HoldsParent = true;
        call.State = child.Process;
        return WaitFor(call, child.Process);
    }

    private static CallResult WaitFor(CallContext call, Process child)
    {
        call.AddSource(child.Released);
        return CallResult.Blocked(RestartKind.IfNoHandler);
    }

    /// <summary>The child returns 0, and 1 as the second result (cpu_fork).</summary>
    private static void ReturnToChild(CallContext call, GuestThread child)
    {
        BsdArchitecture architecture = BsdPersonality.ArchitectureOf(call);
        ref CpuState state = ref child.Cpu.State;
        architecture.Return(ref state, 0, isError: false);
        architecture.SecondResult(ref state) = 1;
    }

    private static Errno Make(CallContext call, CloneShares shares, Kernel.Tracing.TraceEvent what, out GuestThread? child)
    {
        Errno error = call.Process.Clone(call.Thread, shares, Signal.Child, call.Process.Space, out child);
        if (error != Errno.None)
            return error;
        ReturnToChild(call, child!);
        call.World.FollowNew(call.Thread, child!, what);
        return Errno.None;
    }

    /// <summary>A child behind a descriptor; it sends no SIGCHLD, and wait4(2) does not find it (pdfork(2)).</summary>
    public static CallResult Pdfork(CallContext call, GuestAddress descriptor, uint flags)
    {
        const uint daemon = 1, closeOnExec = 2;
        if ((flags & ~(daemon | closeOnExec)) != 0)
            return Errno.EINVAL;
        Errno error = call.Process.Clone(call.Thread, CloneShares.None, 0, call.Process.Space, out GuestThread? child);
        if (error != Errno.None)
            return error;
        ReturnToChild(call, child!);
        call.World.FollowNew(call.Thread, child!, Kernel.Tracing.TraceEvent.Fork);
        var file = new ProcessDescriptor(child!.Process, OpenFlags.ReadWrite);
        error = call.Process.Files.Add(file, (flags & closeOnExec) != 0, out int number);
        if (error != Errno.None)
            file.Release();
        else if (!call.Memory.TryWrite(descriptor, number))
            error = Errno.EFAULT;
        return error != Errno.None ? error : call.Pids.Inside(child.Id);
    }

    public static CallResult Pdgetpid(CallContext call, int fd, GuestAddress pid) => call.File(fd) switch
    {
        null => Errno.EBADF,
        ProcessDescriptor descriptor => call.Memory.TryWrite(pid, call.Pids.Inside(descriptor.Process.Id)) ? CallResult.Ok() : Errno.EFAULT,
        _ => Errno.EINVAL,
    };

    public static CallResult Pdkill(CallContext call, int fd, int signal) => call.File(fd) switch
    {
        null => Errno.EBADF,
        ProcessDescriptor { Process.IsReaped: true } => Errno.ESRCH,
        ProcessDescriptor descriptor => Bsd.Calls.SignalCalls.Kill(call, call.Pids.Inside(descriptor.Process.Id), signal),
        _ => Errno.EINVAL,
    };

    public static CallResult Wait4(CallContext call, int pid, GuestAddress status, uint options, GuestAddress usage)
    {
        const uint noHang = 1, untraced = 2, continued = 4, noWait = 8, exited = 16, trapped = 32, linuxContinued = 8;
        if ((options & ~(noHang | untraced | continued | noWait | exited | trapped)) != 0)
            return Errno.EINVAL;
        if (BsdWaits.Take(call, pid, status, usage) is { } traced)
            return traced;
        uint linux = (options & (noHang | untraced)) | ((options & continued) != 0 ? linuxContinued : 0);
        CallResult result = LinuxProcesses.Wait4(call, pid, status, linux, usage);
        if (result.Outcome == CallOutcome.Value && result.Value != 0 && !status.IsNull && call.Memory.TryRead(status, out int word))
            call.Memory.TryWrite(status, BsdStatus(word, BsdPersonality.Of(call).Numbers));
        return BsdWaits.OrWait(call, pid, options, result);
    }

    /// <summary>The status word with the system's numbers of signals.</summary>
    private static int BsdStatus(int word, BsdNumbers numbers)
    {
        const int continuedWord = 0xFFFF;
        if (word == continuedWord)
            return numbers.ContinuedStatus;
        if ((word & 0xFF) == 0x7F)
            return (numbers.FromNeutral(word >> 8 & 0xFF) << 8) | 0x7F;
        return (word & 0x7F) == 0 ? word : numbers.FromNeutral(word & 0x7F) | (word & 0x80);
    }

    /// <summary>True once a program got privileges from its file.</summary>
    public static CallResult Issetugid(CallContext call)
    {
        Credentials who = call.Thread.Credentials;
        return who.User != who.EffectiveUser || who.Group != who.EffectiveGroup ? 1 : 0;
    }

    public static CallResult Getlogin(CallContext call, GuestAddress buffer, uint length)
    {
        ReadOnlySpan<byte> name = "root\0"u8;
        if (length < name.Length)
            return Errno.ERANGE;
        return call.Memory.TryWrite(buffer, name) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>The nice value itself; the raw call of Linux returns 20 minus it.</summary>
    public static CallResult Getpriority(CallContext call, int which, int who)
    {
        CallResult result = Linux.Calls.SchedulingCalls.Getpriority(call, which, who);
        return result.Outcome == CallOutcome.Value ? 20 - result.Value : result;
    }

    /// <summary>PROC_TRACE_CTL: whether others may trace a process; who may not, may not allow it either. PROC_TRACE_STATUS: -1 when not, 0, or who does.</summary>
    private static CallResult TraceControl(CallContext call, long id, bool sets, GuestAddress data)
    {
        const int enable = 1, disable = 2, disableBeyondExecution = 3;
        Process? process = id == 0 ? call.Process : id is > 0 and <= int.MaxValue ? call.FindProcess((int)id) : null;
        if (process is null or { IsZombie: true })
            return Errno.ESRCH;
        if (!sets)
        {
            int tracer = process.MainThread.Tracee is { } tracee ? call.Pids.Inside(tracee.Tracer.Id) : process.TraceDenial != TraceDenial.None ? -1 : 0;
            return call.Memory.TryWrite(data, tracer) ? 0 : Errno.EFAULT;
        }
        if (!call.Memory.TryRead(data, out int state))
            return Errno.EFAULT;
        if (!process.MayBeInspectedBy(call.Thread) || (state == enable && process != call.Process))
            return Errno.EPERM;
        // What is traced already cannot get away from it.
        if (state is not (enable or disable or disableBeyondExecution) || process.IsTraced)
            return state is < enable or > disableBeyondExecution ? Errno.EINVAL : Errno.EBUSY;
        process.TraceDenial = state switch { disable => TraceDenial.UntilExecution, disableBeyondExecution => TraceDenial.Always, _ => TraceDenial.None };
        return 0;
    }

    /// <summary>procctl(2): the signal at the parent's end; whether the process is traced or reaped for.</summary>
    public static CallResult Procctl(CallContext call, int kind, long id, int command, GuestAddress data)
    {
        const int ofPid = 0, traceControl = 7, traceStatus = 8, reaperAcquire = 2, reaperRelease = 3, deathSignalSet = 11, deathSignalGet = 12;
        if (kind == ofPid && command is traceControl or traceStatus)
            return TraceControl(call, id, command == traceControl, data);
        if (kind != ofPid || (id != 0 && id != call.ProcessNumber))
            return Errno.EINVAL;
        switch (command)
        {
            case deathSignalSet:
                if (!call.Memory.TryRead(data, out int signal))
                    return Errno.EFAULT;
                int neutral = FreeBsdPersonality.Instance.Numbers.ToNeutral(signal);
                if (signal != 0 && neutral == 0)
                    return Errno.EINVAL;
                call.Process.ParentDeathSignal = neutral;
                return 0;
            case deathSignalGet:
                return call.Memory.TryWrite(data, FreeBsdPersonality.Instance.Numbers.FromNeutral(call.Process.ParentDeathSignal)) ? CallResult.Ok() : Errno.EFAULT;
            case reaperAcquire or reaperRelease:
                call.Process.IsSubreaper = command == reaperAcquire;
                return 0;
            default:
                return Errno.EINVAL;
        }
    }
}
