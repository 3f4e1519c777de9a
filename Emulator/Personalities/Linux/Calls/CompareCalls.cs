using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>kcmp(2): do two threads share something? 0 when they do, or which of both comes first in an order that stays.</summary>
public static class CompareCalls
{
    private const int File = 0, Memory = 1, Files = 2, Context = 3, Handlers = 4, IoContext = 5, Semaphores = 6, EventTarget = 7;

    public static CallResult Kcmp(CallContext call, int first, int second, int type, ulong firstIndex, ulong secondIndex)
    {
        if (call.Pids.FindThread(first) is not { } one || call.Pids.FindThread(second) is not { } other)
            return Errno.ESRCH;
        if (!one.Process.MayBeInspectedBy(call.Thread) || !other.Process.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        switch (type)
        {
            case File:
                return one.Process.Files.Get((int)firstIndex) is { } file && other.Process.Files.Get((int)secondIndex) is { } otherFile
                    ? Order(call, file, otherFile) : Errno.EBADF;
            case Memory:
                return Order(call, one.Process.Memory, other.Process.Memory);
            case Files:
                return Order(call, one.Process.Files, other.Process.Files);
            case Context:
                return Order(call, one.Process.FileContext, other.Process.FileContext);
            case Handlers:
                return Order(call, one.Process.Actions, other.Process.Actions);
            case IoContext:
                // Nobody has one.
                return 0;
            case Semaphores:
                return CompareUndo(call, one.Process, other.Process);
            case EventTarget:
                return CompareTarget(call, one.Process, other.Process, firstIndex, new GuestAddress(secondIndex));
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>Lists of semaphore adjustments: a process without one is like all others without.</summary>
    private static CallResult CompareUndo(CallContext call, Process one, Process other)
    {
        object? list = UndoListOf(call.World, one), otherList = UndoListOf(call.World, other);
        return list == otherList ? 0 : list is null ? 1 : otherList is null ? 2 : Order(call, list, otherList);
    }

    private static object? UndoListOf(World world, Process process) => process.UndoList ?? (world.HasUndo(process) ? process : null);

    /// <summary>A file of the first process, and what an epoll of the second watches: struct kcmp_epoll_slot.</summary>
    private static CallResult CompareTarget(CallContext call, Process one, Process other, ulong descriptor, GuestAddress slot)
    {
        if (!call.Memory.TryRead(slot, out int epoll) || !call.Memory.TryRead(slot + 4, out int target) || !call.Memory.TryRead(slot + 8, out int skip))
            return Errno.EFAULT;
        if (one.Files.Get((int)descriptor) is not { } file || other.Files.Get(epoll) is not { } watcher)
            return Errno.EBADF;
        if (watcher is not EventSet set)
            return Errno.EINVAL;
        return set.FindFile(target, skip) is { } watched ? Order(call, file, watched) : Errno.ENOENT;
    }

    private static CallResult Order(CallContext call, object one, object other)
    {
        int order = call.World.OrderOf(one).CompareTo(call.World.OrderOf(other));
        return order == 0 ? 0 : order < 0 ? 1 : 2;
    }
}
