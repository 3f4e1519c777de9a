using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>File systems set up step by step: fsopen(2), fsconfig(2), fsmount(2), fspick(2).</summary>
public static class MountContextCalls
{
    private const uint CloseOnExec = 1;
    private const int LongestWord = 256;

    private const uint SetFlag = 0, SetString = 1, SetBinary = 2, SetPath = 3, SetPathEmpty = 4, SetDescriptor = 5, Create = 6, Reconfigure = 7, CreateExclusive = 8;

    public static CallResult Fsopen(CallContext call, GuestAddress name, uint flags)
    {
        if (!MountCalls.MayMount(call))
            return Errno.EPERM;
        if ((flags & ~CloseOnExec) != 0)
            return Errno.EINVAL;
        Errno error = ReadWord(call, name, (int)GuestAddress.PageSize, out string type);
        if (error != Errno.None)
            return error;
        if (!call.World.Vfs.FileSystemTypes.TryGetValue(type, out FileSystemType? known))
            return Errno.ENODEV;
        return PipeCalls.Install(call, new MountContext(call.World, known, null, OpenFlags.None), (flags & CloseOnExec) != 0);
    }

    public static CallResult Fspick(CallContext call, int dirfd, GuestAddress path, uint flags)
    {
        const uint noFollow = 2, noAutomount = 4, emptyPath = 8;
        if (!MountCalls.MayMount(call))
            return Errno.EPERM;
        if ((flags & ~(CloseOnExec | noFollow | noAutomount | emptyPath)) != 0)
            return Errno.EINVAL;
        uint walk = ((flags & noFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0) | ((flags & emptyPath) != 0 ? Fcntl.AtEmptyPath : 0);
        Errno error = call.Locate(dirfd, path, walk, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (!ReferenceEquals(entry.Dentry, entry.Mount.Root))
            return Errno.EINVAL;
        if (!call.World.Vfs.FileSystemTypes.TryGetValue(entry.Mount.FileSystem.TypeName, out FileSystemType? known))
            return Errno.EOPNOTSUPP;
        return PipeCalls.Install(call, new MountContext(call.World, known, entry.Mount, OpenFlags.None), (flags & CloseOnExec) != 0);
    }

    public static CallResult Fsconfig(CallContext call, int fd, uint command, GuestAddress key, GuestAddress value, int auxiliary)
    {
        if (fd < 0 || !IsWellFormed(command, key, value, auxiliary))
            return command > CreateExclusive && fd >= 0 ? Errno.EOPNOTSUPP : Errno.EINVAL;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not MountContext context)
            return Errno.EINVAL;
        string word = "", text = "";
        Errno error = key.IsNull ? Errno.None : ReadWord(call, key, LongestWord, out word);
        if (error == Errno.None && command == SetString)
            error = ReadWord(call, value, LongestWord, out text);
        if (error == Errno.None && command is SetPath or SetPathEmpty)
            error = ReadLocation(call, auxiliary, value, command == SetPathEmpty, out text);
        if (error != Errno.None)
            return error;
        return command switch
        {
            SetFlag => context.Set(word, null),
            SetString or SetPath or SetPathEmpty => context.Set(word, text),
            SetDescriptor => call.File(auxiliary) is not { } given ? Errno.EBADF
                : context.Set(word, given.Path is { } path ? Encoding.Latin1.GetString(path.PathFrom(call.Process.FileContext.Root, out _)) : ""),
            SetBinary => Errno.EINVAL,
            Create or CreateExclusive => context.Make(call),
            _ => context.Reconfigure(call),
        };
    }

    /// <summary>Each command has arguments of its own, and no others.</summary>
    private static bool IsWellFormed(uint command, GuestAddress key, GuestAddress value, int auxiliary) => command switch
    {
        SetFlag => !key.IsNull && value.IsNull && auxiliary == 0,
        SetString => !key.IsNull && !value.IsNull && auxiliary == 0,
        SetBinary => !key.IsNull && !value.IsNull && auxiliary is > 0 and <= 1024 * 1024,
        SetPath or SetPathEmpty => !key.IsNull && !value.IsNull && (auxiliary == Fcntl.AtCurrentDirectory || auxiliary >= 0),
        SetDescriptor => !key.IsNull && value.IsNull && auxiliary >= 0,
        Create or Reconfigure or CreateExclusive => key.IsNull && value.IsNull && auxiliary == 0,
        _ => false,
    };

    private static Errno ReadWord(CallContext call, GuestAddress address, int limit, out string text)
    {
        byte[]? bytes = call.Memory.ReadCString(address, limit, out bool tooLong);
        text = Encoding.Latin1.GetString(bytes ?? []);
        return tooLong ? Errno.EINVAL : bytes is null ? Errno.EFAULT : Errno.None;
    }

    /// <summary>A path that starts at a descriptor, as one from the root.</summary>
    private static Errno ReadLocation(CallContext call, int dirfd, GuestAddress address, bool mayBeEmpty, out string text)
    {
        text = "";
        Errno error = call.Locate(dirfd, address, mayBeEmpty ? Fcntl.AtEmptyPath : 0, out PathEntry entry);
        if (error == Errno.None)
            text = Encoding.Latin1.GetString(entry.PathFrom(call.Process.FileContext.Root, out _));
        return error;
    }

    public static CallResult Fsmount(CallContext call, int fd, uint flags, uint attributes)
    {
        if (!MountCalls.MayMount(call))
            return Errno.EPERM;
        if ((flags & ~CloseOnExec) != 0 || MountAttributes.Decode(attributes) is not { } mountFlags)
            return Errno.EINVAL;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not MountContext { Made: { } made } context)
            return Errno.EINVAL;
        if (context.IsMounted)
            return Errno.EBUSY;
        Mount mount = call.World.Vfs.NewMount(made, context.SourceName, flags: mountFlags);
        context.IsMounted = true;
        return MountTreeCalls.InstallTree(call, mount, (flags & CloseOnExec) != 0);
    }
}

/// <summary>The MOUNT_ATTR_ flags of fsmount(2) and mount_setattr(2).</summary>
internal static class MountAttributes
{
    public const uint AccessTimes = 0x70;

    private const uint NoAccessTime = 0x10, StrictAccessTime = 0x20;
    private const uint All = 0x0020_00FF;

    private static readonly (uint Flag, MountFlags Means)[] Names =
    [
        (1, MountFlags.ReadOnly), (2, MountFlags.NoSetId), (4, MountFlags.NoDevices), (8, MountFlags.NoExecute), (0x80, MountFlags.NoDirectoryAccessTime), (0x200000, MountFlags.NoLinks),
    ];

    /// <summary>Null for flags that are unknown or do not go together.</summary>
    public static MountFlags? Decode(ulong attributes)
    {
        if ((attributes & ~(ulong)All) != 0)
            return null;
        MountFlags? times = (attributes & AccessTimes) switch
        {
            0 => MountFlags.None,
            NoAccessTime => MountFlags.NoAccessTime,
            StrictAccessTime => MountFlags.StrictAccessTime,
            _ => null,
        };
        foreach ((uint flag, MountFlags means) in Names)
            times |= (attributes & flag) != 0 ? means : MountFlags.None;
        return times;
    }

    public static ulong Encode(MountFlags flags)
    {
        ulong attributes = (flags & MountFlags.NoAccessTime) != 0 ? NoAccessTime : (flags & MountFlags.StrictAccessTime) != 0 ? StrictAccessTime : 0;
        foreach ((uint flag, MountFlags means) in Names)
            attributes |= (flags & means) != 0 ? flag : 0;
        return attributes;
    }
}
