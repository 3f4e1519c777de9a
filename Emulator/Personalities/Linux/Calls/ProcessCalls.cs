using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Programs, ends, and waiting for them: execve(2), exit(2), wait4(2), waitid(2).</summary>
public static class ProcessCalls
{
    private const int MostArguments = 1 << 20;
    private const int LongestString = 128 * 1024;

    private const uint NoHang = 1;
    private const uint Stopped = 2;
    private const uint Exited = 4;
    private const uint Continued = 8;
    private const uint NoWait = 0x01000000;
    private const uint CloneChildren = 0x80000000;
    private const uint AllChildren = 0x40000000;
    private const uint WaitFlags = NoHang | Stopped | Exited | Continued | NoWait | 0xE0000000;

    public static CallResult Execve(CallContext call, GuestAddress path, GuestAddress arguments, GuestAddress environment) =>
        Execveat(call, Fcntl.AtCurrentDirectory, path, arguments, environment, 0);

    public static CallResult Execveat(CallContext call, int dirfd, GuestAddress path, GuestAddress arguments, GuestAddress environment, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        Errno error = call.ReadPath(path, out byte[] name);
        if (error != Errno.None)
            return error;
        error = call.Locate(dirfd, path, flags, out PathEntry file);
        if (error == Errno.None && (flags & Fcntl.AtSymlinkNoFollow) != 0 && file.Inode.Kind == Kernel.Files.FileKind.SymbolicLink)
            error = Errno.ELOOP;
        if (error != Errno.None)
            return error;
        List<byte[]> envp = [];
        error = ReadStrings(call, arguments, out List<byte[]> argv);
        if (error == Errno.None)
            error = ReadStrings(call, environment, out envp);
        if (error != Errno.None)
            return error;
        // An empty argv gets an empty string, so that no program mistakes envp for it (execve(2), since Linux 5.18).
        if (argv.Count == 0)
            argv.Add([]);
        bool isUnnamed = name.Length == 0;
        if (dirfd != Fcntl.AtCurrentDirectory && (name.Length == 0 || name[0] != (byte)'/'))
            name = [.. System.Text.Encoding.ASCII.GetBytes($"/dev/fd/{dirfd}"), .. name.Length == 0 ? [] : (byte[])[(byte)'/', .. name]];
        int formerId = call.Thread.Id;
        error = ProgramLoader.Execute(call.Thread, file, name, argv, envp, out _, isUnnamed);
        if (error == Errno.EAGAIN && call.Sources.Count > 0)
            return call.Wait();
        if (error == Errno.None)
            call.World.TellExecute(call.Thread, formerId);
        return error == Errno.None ? CallResult.NoReturn : error;
    }

    private static Errno ReadStrings(CallContext call, GuestAddress table, out List<byte[]> strings)
    {
        strings = [];
        // Linux takes a null table for an empty one.
        for (GuestAddress at = table; !table.IsNull; at += 8)
        {
            if (!call.Memory.TryRead(at, out ulong pointer))
                return Errno.EFAULT;
            if (pointer == 0)
                break;
            if (strings.Count == MostArguments)
                return Errno.E2BIG;
            byte[]? text = call.Memory.ReadCString(new GuestAddress(pointer), LongestString, out bool tooLong);
            if (text is null || tooLong)
                return tooLong ? Errno.E2BIG : Errno.EFAULT;
            strings.Add(text);
        }
        return Errno.None;
    }

    public static CallResult Exit(CallContext call, int status)
    {
        if (call.World.TellThreadEnd(call) || TellsTracer(call, status))
            return call.Wait();
        call.Process.ExitThread(call.Thread, status);
        return CallResult.NoReturn;
    }

    public static CallResult ExitGroup(CallContext call, int status)
    {
        if (TellsTracer(call, status))
            return call.Wait();
        call.Process.Exit(WaitStatus.OfExit(status));
        return CallResult.NoReturn;
    }

    /// <summary>A tracer may look at a thread once more before it ends (PTRACE_O_TRACEEXIT); then the call is run again.</summary>
    private static bool TellsTracer(CallContext call, int status)
    {
        if (call.State is not null || call.Thread.Tracee is null)
            return false;
        call.State = call.Thread;
        return call.World.TellTracer(call.Thread, Kernel.Tracing.TraceEvent.Exit, Kernel.Tracing.TraceOptions.Exit, (ulong)(status & 0xFF) << 8);
    }

    public static CallResult Wait4(CallContext call, int pid, GuestAddress status, uint options, GuestAddress usage)
    {
        if ((options & ~(WaitFlags & ~(Exited | NoWait))) != 0)
            return Errno.EINVAL;
        // The most negative number has no opposite.
        if (pid == int.MinValue)
            return Errno.ESRCH;
        if (TraceWaits.Wait4(call, pid, status, options, usage) is { } traced)
            return traced;
        CallResult? none = Find(call, child => Matches(call, child, pid), options | Exited, out Process? found);
        if (none is { } result)
            return TraceWaits.OrWait(call, pid, options, result);
        WaitStatus change = found!.Reported!.Value;
        if (!status.IsNull && !call.Memory.TryWrite(status, EncodeStatus(change)))
            return Errno.EFAULT;
        if (!usage.IsNull && !call.Memory.TryWrite(usage, UsageOf(found)))
            return Errno.EFAULT;
        int id = call.Pids.Inside(found.Id);
        Consume(found);
        return CallResult.Ok(id);
    }

