using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>flock(2) and the locks of fcntl(2).</summary>
public static class LockCalls
{
    private const uint GetLock = 5;
    private const uint SetLockWait = 7;
    private const uint OpenFileGetLock = 36;
    private const uint OpenFileSetLockWait = 38;

    public static CallResult Flock(CallContext call, int fd, uint operation)
    {
        const uint Shared = 1;
        const uint Exclusive = 2;
        const uint NonBlocking = 4;
        const uint Unlock = 8;
        uint kind = operation & ~NonBlocking;
        if (kind is not (Shared or Exclusive or Unlock))
            return Errno.EINVAL;
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        FileLocks locks = FileLocks.Of(file.Inode);
        if (kind == Unlock)
        {
            locks.UnlockFile(file);
            return 0;
        }
        if (locks.TryLockFile(file, kind == Exclusive))
            return 0;
        return (operation & NonBlocking) != 0 ? Errno.EAGAIN : call.Wait(locks.Source);
    }

    /// <summary>F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms.</summary>
    internal static CallResult Control(CallContext call, OpenFile file, uint command, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out Flock request))
            return Errno.EFAULT;
        CallResult result = Apply(call, file, command, ref request);
        bool isTold = result.Outcome == CallOutcome.Value && command is GetLock or OpenFileGetLock;
        return !isTold || call.Memory.TryWrite(address, request) ? result : Errno.EFAULT;
    }

    /// <summary>The same for a request that was read; what is asked for is told in it.</summary>
    internal static CallResult Apply(CallContext call, OpenFile file, uint command, ref Flock request)
    {
        bool byFile = command >= OpenFileGetLock;
        if (byFile && request.ProcessId != 0)
            return Errno.EINVAL;
        Errno error = Decode(call, file, request, byFile, out RecordLock wanted);
        if (error != Errno.None)
            return error;
        FileLocks locks = FileLocks.Of(file.Inode);
        if (command is GetLock or OpenFileGetLock)
            return request.Type == Abi.Flock.Unlock ? Errno.EINVAL : Report(call, ref request, locks.FindConflict(wanted));
        if (request.Type == Abi.Flock.Unlock)
        {
            locks.Clear(wanted.Owner, wanted.Start, wanted.End);
            return 0;
        }
        if (wanted.IsExclusive ? !file.CanWrite : !file.CanRead)
            return Errno.EBADF;
        call.Process.Files.WaitsForLockOf = null;
        if (locks.FindConflict(wanted) is not { } blocker)
        {
            locks.Set(wanted);
            return 0;
        }
        if (command is not (SetLockWait or OpenFileSetLockWait))
            return Errno.EAGAIN;
        return Wait(call, locks, wanted, blocker);
    }

    private static CallResult Wait(CallContext call, FileLocks locks, in RecordLock wanted, in RecordLock blocker)
    {
        // Only waits between processes can be told to be a deadlock (fcntl(2)).
        if (wanted.Owner is FileTable waiter && blocker.Owner is FileTable)
        {
            if (FileLocks.ClosesCycle(waiter, blocker.Owner, static owner => (owner as FileTable)?.WaitsForLockOf))
                return Errno.EDEADLK;
            waiter.WaitsForLockOf = blocker.Owner;
        }
        CallResult result = call.Wait(locks.Source);
        if (result.Outcome != CallOutcome.Blocked)
            call.Process.Files.WaitsForLockOf = null;
        return result;
    }

    private static Errno Decode(CallContext call, OpenFile file, in Flock request, bool byFile, out RecordLock wanted)
    {
        wanted = default;
        if (request.Type is < Abi.Flock.ReadLock or > Abi.Flock.Unlock)
            return Errno.EINVAL;
        long start;
        switch (request.Whence)
        {
            case 0:
                start = 0;
                break;
            case 1:
                start = file.Position;
                break;
            case 2:
                start = file.Inode.Status.Size;
                break;
            default:
                return Errno.EINVAL;
        }
        if (request.Start > long.MaxValue - start)
            return Errno.EOVERFLOW;
        start += request.Start;
        long end = long.MaxValue;
        if (request.Length > 0)
        {
            if (request.Length - 1 > long.MaxValue - Math.Max(start, 0))
                return Errno.EOVERFLOW;
            end = start + request.Length - 1;
        }
        else if (request.Length < 0)
        {
            // A negative length covers the bytes before the start.
            end = start - 1;
            start += request.Length;
        }
        object owner = byFile ? file : call.Process.Files;
        wanted = new RecordLock(owner, byFile ? -1 : call.Process.Id, start, end, request.Type == Abi.Flock.WriteLock);
        return start < 0 ? Errno.EINVAL : Errno.None;
    }

    private static CallResult Report(CallContext call, ref Flock request, RecordLock? conflict)
    {
        if (conflict is not { } held)
        {
            request.Type = Abi.Flock.Unlock;
        }
        else
        {
            request.Type = held.IsExclusive ? Abi.Flock.WriteLock : Abi.Flock.ReadLock;
            request.Whence = 0;
            request.Start = held.Start;
            request.Length = held.End == long.MaxValue ? 0 : held.End - held.Start + 1;
            request.ProcessId = held.ProcessId > 0 ? call.Pids.Inside(held.ProcessId) : held.ProcessId;
        }
        return CallResult.Ok();
    }
}
