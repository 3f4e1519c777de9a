using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Abi;

/// <summary>struct stat since NetBSD 5.0.</summary>
[StructLayout(LayoutKind.Sequential, Size = 152)]
internal struct NetBsdStat
{
    public ulong Device;
    public uint Mode;
    private uint _padding0;
    public ulong Inode;
    public uint Links;
    public uint User;
    public uint Group;
    private uint _padding1;
    public ulong RawDevice;
    public FileTime AccessTime;
    public FileTime ModifyTime;
    public FileTime ChangeTime;
    public FileTime BirthTime;
    public long Size;
    public long Blocks;
    public uint BlockSize;

    public static NetBsdStat From(in FileStatus status) => new()
    {
        Device = status.Device,
        Mode = FileType.Encode(status.Kind) | status.Mode,
        Inode = status.Inode,
        Links = status.Links,
        User = status.User,
        Group = status.Group,
        RawDevice = status.RawDevice,
        AccessTime = FileTime.From(status.AccessTime),
        ModifyTime = FileTime.From(status.ModifyTime),
        ChangeTime = FileTime.From(status.ChangeTime),
        BirthTime = FileTime.From(status.HasBirthTime ? status.BirthTime : status.ChangeTime),
        Size = status.Size,
        Blocks = status.Blocks,
        BlockSize = status.BlockSize,
    };
}
