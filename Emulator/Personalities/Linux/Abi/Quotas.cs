using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi.Quotas;

/// <summary>struct if_dqblk (linux/quota.h): limits in blocks, space in bytes, times in seconds.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IfDqBlk
{
    public const ulong BlockSize = 1024;
    public const uint HasSpaceLimits = 1, HasSpace = 2, HasInodeLimits = 4, HasInodes = 8, HasSpaceTime = 16, HasInodeTime = 32, All = 63;

    public ulong HardBlocks;
    public ulong SoftBlocks;
    public ulong Space;
    public ulong HardInodes;
    public ulong SoftInodes;
    public ulong Inodes;
    public ulong SpaceTime;
    public ulong InodeTime;
    public uint Valid;
    private readonly uint _padding;
}

/// <summary>struct if_nextdqblk: the same with an id, which is where the other has its padding.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct IfNextDqBlk
{
    [FieldOffset(0)]
    public IfDqBlk Quota;

    [FieldOffset(68)]
    public uint Id;
}

/// <summary>struct if_dqinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IfDqInfo
{
    public const uint HasBlockGrace = 1, HasInodeGrace = 2, All = 7, SystemFile = 0x10000;

    public ulong BlockGrace;
    public ulong InodeGrace;
    public uint Flags;
    public uint Valid;
}
