using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel;

/// <summary>What is told of a process at its end. Times are nanoseconds, ids those of the space that is told.</summary>
public readonly record struct ProcessSummary
{
    public required Process Process { get; init; }

    /// <summary>It is not over: it ended the account.</summary>
    public bool GoesOn { get; init; }

    public required int Id { get; init; }

    public required int ParentId { get; init; }

    public required WaitStatus Status { get; init; }

    /// <summary>Bytes that were mapped.</summary>
    public required ulong Mapped { get; init; }

    public required long Elapsed { get; init; }

    /// <summary>Since the epoch.</summary>
    public required long StartedAt { get; init; }
}

/// <summary>
/// A file to which a record of each process is written that ends in a space of process ids (acct(2)), while its file system has room: with too little
/// free it pauses until there is more again.
/// </summary>
public sealed class ProcessAccount
{
    private const long Second = 1_000_000_000;

    private readonly World _world;
    private readonly OpenFile _file;
    private readonly Func<ProcessSummary, byte[]> _format;
    private bool _isActive;
    private long _checkAt;

    /// <param name="world">Where the processes are.</param>
    /// <param name="file">Open to be appended to; it is released with the account.</param>
    /// <param name="format">A record as the system that asked for it lays it out.</param>
    public ProcessAccount(World world, OpenFile file, Func<ProcessSummary, byte[]> format)
    {
        (_world, _file, _format) = (world, file, format);
        _checkAt = world.Clock.Monotonic;
    }

    internal static ProcessSummary Summarize(Process process, PidSpace space, WaitStatus status)
    {
        IClock clock = process.World.Clock;
        long elapsed = clock.Monotonic - process.StartTime;
        return new ProcessSummary
        {
            Process = process,
            Id = space.Inside(process.Id),
            ParentId = ReferenceEquals(space.Init, process) ? 0 : space.Inside(process.ParentId),
            Status = status,
            Mapped = process.Memory.MappedBytes,
            Elapsed = elapsed,
            StartedAt = clock.Realtime - elapsed,
        };
    }

    public void Note(in ProcessSummary summary)
    {
        if (HasRoom())
            _file.Write(_format(summary));
    }

    /// <summary>Nothing is written any more.</summary>
    public void Close() => _file.Release();

    /// <summary>The file system is asked every so often (/proc/sys/kernel/acct: percent to go on at, percent to pause at, seconds).</summary>
    private bool HasRoom()
    {
        if (_world.Clock.Monotonic < _checkAt || _file.Inode.FileSystem is not { } fileSystem)
            return _isActive;
        KernelSettings settings = _world.Settings;
        FileSystemStatus status = fileSystem.Status;
        bool wasActive = _isActive;
        _isActive = wasActive
            ? status.AvailableBlocks > status.Blocks * (ulong)settings.AccountPause.Value / 100
            : status.AvailableBlocks >= status.Blocks * (ulong)settings.AccountResume.Value / 100;
        if (_isActive != wasActive)
            _world.Log.Add(_isActive ? "Process accounting resumed" : "Process accounting paused");
        _checkAt = _world.Clock.Monotonic + (settings.AccountInterval.Value * Second);
        return _isActive;
    }
}

public sealed partial class PidSpace
{
    /// <summary>Who writes down the ends of its processes and of those of the spaces below; null = nobody.</summary>
    public ProcessAccount? Account { get; private set; }

    /// <summary>Ends the account that there was, with a last record of who did it.</summary>
    public void SetAccount(ProcessAccount? account, Process by)
    {
        Account?.Note(ProcessAccount.Summarize(by, this, WaitStatus.OfExit(0)) with { GoesOn = true, Mapped = 0 });
        Account?.Close();
        Account = account;
    }

    /// <summary>Its first process is gone.</summary>
    internal void DropAccount()
    {
        Account?.Close();
        Account = null;
    }
}

public sealed partial class World
{
    /// <summary>A process has ended; its memory is still there.</summary>
    internal void Account(Process process, WaitStatus status)
    {
        for (PidSpace? space = process.Space; space is not null; space = space.Parent)
        {
            space.Account?.Note(ProcessAccount.Summarize(process, space, status));
        }
    }
}
