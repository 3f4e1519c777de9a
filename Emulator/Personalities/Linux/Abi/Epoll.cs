using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct epoll_event: packed on x86-64 alone (epoll_ctl(2), include/uapi/linux/eventpoll.h).</summary>
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

    private const ulong PackedSize = 12, PaddedSize = 16, PaddedData = 8;

    public static ulong SizeFor(LinuxArchitecture architecture) => architecture.IsEpollEventPacked ? PackedSize : PaddedSize;

    public static bool TryRead(AddressSpace memory, GuestAddress at, LinuxArchitecture architecture, out EpollEvent value)
    {
        if (architecture.IsEpollEventPacked)
            return memory.TryRead(at, out value);
        value = default;
        return memory.TryRead(at, out value.Events) && memory.TryRead(at + PaddedData, out value.Data);
    }

    public readonly bool TryWrite(AddressSpace memory, GuestAddress at, LinuxArchitecture architecture) => architecture.IsEpollEventPacked
        ? memory.TryWrite(at, this)
        : memory.TryWrite(at, Events) && memory.TryWrite(at + PaddedData, Data);
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Descriptor;
    public short Events;
    public short Ready;
}
