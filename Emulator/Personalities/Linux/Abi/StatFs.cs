using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct statfs on 64-bit systems (statfs(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatFs
{
    private const long ReadOnly = 1;
    private const long NoSetId = 2;
    private const long NoDevices = 4;
    private const long NoExecute = 8;
    private const long Valid = 0x20;
    private const long NoAccessTime = 0x400;
    private const long NoDirectoryAccessTime = 0x800;
    private const long RelativeAccessTime = 0x1000;
    private const long NoLinks = 0x2000;

    public long Type;
    public long BlockSize;
    public ulong Blocks;
    public ulong FreeBlocks;
    public ulong AvailableBlocks;
    public ulong Files;
    public ulong FreeFiles;
    public ulong Id;
    public long NameLength;
    public long FragmentSize;
    public long Flags;
    private long _spare0;
    private long _spare1;
    private long _spare2;
    private long _spare3;

    public static StatFs From(in FileSystemStatus status, Mount? mount)
    {
        long flags = Valid;
        MountFlags how = mount?.Flags ?? MountFlags.None;
        flags |= (how & MountFlags.NoAccessTime) != 0 ? NoAccessTime : (how & MountFlags.StrictAccessTime) != 0 ? 0 : RelativeAccessTime;
        flags |= (how & MountFlags.NoDirectoryAccessTime) != 0 ? NoDirectoryAccessTime : 0;
        flags |= (how & MountFlags.NoLinks) != 0 ? NoLinks : 0;
        if (mount is { IsReadOnly: true } or { FileSystem.IsReadOnly: true })
            flags |= ReadOnly;
        if (mount is { NoSetId: true })
            flags |= NoSetId;
        if (mount is { NoDevices: true })
            flags |= NoDevices;
        if (mount is { NoExecute: true })
            flags |= NoExecute;
        return new StatFs
        {
            Type = status.Magic,
            BlockSize = status.BlockSize,
            Blocks = status.Blocks,
            FreeBlocks = status.FreeBlocks,
            AvailableBlocks = status.AvailableBlocks,
            Files = status.Files,
            FreeFiles = status.FreeFiles,
            Id = status.Id,
            NameLength = status.NameLength,
            FragmentSize = status.BlockSize,
            Flags = flags,
        };
    }
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoVector
{
    public const int MaxCount = 1024;

    public ulong Base;
    public ulong Length;
}
