using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.FreeBsd.Umtx;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>What threads wait for in memory: _umtx_op(2).</summary>
public static class UmtxCalls
{
    private enum Operation
    {
        Lock = 0,
        Unlock = 1,
        Wait = 2,
        Wake = 3,
        MutexTryLock = 4,
        MutexLock = 5,
        MutexUnlock = 6,
        SetCeiling = 7,
        ConditionWait = 8,
        ConditionSignal = 9,
        ConditionBroadcast = 10,
        WaitWord = 11,
        ReadLock = 12,
        WriteLock = 13,
        ReadWriteUnlock = 14,
        WaitWordPrivate = 15,
        WakePrivate = 16,
        MutexWait = 17,
        MutexWake = 18,
        OldSemaphoreWait = 19,
        OldSemaphoreWake = 20,
        WakeManyPrivate = 21,
        MutexRepair = 22,
        SemaphoreWait = 23,
        SemaphoreWake = 24,
        SharedMemory = 25,
        RobustLists = 26,
    }

    public static CallResult UmtxOp(CallContext call, GuestAddress address, int operation, ulong value, GuestAddress first, GuestAddress second)
    {
        int count = (int)value;
        return (Operation)operation switch
        {
            // Of before FreeBSD 11.
            Operation.Lock or Operation.Unlock => Errno.EOPNOTSUPP,
            Operation.Wait => UmtxWord.Wait(call, address, value, isLong: true, isPrivate: false, first, second),
            Operation.WaitWord => UmtxWord.Wait(call, address, (uint)value, isLong: false, isPrivate: false, first, second),
            Operation.WaitWordPrivate => UmtxWord.Wait(call, address, (uint)value, isLong: false, isPrivate: true, first, second),
            Operation.Wake => UmtxWord.Wake(call, address, count, isPrivate: false),
            Operation.WakePrivate => UmtxWord.Wake(call, address, count, isPrivate: true),
            Operation.WakeManyPrivate => UmtxWord.WakeMany(call, address, count),
            Operation.ReadLock => UmtxReadersWriter.LockForReading(call, address, value, first, second),
            Operation.WriteLock => UmtxReadersWriter.LockForWriting(call, address, first, second),
            Operation.ReadWriteUnlock => UmtxReadersWriter.Unlock(call, address),
            Operation.OldSemaphoreWait => UmtxSemaphore.WaitOld(call, address, first, second),
            Operation.OldSemaphoreWake => UmtxSemaphore.WakeOld(call, address),
            Operation.SemaphoreWait => UmtxSemaphore.Wait(call, address, first, second),
            Operation.SemaphoreWake => UmtxSemaphore.Wake(call, address),
            Operation.SharedMemory => SharedMemory(call, first, (uint)value),
            Operation.RobustLists => UmtxRobustLists.Set(call, value, first),
            _ => OnMutex(call, address, (Operation)operation, value, first, second),
        };
    }

    private static CallResult OnMutex(CallContext call, GuestAddress address, Operation operation, ulong value, GuestAddress first, GuestAddress second) => operation switch
    {
        Operation.MutexTryLock => UmtxMutex.Lock(call, address, LockMode.Try, default, default),
        Operation.MutexLock => UmtxMutex.Lock(call, address, LockMode.Wait, first, second),
        Operation.MutexWait => UmtxMutex.Lock(call, address, LockMode.Watch, first, second),
        Operation.MutexUnlock => UmtxMutex.Unlock(call.Thread, address) is not Errno.None and var error ? error : CallResult.Ok(),
        Operation.MutexWake => UmtxMutex.Wake(call, address),
        Operation.MutexRepair => UmtxMutex.Repair(call, address, (uint)value),
        Operation.SetCeiling => UmtxCeiling.Set(call, address, value, first),
        Operation.ConditionWait => UmtxCondition.Wait(call, address, value, first, second),
        Operation.ConditionSignal => UmtxCondition.Signal(call, address, 1),
        Operation.ConditionBroadcast => UmtxCondition.Signal(call, address, int.MaxValue),
        _ => Errno.EINVAL,
    };

    private static CallResult SharedMemory(CallContext call, GuestAddress address, uint flags)
    {
        const uint create = 1, lookUp = 2, destroy = 4, alive = 8;
        uint wanted = flags & (create | lookUp | destroy | alive);
        if (!uint.IsPow2(wanted))
            return Errno.EINVAL;
        if (call.Memory.FutexKey(address, isPrivate: false) is not { } place)
            return Errno.EFAULT;
        SharedPages pages = call.World.SharedPages;
        if (wanted == alive)
            return pages.WasGivenUp(place.Key) ? Errno.ENOTTY : CallResult.Ok();
        Errno error;
        if (wanted == destroy)
            return (error = pages.GiveUp(place)) != Errno.None ? error : CallResult.Ok();
        error = pages.Open(call, place, makes: wanted == create, out Kernel.Files.OpenFile? file);
        return error != Errno.None ? error : OpenCalls.Install(call, file!, closeOnExec: true);
    }
}
