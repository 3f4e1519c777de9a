namespace Vivarium.Emulator.Kernel;

/// <summary>The superuser's rights, one by one (capabilities(7)), by the numbers that sets of them have bits for.</summary>
public enum Capability : byte
{
    ChangeOwner = 0, // CAP_CHOWN
    OverrideAccess = 1, // CAP_DAC_OVERRIDE
    ReadSearch = 2, // CAP_DAC_READ_SEARCH
    FileOwner = 3, // CAP_FOWNER
    KeepSetId = 4, // CAP_FSETID
    Kill = 5, // CAP_KILL
    SetGroups = 6, // CAP_SETGID
    SetUsers = 7, // CAP_SETUID
    SetCapabilities = 8, // CAP_SETPCAP
    Immutable = 9, // CAP_LINUX_IMMUTABLE
    BindLowPorts = 10, // CAP_NET_BIND_SERVICE
    Broadcast = 11, // CAP_NET_BROADCAST
    AdministerNetwork = 12, // CAP_NET_ADMIN
    RawSockets = 13, // CAP_NET_RAW
    LockMemory = 14, // CAP_IPC_LOCK
    OwnIpc = 15, // CAP_IPC_OWNER
    LoadModules = 16, // CAP_SYS_MODULE
    RawIo = 17, // CAP_SYS_RAWIO
    ChangeRoot = 18, // CAP_SYS_CHROOT
    Trace = 19, // CAP_SYS_PTRACE
    Account = 20, // CAP_SYS_PACCT
    Administer = 21, // CAP_SYS_ADMIN
    Boot = 22, // CAP_SYS_BOOT
    Nice = 23, // CAP_SYS_NICE
    Resource = 24, // CAP_SYS_RESOURCE
    Time = 25, // CAP_SYS_TIME
    ConfigureTerminals = 26, // CAP_SYS_TTY_CONFIG
    MakeDevice = 27, // CAP_MKNOD
    Lease = 28, // CAP_LEASE
    WriteAudit = 29, // CAP_AUDIT_WRITE
    ControlAudit = 30, // CAP_AUDIT_CONTROL
    SetFileCapabilities = 31, // CAP_SETFCAP
    OverrideMandatoryAccess = 32, // CAP_MAC_OVERRIDE
    AdministerMandatoryAccess = 33, // CAP_MAC_ADMIN
    SystemLog = 34, // CAP_SYSLOG
    WakeAlarm = 35, // CAP_WAKE_ALARM
    BlockSuspend = 36, // CAP_BLOCK_SUSPEND
    ReadAudit = 37, // CAP_AUDIT_READ
    PerformanceMonitoring = 38, // CAP_PERFMON
    Bpf = 39, // CAP_BPF
    CheckpointRestore = 40, // CAP_CHECKPOINT_RESTORE
}

/// <summary>A set of capabilities, number n at bit n.</summary>
public readonly record struct CapabilitySet(ulong Bits)
{
    public const int Count = (int)Capability.CheckpointRestore + 1;

    public static CapabilitySet None => default;

    public static CapabilitySet All => new((1UL << Count) - 1);

    /// <summary>Those that follow the file-system user id (CAP_FS_SET).</summary>
    public static CapabilitySet OfFiles => Of(Capability.ChangeOwner) | Of(Capability.OverrideAccess) | Of(Capability.ReadSearch) | Of(Capability.FileOwner)
        | Of(Capability.KeepSetId) | Of(Capability.Immutable) | Of(Capability.MakeDevice) | Of(Capability.OverrideMandatoryAccess);

    public bool IsEmpty => Bits == 0;

    public static CapabilitySet Of(Capability capability) => new(1UL << (int)capability);

    public bool Contains(Capability capability) => (Bits >> (int)capability & 1) != 0;

    public bool IsWithin(CapabilitySet other) => (Bits & ~other.Bits) == 0;

    public static CapabilitySet operator |(CapabilitySet a, CapabilitySet b) => new(a.Bits | b.Bits);

    public static CapabilitySet operator &(CapabilitySet a, CapabilitySet b) => new(a.Bits & b.Bits);

    public static CapabilitySet operator ~(CapabilitySet a) => new(~a.Bits & All.Bits);
}