    public static CallResult Waitid(CallContext call, int kind, int id, GuestAddress information, uint options, GuestAddress usage)
    {
        const int All = 0;
        const int OnePid = 1;
        const int OneGroup = 2;
        const int OneDescriptor = 3;
        if ((options & ~WaitFlags) != 0 || (options & (Exited | Stopped | Continued)) == 0)
            return Errno.EINVAL;
        int pid;
        bool isNonBlocking = false;
        switch (kind)
        {
            case All:
                pid = -1;
                break;
            case OnePid when id > 0:
                pid = id;
                break;
            case OneDescriptor when id >= 0:
                if (call.File(id) is not ProcessDescriptor descriptor)
                    return Errno.EBADF;
                pid = call.Pids.Inside(descriptor.Process.Id);
                isNonBlocking = descriptor.IsNonBlocking;
                break;
            case OneGroup when id >= 0:
                pid = id == 0 ? 0 : -id;
                break;
            default:
                return Errno.EINVAL;
        }
        if (TraceWaits.Waitid(call, pid, information, options) is { } traced)
            return traced;
        // Group 1 is a group here, not wait4's "any child".
        CallResult? none = Find(call, child => kind == OneGroup && id != 0 ? child.Group == call.Pids.Outside(id) : Matches(call, child, pid), options, out Process? found);
        if (isNonBlocking && none is { Outcome: CallOutcome.Blocked })
            return Errno.EAGAIN;
        if (none is { Outcome: CallOutcome.Value } && !information.IsNull)
            return call.Memory.TryWrite(information, default(SigInfo)) ? CallResult.Ok() : Errno.EFAULT;
        if (none is { } result)
            return TraceWaits.OrWait(call, pid, options, result);
        WaitStatus change = found!.Reported!.Value;
        var info = new SignalInfo(Signal.Child, CodeOf(change))
        {
            SenderProcess = call.Pids.Inside(found.Id),
            SenderUser = found.Credentials.User,
            Value = (ulong)change.Value,
        };
        if (!information.IsNull && !call.Memory.TryWrite(information, SigInfo.Of(info)))
            return Errno.EFAULT;
        if (!usage.IsNull && !call.Memory.TryWrite(usage, UsageOf(found)))
            return Errno.EFAULT;
        if ((options & NoWait) == 0)
            Consume(found);
        return CallResult.Ok();
    }

    /// <summary>What a child used, with all that it waited for.</summary>
    private static ResourceUsage UsageOf(Process child) => ResourceUsage.Of(
        child.Instructions + child.ChildInstructions, child.SystemTime + child.ChildSystemTime, Math.Max(child.LargestResident, child.ChildResident));

    private static bool Matches(CallContext call, Process child, int pid) => pid switch
    {
        > 0 => child.Id == call.Pids.Outside(pid),
        0 => child.Group == call.Process.Group,
        -1 => true,
        _ => child.Group == call.Pids.Outside(-pid),
    };

    /// <summary>The first child whose change is wanted; else what the call returns now: ECHILD, 0 with WNOHANG, or a wait.</summary>
    private static CallResult? Find(CallContext call, Func<Process, bool> matches, uint options, out Process? found)
    {
        found = null;
        bool any = false;
        foreach (Process child in call.Process.Children)
        {
            if (!matches(child) || !IsOfKind(child, options))
                continue;
            any = true;
            if (child.Reported is not { } change || !IsWanted(change.Change, options))
                continue;
            found = child;
            return null;
        }
        if (!any)
            return Errno.ECHILD;
        return (options & NoHang) != 0 ? CallResult.Ok() : call.Wait(call.Process.ChildSource);
    }

    /// <summary>Children that end with another signal than SIGCHLD, or none, are waited for only with __WCLONE or __WALL.</summary>
    private static bool IsOfKind(Process child, uint options) =>
        (options & AllChildren) != 0 || (child.ExitSignal != Signal.Child) == ((options & CloneChildren) != 0);

    private static bool IsWanted(ChildChange change, uint options) => change switch
    {
        ChildChange.Stopped => (options & Stopped) != 0,
        ChildChange.Continued => (options & Continued) != 0,
        _ => (options & Exited) != 0,
    };

    private static void Consume(Process child)
    {
        if (child.IsZombie)
            child.Reap();
        else
            child.TakeReport();
    }

    /// <summary>The status word of wait(2), as its macros take it apart.</summary>
    internal static int EncodeStatus(WaitStatus status) => status.Change switch
    {
        ChildChange.Exited => status.Value << 8,
        ChildChange.Killed => status.Value | (status.DumpedCore ? 0x80 : 0),
        ChildChange.Stopped => (status.Value << 8) | 0x7F,
        _ => 0xFFFF,
    };

    /// <summary>CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED.</summary>
    private static int CodeOf(WaitStatus status) => status.Change switch
    {
        ChildChange.Exited => 1,
        ChildChange.Killed => status.DumpedCore ? 3 : 2,
        ChildChange.Stopped => 5,
        _ => 6,
    };
}
