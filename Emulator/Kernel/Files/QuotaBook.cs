namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What one user or group may have on a file system and has. Limits of 0 are none; bytes and nanoseconds of real time.</summary>
public sealed class Quota
{
    public ulong HardBytes { get; set; }

    public ulong SoftBytes { get; set; }

    public ulong HardFiles { get; set; }

    public ulong SoftFiles { get; set; }

    public ulong Bytes { get; set; }

    public ulong Files { get; set; }

    /// <summary>When more than the soft limit becomes too much; 0 = it is not exceeded.</summary>
    public long BytesDeadline { get; set; }

    public long FilesDeadline { get; set; }

    internal bool IsUnused(ulong hardBytes, ulong hardFiles) =>
        Bytes == 0 && Files == 0 && SoftBytes == 0 && SoftFiles == 0 && HardBytes == hardBytes && HardFiles == hardFiles;
}

/// <summary>The quotas of all users, or of all groups, of a file system (quotactl(2)).</summary>
/// <param name="clock">The file system's; grace is counted in real time.</param>
/// <param name="mayExceed">True when whoever runs now is bound by no limit (CAP_SYS_RESOURCE).</param>
public sealed class QuotaBook(IClock clock, Func<bool> mayExceed)
{
    /// <summary>A week (MAX_DQ_TIME in include/linux/quota.h).</summary>
    private const long UsualGrace = 7 * 86_400_000_000_000;

    private readonly SortedDictionary<uint, Quota> _quotas = [];

    /// <summary>Limits that everyone begins with.</summary>
    public ulong UsualHardBytes { get; init; }

    public ulong UsualHardFiles { get; init; }

    public long BytesGrace { get; set; } = UsualGrace;

    public long FilesGrace { get; set; } = UsualGrace;

    /// <summary>False while usage is only counted (Q_QUOTAOFF).</summary>
    public bool IsEnforced { get; set; } = true;

    public Quota Of(uint id)
    {
        if (!_quotas.TryGetValue(id, out Quota? quota))
            _quotas[id] = quota = new Quota { HardBytes = UsualHardBytes, HardFiles = UsualHardFiles };
        return quota;
    }

    /// <summary>The first id from one on that has or may have something of its own; null when there is none.</summary>
    public uint? Next(uint from)
    {
        foreach ((uint id, Quota quota) in _quotas)
        {
            if (id >= from && !quota.IsUnused(UsualHardBytes, UsualHardFiles))
                return id;
        }
        return null;
    }

    /// <summary>Counts what an owner gets, if the limits let it; false is EDQUOT.</summary>
    internal bool TryAdd(uint id, ulong bytes, ulong files)
    {
        Quota quota = Of(id);
        if (IsEnforced && !mayExceed() && (IsOver(quota.Bytes + bytes, quota.HardBytes, quota.SoftBytes, quota.BytesDeadline, bytes)
            || IsOver(quota.Files + files, quota.HardFiles, quota.SoftFiles, quota.FilesDeadline, files)))
        {
            return false;
        }
        quota.Bytes += bytes;
        quota.Files += files;
        Watch(quota);
        return true;
    }

    internal void Remove(uint id, ulong bytes, ulong files)
    {
        Quota quota = Of(id);
        quota.Bytes -= Math.Min(bytes, quota.Bytes);
        quota.Files -= Math.Min(files, quota.Files);
        Watch(quota);
    }

    /// <summary>Starts and stops the times of grace, as what there is and what there may be compare now.</summary>
    public void Watch(Quota quota)
    {
        quota.BytesDeadline = Deadline(quota.Bytes, quota.SoftBytes, quota.BytesDeadline, BytesGrace);
        quota.FilesDeadline = Deadline(quota.Files, quota.SoftFiles, quota.FilesDeadline, FilesGrace);
    }

    private long Deadline(ulong now, ulong soft, long deadline, long grace) =>
        soft == 0 || now <= soft ? 0 : deadline != 0 ? deadline : clock.Realtime + grace;

    private bool IsOver(ulong wanted, ulong hard, ulong soft, long deadline, ulong added) =>
        added != 0 && ((hard != 0 && wanted > hard) || (soft != 0 && wanted > soft && deadline != 0 && clock.Realtime >= deadline));
}
