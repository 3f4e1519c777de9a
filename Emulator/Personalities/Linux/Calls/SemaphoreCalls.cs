using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>System V semaphores: semget(2), semop(2), semctl(2).</summary>
public static class SemaphoreCalls
{
    private const int Undo = 0x1000;

    public static CallResult Semget(CallContext call, int key, int count, int flags)
    {
        if (count < 0 || count > call.Ipc.SemaphoresOfSet.Value)
            return Errno.EINVAL;
        Credentials who = call.Thread.Credentials;
        return call.GetOrMake(call.Ipc.Semaphores, key, flags, found => count > found.Count ? Errno.EINVAL : Errno.None, () =>
            count == 0 ? (null, Errno.EINVAL) : count + call.Ipc.Semaphores.All.Sum(static set => (long)set.Count) > call.Ipc.MostSemaphores.Value ? (null, Errno.ENOSPC) : (new SemaphoreSet(count)
            {
                User = who.EffectiveUser, Group = who.EffectiveGroup, CreatorUser = who.EffectiveUser, CreatorGroup = who.EffectiveGroup,
                Mode = (uint)flags & 0x1FF, ChangeTime = call.Now(),
            }, Errno.None));
    }

    public static CallResult Semop(CallContext call, int id, GuestAddress operations, uint count) => Semtimedop(call, id, operations, count, GuestAddress.Null);

    public static CallResult Semtimedop(CallContext call, int id, GuestAddress operations, uint count, GuestAddress timeout)
    {
        if (!timeout.IsNull)
        {
            Errno late = call.SetTimeout(timeout);
            if (late != Errno.None)
                return late;
        }
        if (count == 0 || id < 0)
            return Errno.EINVAL;
        if (count > call.Ipc.SemaphoreOperations.Value)
            return Errno.E2BIG;
        Errno error = ReadOperations(call, operations, (int)count, out SemaphoreOperation[] wanted);
        if (error != Errno.None)
            return error;
        var waiter = call.State as SemaphoreWaiter;
        if ((waiter?.Set ?? call.Ipc.Semaphores.Find(id)) is not { } set)
            return Errno.EINVAL;
        if (set.IsRemoved)
            return Errno.EIDRM;
        error = waiter is null ? Check(call, set, wanted) : Errno.None;
        if (error != Errno.None)
            return error;
        waiter?.Abandon();
        error = set.Operate(wanted, call.Process.KeptId, out SemaphoreOperation? blocked);
        if (blocked is not { } impossible)
        {
            if (error == Errno.None)
                set.OperationTime = call.Now();
            return error;
        }
        if (impossible.NoWait || call.DeadlinePassed)
            return Errno.EAGAIN;
        return Wait(call, set, impossible);
    }

    private static CallResult Wait(CallContext call, SemaphoreSet set, SemaphoreOperation impossible)
    {
        if (call.Interrupted)
            return call.Wait(RestartKind.Never);
        var waiter = new SemaphoreWaiter(set) { Blocked = impossible };
        set.Waiters.Add(waiter);
        call.State = waiter;
        return call.Wait(set.Changed, RestartKind.Never);
    }

    private static Errno Check(CallContext call, SemaphoreSet set, SemaphoreOperation[] operations)
    {
        bool alters = false;
        foreach (SemaphoreOperation operation in operations)
        {
            if (operation.Number >= set.Count)
                return Errno.EFBIG;
            alters |= operation.Amount != 0;
        }
        return set.Allows(call.Thread.Credentials, alters ? IpcArguments.WriteAccess : IpcArguments.ReadAccess) ? Errno.None : Errno.EACCES;
    }

    /// <summary>struct sembuf: a number, an amount, flags.</summary>
    private static Errno ReadOperations(CallContext call, GuestAddress address, int count, out SemaphoreOperation[] operations)
    {
        const int size = 3;
        operations = new SemaphoreOperation[count];
        short[] words = new short[count * size];
        if (!call.Memory.TryRead(address, MemoryMarshal.AsBytes(words.AsSpan())))
            return Errno.EFAULT;
        for (int i = 0; i < count; i++)
        {
            int flags = words[(i * size) + 2];
            operations[i] = new SemaphoreOperation((ushort)words[i * size], words[(i * size) + 1], (flags & IpcArguments.NoWait) != 0, (flags & Undo) != 0);
        }
        return Errno.None;
    }

