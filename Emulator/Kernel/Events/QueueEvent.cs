namespace Vivarium.Emulator.Kernel.Events;

/// <summary>What a <see cref="KernelQueue"/>'s watch looks at (kqueue(2), EVFILT_).</summary>
public enum EventFilter : byte
{
    /// <summary>Data to read, a connection to accept, the end of a stream; for regular files whatever is behind the file offset.</summary>
    Read,
    Write,

    /// <summary>What happens to the file behind a descriptor.</summary>
    Vnode,

    /// <summary>A process ends, forks, executes.</summary>
    Process,

    /// <summary>A signal is sent to the process of the queue.</summary>
    Signal,
    Timer,

    /// <summary>Triggered by its users.</summary>
    User,

    /// <summary>The process of a descriptor ends.</summary>
    ProcessDescriptor,

    /// <summary>Nothing is left to write (FreeBSD's EVFILT_EMPTY).</summary>
    Empty,

    /// <summary>File systems are mounted and taken off.</summary>
    FileSystems,
}

/// <summary>EV_ of kqueue(2); the same bits in all systems that have it.</summary>
[Flags]
public enum EventFlags : ushort
{
    None = 0,
    Add = 1,
    Delete = 2,
    Enable = 4,
    Disable = 8,
    OneShot = 0x10,
    Clear = 0x20,
    Receipt = 0x40,
    Dispatch = 0x80,
    Error = 0x4000,
    EndOfFile = 0x8000,

    /// <summary>What a change may ask for and a report repeats.</summary>
    Kept = OneShot | Clear | Receipt | Dispatch,
}

/// <summary>NOTE_ of kqueue(2), by filter; the same bits in all systems that have it.</summary>
public static class EventNotes
{
    public const uint Lowat = 1;

    public const uint Delete = 1;
    public const uint Write = 2;
    public const uint Extend = 4;
    public const uint Attributes = 8;
    public const uint Link = 0x10;
    public const uint Rename = 0x20;
    public const uint Revoke = 0x40;
    public const uint Open = 0x80;
    public const uint Close = 0x100;
    public const uint CloseWritten = 0x200;
    public const uint Read = 0x400;

    /// <summary>VQ_MOUNT, VQ_UNMOUNT.</summary>
    public const uint Mounted = 8;
    public const uint Unmounted = 0x10;

    public const uint Exit = 0x80000000;
    public const uint Fork = 0x40000000;
    public const uint Execute = 0x20000000;
    public const uint Track = 1;
    public const uint TrackError = 2;
    public const uint Child = 4;

    public const uint Trigger = 0x01000000;
    public const uint UserMask = 0x00FFFFFF;
    public const uint And = 0x40000000;
    public const uint Or = 0x80000000;
    public const uint Copy = 0xC0000000;

    /// <summary>A timer's data is a point in time, not a span.</summary>
    public const uint AbsoluteTime = 0x10;
}

/// <summary>A change asked of a <see cref="KernelQueue"/>, or one of its reports (struct kevent). A timer's data is in nanoseconds.</summary>
public readonly record struct QueueEvent(ulong Ident, EventFilter Filter, EventFlags Flags, uint Notes, long Data, ulong UserData)
{
    /// <summary>Carried from the change to the report, as the user data is (ext[2] and ext[3] of FreeBSD).</summary>
    public (ulong First, ulong Second) Extra { get; init; }
}
