using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>One operation of semop(2).</summary>
public readonly record struct SemaphoreOperation(int Number, int Amount, bool NoWait, bool Undo);

/// <summary>A call that waits for operations to become possible.</summary>
public sealed class SemaphoreWaiter(SemaphoreSet set) : IAbandonable
{
    /// <summary>The operation that cannot be done now.</summary>
    public SemaphoreOperation Blocked { get; internal set; }

    public SemaphoreSet Set => set;

    public void Abandon() => set.Waiters.Remove(this);
}

/// <summary>A set of semaphores (semop(2)): operations are done all or none.</summary>
public sealed class SemaphoreSet(int count) : IpcObject
{
    public const int LargestValue = 32_767;

    private readonly ushort[] _values = new ushort[count];
    private readonly KeptId?[] _processes = new KeptId?[count];

    /// <summary>What processes have to give back at their end, by process and semaphore.</summary>
    private readonly SortedDictionary<(int Process, int Number), int> _undo = [];

    public int Count => _values.Length;

    public long OperationTime { get; set; }

    /// <summary>Pulses when a value changed, and when the set is gone.</summary>
    public Source Changed { get; } = new();

    internal List<SemaphoreWaiter> Waiters { get; } = [];

    public ushort this[int number] => _values[number];

    /// <summary>Who changed it last.</summary>
    public KeptId? ProcessOf(int number) => _processes[number];

    /// <summary>How many wait for a value to rise, or to become 0.</summary>
    public int CountWaiters(int number, bool forZero) =>
        Waiters.Count(waiter => waiter.Blocked.Number == number && (waiter.Blocked.Amount == 0) == forZero);

    public void Set(int number, ushort value, KeptId process)
    {
        _values[number] = value;
        _processes[number] = process;
        foreach ((int, int) key in _undo.Keys.Where(key => key.Number == number).ToArray())
            _undo.Remove(key);
    }

    /// <summary>Does all operations, or none: then <paramref name="blocked"/> is the first impossible one, or the error says why.</summary>
    public Errno Operate(ReadOnlySpan<SemaphoreOperation> operations, KeptId process, out SemaphoreOperation? blocked)
    {
        blocked = null;
        Span<ushort> before = stackalloc ushort[Math.Min(Count, 512)];
        ushort[] kept = Count > 512 ? (ushort[])_values.Clone() : [];
        if (kept.Length == 0)
            _values.CopyTo(before);
        foreach (SemaphoreOperation operation in operations)
        {
            int value = _values[operation.Number] + operation.Amount;
            bool waits = operation.Amount == 0 ? _values[operation.Number] != 0 : value < 0;
            Errno error = value > LargestValue || (operation.Undo && IsOutOfRange(process.Id, operation)) ? Errno.ERANGE : Errno.None;
            if (waits || error != Errno.None)
            {
                (kept.Length == 0 ? before[..Count] : kept.AsSpan()).CopyTo(_values);
                if (error == Errno.None)
                    blocked = operation;
                return error;
            }
            _values[operation.Number] = (ushort)value;
        }
        foreach (SemaphoreOperation operation in operations)
            Complete(operation, process);
        Changed.Pulse();
        return Errno.None;
    }

    private bool IsOutOfRange(int process, SemaphoreOperation operation) =>
        Math.Abs(_undo.GetValueOrDefault((process, operation.Number)) - operation.Amount) > LargestValue;

    private void Complete(SemaphoreOperation operation, KeptId process)
    {
        _processes[operation.Number] = process;
        if (!operation.Undo || operation.Amount == 0)
            return;
        (int, int) key = (process.Id, operation.Number);
        _undo[key] = _undo.GetValueOrDefault(key) - operation.Amount;
    }

    public bool HasUndo(int process)
    {
        foreach ((int Process, int Number) key in _undo.Keys)
        {
            if (key.Process == process)
                return true;
        }
        return false;
    }

    /// <summary>An ending process gives back what it promised to (SEM_UNDO).</summary>
    public void UndoFor(KeptId process)
    {
        bool any = false;
        foreach (((int Process, int Number) key, int amount) in _undo.Where(entry => entry.Key.Process == process.Id).ToArray())
        {
            _undo.Remove(key);
            _values[key.Number] = (ushort)Math.Clamp(_values[key.Number] + amount, 0, LargestValue);
            _processes[key.Number] = process;
            any = true;
        }
        if (any)
            Changed.Pulse();
    }

    public override void Remove()
    {
        base.Remove();
        Changed.Pulse();
    }
}