    public static CallResult Semctl(CallContext call, int id, int number, int command, ulong argument)
    {
        const int statusByIndex = 18, summary = 19, anyStatusByIndex = 20;
        if (id < 0)
            return Errno.EINVAL;
        IpcTable<SemaphoreSet> table = call.Ipc.Semaphores;
        var buffer = new GuestAddress(argument);
        if (command is IpcArguments.Information or summary)
            return Tell(call, table, command == summary, buffer);
        bool byIndex = command is statusByIndex or anyStatusByIndex;
        if ((byIndex ? table.AtIndex(id) : table.Find(id)) is not { } set)
            return Errno.EINVAL;
        switch (command)
        {
            case IpcArguments.Status or statusByIndex or anyStatusByIndex:
                if (command != anyStatusByIndex && !set.Allows(call.Thread.Credentials, IpcArguments.ReadAccess))
                    return Errno.EACCES;
                return WriteStatus(call, set, buffer) ? CallResult.Ok(byIndex ? set.Id : 0) : Errno.EFAULT;
            case IpcArguments.SetOwner:
                Span<byte> bytes = stackalloc byte[IpcArguments.OwnerSize];
                return call.Memory.TryRead(buffer, bytes) ? call.SetOwnerFrom(buffer, set, bytes) : Errno.EFAULT;
            case IpcArguments.RemoveId:
                if (!set.MayBeChangedBy(call.Thread.Credentials))
                    return Errno.EPERM;
                table.Remove(set);
                return CallResult.Ok();
            default:
                return ControlValues(call, set, number, command, argument);
        }
    }

    private static CallResult ControlValues(CallContext call, SemaphoreSet set, int number, int command, ulong argument)
    {
        const int getProcess = 11, getValue = 12, getAll = 13, getRising = 14, getZero = 15, setValue = 16, setAll = 17;
        if (command is < getProcess or > setAll)
            return Errno.EINVAL;
        int value = (int)(uint)argument;
        if (command == setValue && value is < 0 or > SemaphoreSet.LargestValue)
            return Errno.ERANGE;
        if (command is not (getAll or setAll) && (uint)number >= (uint)set.Count)
            return Errno.EINVAL;
        if (!set.Allows(call.Thread.Credentials, command is setValue or setAll ? IpcArguments.WriteAccess : IpcArguments.ReadAccess))
            return Errno.EACCES;
        switch (command)
        {
            case getProcess:
                return CallResult.Ok(call.NumberOf(set.ProcessOf(number)));
            case getValue:
                return CallResult.Ok(set[number]);
            case getRising or getZero:
                return CallResult.Ok(set.CountWaiters(number, forZero: command == getZero));
            case setValue:
                set.Set(number, (ushort)value, call.Process.KeptId);
                set.ChangeTime = call.Now();
                set.Changed.Pulse();
                return CallResult.Ok();
            default:
                return TransferAll(call, set, command == setAll, new GuestAddress(argument));
        }
    }

    private static CallResult TransferAll(CallContext call, SemaphoreSet set, bool writes, GuestAddress buffer)
    {
        ushort[] values = new ushort[set.Count];
        if (!writes)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = set[i];
            return call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(values.AsSpan())) ? CallResult.Ok() : Errno.EFAULT;
        }
        if (!call.Memory.TryRead(buffer, MemoryMarshal.AsBytes(values.AsSpan())))
            return Errno.EFAULT;
        if (Array.Exists(values, static value => value > SemaphoreSet.LargestValue))
            return Errno.ERANGE;
        for (int i = 0; i < values.Length; i++)
            set.Set(i, values[i], call.Process.KeptId);
        set.ChangeTime = call.Now();
        set.Changed.Pulse();
        return CallResult.Ok();
    }

    /// <summary>struct semid64_ds.</summary>
    private static bool WriteStatus(CallContext call, SemaphoreSet set, GuestAddress buffer)
    {
        Span<byte> status = stackalloc byte[104];
        status.Clear();
        IpcArguments.WriteOwner(status, set);
        ReadOnlySpan<long> words = LinuxArchitecture.Of(call.Thread).HasWideSemaphoreTimes ? [set.OperationTime, 0, set.ChangeTime, 0, set.Count] : [set.OperationTime, set.ChangeTime, set.Count];
        MemoryMarshal.AsBytes(words).CopyTo(status[IpcArguments.OwnerSize..]);
        int size = LinuxArchitecture.Of(call.Thread).HasWideSemaphoreTimes ? status.Length : status.Length - 16;
        return call.Memory.TryWrite(buffer, status[..size]);
    }

    /// <summary>struct seminfo: semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem.</summary>
    private static CallResult Tell(CallContext call, IpcTable<SemaphoreSet> table, bool isSummary, GuestAddress buffer)
    {
        const int undoSize = 20;
        IpcSpace space = call.Ipc;
        int mostSets = (int)space.MostSemaphoreSets.Value, all = (int)space.MostSemaphores.Value, operations = (int)space.SemaphoreOperations.Value;
        ReadOnlySpan<int> words =
        [
            all, mostSets, all, all, (int)space.SemaphoresOfSet.Value, operations, operations, isSummary ? table.Count : undoSize, SemaphoreSet.LargestValue,
            isSummary ? table.All.Sum(static set => set.Count) : SemaphoreSet.LargestValue,
        ];
        return call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(words)) ? CallResult.Ok(table.HighestIndex) : Errno.EFAULT;
    }
}
