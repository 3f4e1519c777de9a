using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct epoll_event: packed on x86-64 (epoll_ctl(2), include/uapi/linux/eventpoll.h).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct EpollEvent
{
    public const uint Exclusive = 1u << 28;
    public const uint WakeUp = 1u << 29;
    public const uint OneShot = 1u << 30;
    public const uint EdgeTriggered = 1u << 31;

    /// <summary>What EPOLLEXCLUSIVE goes with: IN, OUT, ERR, HUP, WAKEUP, ET.</summary>
    public const uint WithExclusive = 0x1 | 0x4 | 0x8 | 0x10 | WakeUp | EdgeTriggered | Exclusive;

    public uint Events;
    public ulong Data;
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Descriptor;
    public short Events;
    public short Ready;
}
