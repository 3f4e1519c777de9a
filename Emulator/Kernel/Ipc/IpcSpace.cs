namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>System V objects, POSIX message queues and semaphores that some processes see, and their limits (ipc_namespaces(7)).</summary>
public sealed class IpcSpace : Namespace
{
    /// <summary>SHMMAX and SHMALL of include/uapi/linux/shm.h.</summary>
    private const long Unlimited = unchecked((long)(ulong.MaxValue - (1UL << 24)));
    private const int MostIds = 32_768;

    private readonly World _world;

    public IpcSpace(World world, UserSpace? owner)
        : base(world, "ipc", owner)
    {
        _world = world;
        Segments = new IpcTable<SharedSegment>(MostSegments, NextSegment);
        Semaphores = new IpcTable<SemaphoreSet>(MostSemaphoreSets, NextSemaphores);
        Channels = new IpcTable<MessageChannel>(MostChannels, NextChannel);
        KernelSemaphores = new KernelSemaphores(world);
        world.Track(this);
    }

    public IpcTable<SharedSegment> Segments { get; }

    public IpcTable<SemaphoreSet> Semaphores { get; }

    public IpcTable<MessageChannel> Channels { get; }

    public SortedDictionary<string, PosixQueue> Queues { get; } = new(StringComparer.Ordinal);

    /// <summary>Semaphores behind descriptors.</summary>
    public KernelSemaphores KernelSemaphores { get; }

    /// <summary>Bytes of one segment, and pages of all.</summary>
    public Setting SegmentSize { get; } = new(Unlimited) { IsUnsigned = true };

    public Setting SegmentPages { get; } = new(Unlimited) { IsUnsigned = true };

    public Setting MostSegments { get; } = new(4096, 0, MostIds);

    /// <summary>Semaphores of a set, semaphores in all, operations of a call, sets.</summary>
    public Setting SemaphoresOfSet { get; } = new(32_000, 0, int.MaxValue);

    public Setting MostSemaphores { get; } = new(1_024_000_000);

    public Setting SemaphoreOperations { get; } = new(500);

    public Setting MostSemaphoreSets { get; } = new(32_000, 0, MostIds);

    /// <summary>Bytes of a message, bytes that a new queue holds, queues.</summary>
    public Setting MessageSize { get; } = new(8192);

    public Setting ChannelCapacity { get; } = new(16_384);

    public Setting MostChannels { get; } = new(32_000, 0, MostIds);

    /// <summary>The id that the next object of a kind gets; -1 leaves it to the kernel, which it does after each use.</summary>
    public Setting NextSegment { get; } = new(-1, -1);

    public Setting NextSemaphores { get; } = new(-1, -1);

    public Setting NextChannel { get; } = new(-1, -1);

    /// <summary>POSIX queues; and the messages, and their bytes, that unprivileged makers of one may ask for, and get without asking.</summary>
    public Setting MostQueues { get; } = new(256);

    public Setting QueueMessages { get; } = new(10, 1, 65_536);

    public Setting QueueMessageSize { get; } = new(8192, 128, 16 << 20);

    public Setting UsualQueueMessages { get; } = new(10, 1, 65_536);

    public Setting UsualQueueMessageSize { get; } = new(8192, 128, 16 << 20);

    /// <summary>Whether a process ever asked for its semaphore operations to be undone.</summary>
    public bool HasUndo(int process)
    {
        foreach (SemaphoreSet set in Semaphores.All)
        {
            if (set.HasUndo(process))
                return true;
        }
        return false;
    }

    /// <summary>Nobody is in it or holds it any more: its objects go.</summary>
    internal override void OnLeft()
    {
        if (Holders > 0 || _world.FirstNamespaces.Ipc == this)
            return;
        foreach (Process process in _world.Processes())
        {
            foreach (GuestThread thread in process.Threads)
            {
                if (thread.State != ThreadState.Dead && thread.Namespaces.Ipc == this)
                    return;
            }
        }
        Clear();
        _world.Forget(this);
    }

    /// <summary>Lets all objects go.</summary>
    internal void Clear()
    {
        foreach (SharedSegment segment in (SharedSegment[])[.. Segments.All])
            Segments.Remove(segment);
        foreach (SemaphoreSet set in (SemaphoreSet[])[.. Semaphores.All])
            Semaphores.Remove(set);
        foreach (MessageChannel channel in (MessageChannel[])[.. Channels.All])
            Channels.Remove(channel);
        Queues.Clear();
        KernelSemaphores.Clear();
    }
}
