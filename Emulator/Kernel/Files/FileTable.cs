using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>
/// A process's descriptors. Shared by threads (CLONE_FILES) through reference counting, copied by fork. It is also the owner of
/// the process's POSIX record locks, which go when any descriptor of their file is closed (fcntl(2)).
/// </summary>
public sealed partial class FileTable
{
    public const int MaxDescriptors = 1 << 20;
    private const int InitialSize = 64;

    private Slot[] _slots = new Slot[InitialSize];
    private int _lowestFree;
    private int _users = 1;
    private int _count;
    private int _charged;

    /// <summary>RLIMIT_NOFILE: one more than the highest number that may be handed out.</summary>
    public int Limit { get; set; } = 1024;

    /// <summary>The world's memory, which descriptors take some of; null = they cost nothing.</summary>
    public MemoryAccountant? Accountant { get; init; }

    /// <summary>Bytes that a descriptor counts for, with its part of what it leads to.</summary>
    private const ulong Cost = 512;

    /// <summary>True when the world has memory for a copy.</summary>
    public bool CanBeCopied => Accountant is null || (ulong)_count * Cost <= Accountant.Limit - Accountant.Used;

    /// <summary>The owner of the record lock this process is waiting for, to find deadlocks.</summary>
    public object? WaitsForLockOf { get; set; }

    /// <summary>One more than the highest number in use.</summary>
    public int End { get; private set; }

    public OpenFile? Get(int descriptor) => (uint)descriptor < (uint)_slots.Length ? _slots[descriptor].File : null;

    /// <summary>Installs at the lowest free number at or above <paramref name="minimum"/>; EMFILE past the limit. Takes over the caller's reference.</summary>
    public Errno Add(OpenFile file, bool closeOnExec, out int descriptor, int minimum = 0)
    {
        descriptor = Math.Max(minimum, _lowestFree);
        while (descriptor < _slots.Length && _slots[descriptor].File is not null)
            descriptor++;
        if (descriptor >= Math.Min(Limit, MaxDescriptors))
        {
            descriptor = -1;
            return Errno.EMFILE;
        }
        if (!Charge(1))
        {
            descriptor = -1;
            return Errno.ENFILE;
        }
        if (minimum <= _lowestFree)
            _lowestFree = descriptor + 1;
        Put(descriptor, file, closeOnExec);
        return Errno.None;
    }

    /// <summary>True when another descriptor can be added.</summary>
    public bool HasRoom
    {
        get
        {
            int descriptor = _lowestFree;
            while (descriptor < _slots.Length && _slots[descriptor].File is not null)
                descriptor++;
            return descriptor < Math.Min(Limit, MaxDescriptors);
        }
    }

    /// <summary>True when a number may be used at all (dup2's EBADF).</summary>
    public bool IsInRange(int descriptor) => descriptor >= 0 && descriptor < Math.Min(Limit, MaxDescriptors);

    /// <summary>Installs at exactly this number, closing what was there (dup2). Takes over the caller's reference.</summary>
    public void Replace(int descriptor, OpenFile file, bool closeOnExec)
    {
        if (Get(descriptor) is not null)
            Close(descriptor);
        if (descriptor == _lowestFree)
            _lowestFree++;
        Charge(1);
        Put(descriptor, file, closeOnExec);
    }

    /// <summary>Raised when a number stops to mean what it meant.</summary>
    internal event Action<int>? DescriptorClosed;

    public Errno Close(int descriptor)
    {
        if (Get(descriptor) is not { } file)
            return Errno.EBADF;
        DescriptorClosed?.Invoke(descriptor);
        _slots[descriptor] = default;
        _count--;
        if (_charged > 0)
        {
            _charged--;
            Accountant?.Release(Cost);
        }
        _lowestFree = Math.Min(_lowestFree, descriptor);
        while (End > 0 && _slots[End - 1].File is null)
            End--;
        if ((file.Flags & OpenFlags.PathOnly) == 0)
            file.Inode.Locks?.ReleaseProcess(this);
        file.Release();
        return Errno.None;
    }

    public bool IsCloseOnExec(int descriptor) => _slots[descriptor].CloseOnExec;

    public void SetCloseOnExec(int descriptor, bool value) => _slots[descriptor].CloseOnExec = value;

    /// <summary>Closes what does not survive execve(2).</summary>
    public void CloseOnExec()
    {
        for (int descriptor = 0; descriptor < End; descriptor++)
        {
            if (_slots[descriptor].CloseOnExec && _slots[descriptor].File is not null)
                Close(descriptor);
        }
    }

    /// <summary>A copy for fork: the same descriptions under the same numbers; record locks are not inherited.</summary>
    public FileTable Copy()
    {
        FileTable copy = new() { _slots = (Slot[])_slots.Clone(), _lowestFree = _lowestFree, End = End, Limit = Limit, Accountant = Accountant, _count = _count };
        copy.Charge(_count);
        for (int descriptor = 0; descriptor < End; descriptor++)
            _slots[descriptor].File?.AddReference();
        for (int descriptor = 0; descriptor < End; descriptor++)
        {
            if (_slots[descriptor].File is { IsInherited: false })
                copy.Close(descriptor);
        }
        return copy;
    }

    /// <summary>One more process or thread uses this table (CLONE_FILES).</summary>
    public FileTable Share()
    {
        _users++;
        return this;
    }

    public bool IsShared => _users > 1;

    /// <summary>A user is gone; the last one closes everything.</summary>
    public void Leave()
    {
        if (--_users != 0)
            return;
        for (int descriptor = End - 1; descriptor >= 0; descriptor--)
            Close(descriptor);
    }

    private void Put(int descriptor, OpenFile file, bool closeOnExec)
    {
        if (descriptor >= _slots.Length)
            Array.Resize(ref _slots, Math.Max(descriptor + 1, Math.Min(_slots.Length * 2, MaxDescriptors)));
        _count++;
        _slots[descriptor] = new Slot { File = file, CloseOnExec = closeOnExec };
        End = Math.Max(End, descriptor + 1);
    }

    private bool Charge(int descriptors)
    {
        if (Accountant is null)
            return true;
        if (!Accountant.TryCharge((ulong)descriptors * Cost))
            return false;
        _charged += descriptors;
        return true;
    }

    private struct Slot
    {
        public OpenFile? File;
        public bool CloseOnExec;
    }
}
