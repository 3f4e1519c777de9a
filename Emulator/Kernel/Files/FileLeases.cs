using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What a lease keeps others from doing unnoticed: a read lease, writing; a write lease, opening at all (fcntl(2), "Leases").</summary>
public enum LeaseKind : byte
{
    Read,
    Write,
    None,
}

/// <summary>The leases on one file.</summary>
public sealed class FileLeases
{
    private readonly List<Lease> _leases = [];

    /// <summary>Pulses when a lease goes or shrinks.</summary>
    private Source Changed { get; } = new();

    /// <summary>What a description's lease is, or is about to become.</summary>
    public static LeaseKind KindOf(OpenFile file) => file.Inode.Leases?.Find(file) is { } lease ? lease.BreaksTo ?? lease.Kind : LeaseKind.None;

    /// <summary>Takes, changes or gives up a lease: EAGAIN when others have the file open in a way that it forbids, or when there is none to give up.</summary>
    public static Errno Set(World world, OpenFile file, int descriptor, LeaseKind kind)
    {
        Inode inode = file.Inode;
        if (kind == LeaseKind.None)
            return inode.Leases?.Remove(file) == true ? Errno.None : Errno.EAGAIN;
        int ownWriters = file.CanWrite ? 1 : 0, ownReaders = 1 - ownWriters;
        bool isInTheWay = kind == LeaseKind.Read ? inode.Writers > 0 : inode.Writers != ownWriters || inode.Readers != ownReaders || inode.Executors > 0;
        FileLeases leases = inode.Leases ??= new FileLeases();
        foreach (Lease other in leases._leases)
            isInTheWay |= other.File != file && (kind == LeaseKind.Write || other.BreaksTo == LeaseKind.None);
        if (isInTheWay)
            return Errno.EAGAIN;
        if (leases.Find(file) is { } own)
        {
            // Who is waiting to write counts as a writer already.
            if (own.BreaksTo == LeaseKind.None && kind == LeaseKind.Read)
                return Errno.EAGAIN;
            own.Change(kind);
            leases.Changed.Pulse();
            return Errno.None;
        }
        leases._leases.Add(new Lease(world, file, descriptor) { Kind = kind });
        return Errno.None;
    }

    private Lease? Find(OpenFile file) => _leases.Find(lease => lease.File == file);

    internal bool Remove(OpenFile file)
    {
        if (_leases.RemoveAll(lease => lease.File == file) == 0)
            return false;
        // Whom it told is forgotten with it (lease_modify in fs/locks.c).
        file.SignalOwner = null;
        Changed.Pulse();
        return true;
    }

    /// <summary>
    /// Before a file is opened or shortened: who has a lease that forbids it is told, and has some time to give it up. EAGAIN with a source to wait for added to the
    /// call, or without one when the call does not wait.
    /// </summary>
    public static Errno Break(CallContext? call, Inode inode, OpenFlags flags)
    {
        if (call is null || inode.Leases is not { } leases || leases._leases.Count == 0)
            return Errno.None;
        LeaseKind allowed = (flags & (OpenFlags.Write | OpenFlags.Truncate)) != 0 ? LeaseKind.None : LeaseKind.Read;
        long now = call.World.Clock.Monotonic;
        long? deadline = null;
        foreach (Lease lease in leases._leases.ToArray())
        {
            if (lease.Kind == LeaseKind.Read && allowed == LeaseKind.Read)
                continue;
            if (lease.BreaksTo is null || (allowed == LeaseKind.None && lease.BreaksTo != LeaseKind.None))
                lease.Break(allowed, now + (call.World.Settings.LeaseBreakTime.Value * 1_000_000_000));
            if (lease.Deadline <= now)
                leases.End(lease);
            else if (deadline is null || lease.Deadline < deadline)
                deadline = lease.Deadline;
        }
        if (deadline is not { } end)
            return Errno.None;
        if ((flags & OpenFlags.NonBlocking) == 0)
        {
            call.MoveDeadline(end);
            call.AddSource(leases.Changed);
        }
        return Errno.EAGAIN;
    }

    /// <summary>Its time is over: it becomes what it should have become.</summary>
    private void End(Lease lease)
    {
        if (lease.BreaksTo is LeaseKind.None or null)
            Remove(lease.File);
        else
            lease.Change(lease.BreaksTo.Value);
    }

    private sealed class Lease(World world, OpenFile file, int descriptor)
    {
        public OpenFile File => file;

        public LeaseKind Kind { get; set; }

        /// <summary>What others wait for it to become; null while nobody does.</summary>
        public LeaseKind? BreaksTo { get; private set; }

        public long Deadline { get; private set; }

        public void Change(LeaseKind kind) => (Kind, BreaksTo) = (kind, null);

        public void Break(LeaseKind to, long deadline)
        {
            (BreaksTo, Deadline) = (to, deadline);
            file.SignalOwner?.Raise(world, descriptor);
        }
    }
}
