using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>A count that threads wait for not to be 0, behind descriptors (sem_open(3), sem_init(3)); it lives as long as one of them, or its name, does.</summary>
public sealed class KernelSemaphore
{
    private readonly KernelSemaphores _all;
    private readonly LinkedList<KernelSemaphoreWaiter> _queue = [];
    private int _holders;

    internal KernelSemaphore(KernelSemaphores all, World world, string? name, uint value, uint mode, Credentials maker)
    {
        (_all, Name, Value, Maker) = (all, name, value, maker.User);
        Inode = new AnonymousInode(world, FileKind.Regular, mode, maker.EffectiveUser, maker.EffectiveGroup);
    }

    /// <summary>What it was made as; null for those without a name.</summary>
    public string? Name { get; }

    public uint Value { get; private set; }

    /// <summary>The user who made it.</summary>
    public uint Maker { get; }

    /// <summary>Its owner and who may use it.</summary>
    public Inode Inode { get; }

    /// <summary>Destroyed, though there are descriptors of it.</summary>
    public bool IsDead { get; set; }

    /// <summary>The number by which all processes find it, and the one that may destroy it.</summary>
    public (long Number, Process? Owner) Shared { get; internal set; }

    /// <summary>Threads in a wait for it.</summary>
    public int Waiting { get; private set; }

    public bool TryTake()
    {
        if (Value == 0)
            return false;
        Value--;
        return true;
    }

    /// <summary>Counts up and wakes who has waited longest; EOVERFLOW past the largest count.</summary>
    public Errno Post(uint largest)
    {
        if (Value >= largest)
            return Errno.EOVERFLOW;
        Value++;
        WakeFirst();
        return Errno.None;
    }

    /// <summary>Begins to wait, behind all others.</summary>
    public KernelSemaphoreWaiter Wait()
    {
        var waiter = new KernelSemaphoreWaiter(this);
        waiter.Place = _queue.AddLast(waiter);
        Waiting++;
        return waiter;
    }

    internal void Leave(KernelSemaphoreWaiter waiter)
    {
        Waiting--;
        if (waiter.Place is { } place)
            _queue.Remove(place);
    }

    internal void WakeFirst()
    {
        if (_queue.First is not { } first)
            return;
        _queue.RemoveFirst();
        first.Value.Place = null;
        first.Value.Source.Pulse();
    }

    internal void Hold() => _holders++;

    internal void Release()
    {
        if (--_holders == 0)
            _all.Forget(this);
    }
}

/// <summary>A thread's place in the queue of a semaphore.</summary>
public sealed class KernelSemaphoreWaiter(KernelSemaphore semaphore) : IAbandonable
{
    private bool _hasLeft;

    public KernelSemaphore Semaphore => semaphore;

    public Source Source { get; } = new();

    /// <summary>Null once it was woken, to look whether the count is still there.</summary>
    internal LinkedListNode<KernelSemaphoreWaiter>? Place { get; set; }

    public bool IsWoken => Place is null;

    /// <summary>The wait is over.</summary>
    public void Leave()
    {
        if (!_hasLeft)
            semaphore.Leave(this);
        _hasLeft = true;
    }

    /// <summary>Who was woken and ends before it looked lets the next one look.</summary>
    public void Abandon()
    {
        bool passesOn = IsWoken && !_hasLeft;
        Leave();
        if (passesOn)
            semaphore.WakeFirst();
    }
}

/// <summary>A descriptor of a semaphore. It is not read, written or waited for by poll(2).</summary>
public sealed class SemaphoreFile : OpenFile
{
    public SemaphoreFile(KernelSemaphore semaphore)
        : base(OpenFlags.ReadWrite)
    {
        Semaphore = semaphore;
        semaphore.Hold();
    }

    public KernelSemaphore Semaphore { get; }

    public override Inode Inode => Semaphore.Inode;

    public override string Description => "semaphore:" + (Semaphore.Name ?? "[unnamed]");

    public override Readiness Poll() => Readiness.None;

    public override IoResult Read(Span<byte> destination) => Errno.EOPNOTSUPP;

    public override IoResult Write(ReadOnlySpan<byte> source) => Errno.EOPNOTSUPP;

    protected override void OnLastClose() => Semaphore.Release();
}

/// <summary>The semaphores that some processes see, by name and by number.</summary>
public sealed class KernelSemaphores(World world)
{
    private readonly SortedDictionary<string, KernelSemaphore> _named = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, KernelSemaphore> _shared = [];
    private readonly SortedDictionary<uint, int> _ofUsers = [];

    /// <summary>All there are.</summary>
    public int Count { get; private set; }

    /// <summary>Those that have a name now.</summary>
    public int NamedCount => _named.Count;

    /// <summary>Those that a user made.</summary>
    public int CountOf(uint user) => _ofUsers.GetValueOrDefault(user);

    public KernelSemaphore? Find(string name) => _named.GetValueOrDefault(name);

    public KernelSemaphore? Find(long number) => _shared.GetValueOrDefault(number);

    /// <param name="name">Null for one without a name, which its first descriptor keeps.</param>
    /// <param name="mode">Permissions, as they are to be.</param>
    public KernelSemaphore Make(string? name, uint value, uint mode, Credentials maker)
    {
        var made = new KernelSemaphore(this, world, name, value, mode, maker);
        Count++;
        _ofUsers[maker.User] = CountOf(maker.User) + 1;
        if (name is not null)
        {
            _named.Add(name, made);
            made.Hold();
        }
        return made;
    }

    /// <summary>Lets all processes find it by a number.</summary>
    public void Share(KernelSemaphore semaphore, long number, Process owner)
    {
        _shared.Add(number, semaphore);
        semaphore.Shared = (number, owner);
    }

    /// <summary>Takes the number back.</summary>
    public void Unshare(KernelSemaphore semaphore)
    {
        if (semaphore.Shared.Owner is not null)
            _shared.Remove(semaphore.Shared.Number);
        semaphore.Shared = (semaphore.Shared.Number, null);
    }

    /// <summary>Takes the name away; descriptors go on.</summary>
    public void Unlink(KernelSemaphore semaphore)
    {
        _named.Remove(semaphore.Name!);
        semaphore.Release();
    }

    internal void Forget(KernelSemaphore semaphore)
    {
        Unshare(semaphore);
        Count--;
        int left = CountOf(semaphore.Maker) - 1;
        if (left == 0)
            _ofUsers.Remove(semaphore.Maker);
        else
            _ofUsers[semaphore.Maker] = left;
    }

    internal void Clear()
    {
        foreach (KernelSemaphore semaphore in (KernelSemaphore[])[.. _named.Values])
            Unlink(semaphore);
    }
}
