using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The commands of fcntl(2) that let files raise signals: their owner and signal, leases, changes of directories.</summary>
internal static class FileSignalCalls
{
    public const uint SetOwner = 8, GetOwner = 9, SetSignal = 10, GetSignal = 11, SetOwnerExtended = 15, GetOwnerExtended = 16;
    public const uint SetLease = 1024, GetLease = 1025, Notify = 1026;

    public static CallResult Control(CallContext call, OpenFile file, int fd, uint command, ulong argument)
    {
        switch (command)
        {
            case SetOwner:
                return Own(call, file, (int)argument < 0 ? SignalTarget.Group : SignalTarget.Process, (int)argument == int.MinValue ? null : Math.Abs((int)argument));
            case GetOwner:
                return file.SignalOwner is not { } owner ? 0 : owner.Kind == SignalTarget.Group ? -TargetOf(call, owner) : TargetOf(call, owner);
            case SetSignal:
                if (argument > Signal.Last)
                    return Errno.EINVAL;
                (file.SignalOwner ??= new FileSignals()).Signal = (int)argument;
                return 0;
            case GetSignal:
                return file.SignalOwner?.Signal ?? 0;
            case SetOwnerExtended:
                if (!call.Memory.TryRead(new GuestAddress(argument), out int kind) || !call.Memory.TryRead(new GuestAddress(argument + 4), out int number))
                    return Errno.EFAULT;
                return kind is < 0 or > 2 ? Errno.EINVAL : Own(call, file, (SignalTarget)kind, number);
            case GetOwnerExtended:
                int target = file.SignalOwner is { } signals ? TargetOf(call, signals) : 0;
                return call.Memory.TryWrite(new GuestAddress(argument), (int)(file.SignalOwner?.Kind ?? SignalTarget.Process))
                    && call.Memory.TryWrite(new GuestAddress(argument + 4), target) ? 0 : Errno.EFAULT;
            case SetLease:
                return Lease(call, file, fd, (int)argument);
            case GetLease:
                return (long)FileLeases.KindOf(file);
            default:
                return Watch(call, file, fd, (uint)argument);
        }
    }

    /// <summary>As the caller numbers it; 0 when it is gone.</summary>
    private static int TargetOf(CallContext call, FileSignals signals)
    {
        bool isThere = signals.Kind switch
        {
            SignalTarget.Thread => call.World.FindThread(signals.Target) is not null,
            SignalTarget.Process => call.World.FindProcess(signals.Target) is not null,
            _ => signals.Target != 0 && call.World.FindGroup(signals.Target) is not null,
        };
        return isThere ? call.Pids.Inside(signals.Target) : 0;
    }

    private static CallResult Own(CallContext call, OpenFile file, SignalTarget kind, int? number)
    {
        if (number is not { } given)
            return Errno.EINVAL;
        int id = given == 0 ? 0 : kind == SignalTarget.Group ? GroupOf(call, given) : kind == SignalTarget.Thread ? call.FindThread(given)?.Id ?? 0 : call.FindProcess(given)?.Id ?? 0;
        if (given != 0 && id == 0)
            return Errno.ESRCH;
        (file.SignalOwner ??= new FileSignals()).SetTarget(kind, id, call.Thread);
        return 0;
    }

    private static int GroupOf(CallContext call, int number) => call.Pids.Outside(number) is not 0 and var group && call.World.FindGroup(group) is not null ? group : 0;

    /// <summary>Who is told, unless somebody was named: the caller.</summary>
    private static void OwnByDefault(CallContext call, OpenFile file)
    {
        FileSignals signals = file.SignalOwner ??= new FileSignals();
        if (signals.Target == 0)
            signals.SetTarget(SignalTarget.Process, call.Process.Id, call.Thread);
    }

    private static CallResult Lease(CallContext call, OpenFile file, int fd, int kind)
    {
        const int read = 0, write = 1, none = 2;
        if (kind is not (read or write or none))
            return Errno.EINVAL;
        Inode inode = file.Inode;
        if (kind != none || inode.Kind == FileKind.Regular)
        {
            if (call.Thread.FileCredentials.User != inode.Status.User && !call.Thread.Credentials.Has(Capability.Lease))
                return Errno.EACCES;
            if (inode.Kind != FileKind.Regular)
                return Errno.EINVAL;
        }
        Errno error = FileLeases.Set(call.World, file, fd, (LeaseKind)kind);
        if (error == Errno.None && kind != none)
            OwnByDefault(call, file);
        return error;
    }

    private static CallResult Watch(CallContext call, OpenFile file, int fd, uint events)
    {
        const uint access = 1, modify = 2, create = 4, delete = 8, rename = 16, attributes = 32, repeated = 0x80000000;
        if ((events & ~repeated) == 0)
        {
            DirectoryNotice.Set(call.World, file, fd, FileChange.None, isRepeated: false);
            return 0;
        }
        if (file.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        FileChange mask = FileChange.None;
        foreach ((uint flag, FileChange change) in (ReadOnlySpan<(uint, FileChange)>)
            [(access, FileChange.Accessed), (modify, FileChange.Modified), (create, FileChange.Created | FileChange.MovedTo),
             (delete, FileChange.Deleted | FileChange.MovedFrom), (rename, FileChange.Renamed), (attributes, FileChange.AttributesChanged)])
        {
            mask |= (events & flag) != 0 ? change : FileChange.None;
        }
        DirectoryNotice.Set(call.World, file, fd, mask, (events & repeated) != 0);
        OwnByDefault(call, file);
        return 0;
    }
}
