using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>epoll(7) as a view of <see cref="EventSet"/>.</summary>
public static class EpollCalls
{
    private const int CloseOnExec = 0x80000;
    private const int OperationAdd = 1;
    private const int OperationDelete = 2;
    private const int OperationModify = 3;
    private const int MostTaken = 256;

    public static CallResult EpollCreate(CallContext call, int size) => size <= 0 ? Errno.EINVAL : EpollCreate1(call, 0);

    public static CallResult EpollCreate1(CallContext call, int flags) =>
        (flags & ~CloseOnExec) != 0 ? Errno.EINVAL : PipeCalls.Install(call, new EventSet(call.World, OpenFlags.ReadWrite), flags != 0);

    public static CallResult EpollCtl(CallContext call, int epfd, int operation, int fd, GuestAddress address)
    {
        EpollEvent wanted = default;
        if (operation != OperationDelete && !EpollEvent.TryRead(call.Memory, address, LinuxArchitecture.Of(call.Thread), out wanted))
            return Errno.EFAULT;
        if (call.UsableFile(epfd, out OpenFile outer) != Errno.None || call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        // What is always ready is refused.
        if (!file.IsPollable)
            return Errno.EPERM;
        if (outer is not EventSet set || file == outer)
            return Errno.EINVAL;
        if ((wanted.Events & EpollEvent.Exclusive) != 0 && !MayBeExclusive(operation, wanted.Events, file))
            return Errno.EINVAL;
        var mask = (Readiness)(wanted.Events & 0x0FFFFFFF);
        WatchPolicy policy = Policy(wanted.Events);
        return operation switch
        {
            OperationAdd => set.Add(file, fd, mask, policy, wanted.Data),
            OperationDelete => set.Remove(file, fd),
            OperationModify => set.Change(file, fd, mask, policy, wanted.Data),
            _ => Errno.EINVAL,
        };
    }

    private static bool MayBeExclusive(int operation, uint events, OpenFile file) =>
        operation == OperationAdd && (events & ~EpollEvent.WithExclusive) == 0 && file is not EventSet;

    private static WatchPolicy Policy(uint events) =>
        ((events & EpollEvent.EdgeTriggered) != 0 ? WatchPolicy.Edge : 0) |
        ((events & EpollEvent.OneShot) != 0 ? WatchPolicy.OneShot : 0) |
        ((events & EpollEvent.Exclusive) != 0 ? WatchPolicy.Exclusive : 0);

    public static CallResult EpollWait(CallContext call, int epfd, GuestAddress events, int count, int timeout)
    {
        call.SetTimeout(timeout < 0 ? null : timeout * 1_000_000L);
        return Wait(call, epfd, events, count);
    }

    public static CallResult EpollPwait(CallContext call, int epfd, GuestAddress events, int count, int timeout, GuestAddress mask, ulong size)
    {
        Errno error = call.UseTemporaryMask(mask, size);
        return error != Errno.None ? error : EpollWait(call, epfd, events, count, timeout);
    }

    public static CallResult EpollPwait2(CallContext call, int epfd, GuestAddress events, int count, GuestAddress timeout, GuestAddress mask, ulong size)
    {
        Errno error = call.UseTemporaryMask(mask, size);
        if (error == Errno.None)
            error = call.SetTimeout(timeout);
        return error != Errno.None ? error : Wait(call, epfd, events, count);
    }

    private static CallResult Wait(CallContext call, int epfd, GuestAddress events, int count)
    {
        if (call.UsableFile(epfd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if (count is <= 0 or > int.MaxValue / 12)
            return Errno.EINVAL;
        if (file is not EventSet set)
            return Errno.EINVAL;
        Span<ReadyEvent> ready = stackalloc ReadyEvent[Math.Min(count, MostTaken)];
        int taken = set.Take(ready);
        LinuxArchitecture architecture = LinuxArchitecture.Of(call.Thread);
        for (int i = 0; i < taken; i++)
        {
            var told = new EpollEvent { Events = (uint)ready[i].Ready, Data = ready[i].Data };
            if (!told.TryWrite(call.Memory, events + ((ulong)i * EpollEvent.SizeFor(architecture)), architecture))
                return i > 0 ? i : Errno.EFAULT;
        }
        return taken > 0 || call.DeadlinePassed ? taken : call.Wait(set.Source, RestartKind.Never);
    }
}
