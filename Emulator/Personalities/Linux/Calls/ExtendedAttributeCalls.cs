using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>getxattr(2), setxattr(2), listxattr(2), removexattr(2) and their l and f forms.</summary>
public static class ExtendedAttributeCalls
{
    /// <summary>XATTR_NAME_MAX, with the NUL at the end.</summary>
    private const int MaxName = 256;
    private const ulong MaxValue = 65536;
    private const int Here = Fcntl.AtCurrentDirectory;

    public static CallResult Getxattr(CallContext call, GuestAddress path, GuestAddress name, GuestAddress value, ulong size) =>
        call.Locate(Here, path, 0, out PathEntry entry) is var error and not Errno.None ? error : Get(call, entry.Inode, name, value, size);

    public static CallResult Lgetxattr(CallContext call, GuestAddress path, GuestAddress name, GuestAddress value, ulong size) =>
        call.Locate(Here, path, Fcntl.AtSymlinkNoFollow, out PathEntry entry) is var error and not Errno.None ? error : Get(call, entry.Inode, name, value, size);

    public static CallResult Fgetxattr(CallContext call, int fd, GuestAddress name, GuestAddress value, ulong size) =>
        call.UsableFile(fd, out OpenFile file) is var error and not Errno.None ? error : Get(call, file.Inode, name, value, size);

    public static CallResult Setxattr(CallContext call, GuestAddress path, GuestAddress name, GuestAddress value, ulong size, uint flags) =>
        SetAt(call, path, 0, name, value, size, flags);

    public static CallResult Lsetxattr(CallContext call, GuestAddress path, GuestAddress name, GuestAddress value, ulong size, uint flags) =>
        SetAt(call, path, Fcntl.AtSymlinkNoFollow, name, value, size, flags);

    public static CallResult Fsetxattr(CallContext call, int fd, GuestAddress name, GuestAddress value, ulong size, uint flags) =>
        call.UsableFile(fd, out OpenFile file) is var error and not Errno.None
            ? error
            : Set(call, file.Inode, file.Path, name, value, size, flags);

    public static CallResult Listxattr(CallContext call, GuestAddress path, GuestAddress list, ulong size) =>
        call.Locate(Here, path, 0, out PathEntry entry) is var error and not Errno.None ? error : List(call, entry.Inode, list, size);

    public static CallResult Llistxattr(CallContext call, GuestAddress path, GuestAddress list, ulong size) =>
        call.Locate(Here, path, Fcntl.AtSymlinkNoFollow, out PathEntry entry) is var error and not Errno.None ? error : List(call, entry.Inode, list, size);

    public static CallResult Flistxattr(CallContext call, int fd, GuestAddress list, ulong size) =>
        call.UsableFile(fd, out OpenFile file) is var error and not Errno.None ? error : List(call, file.Inode, list, size);

    public static CallResult Removexattr(CallContext call, GuestAddress path, GuestAddress name) =>
        call.Locate(Here, path, 0, out PathEntry entry) is var error and not Errno.None ? error : Remove(call, entry.Inode, entry, name);

    public static CallResult Lremovexattr(CallContext call, GuestAddress path, GuestAddress name) =>
        call.Locate(Here, path, Fcntl.AtSymlinkNoFollow, out PathEntry entry) is var error and not Errno.None
            ? error
            : Remove(call, entry.Inode, entry, name);

    public static CallResult Fremovexattr(CallContext call, int fd, GuestAddress name) =>
        call.UsableFile(fd, out OpenFile file) is var error and not Errno.None ? error : Remove(call, file.Inode, file.Path, name);

    /// <summary>struct xattr_args: the value, its size, and flags.</summary>
    private const int ArgumentsSize = 16;

    public static CallResult Setxattrat(CallContext call, int dirfd, GuestAddress path, uint walk, GuestAddress name, GuestAddress arguments, ulong size)
    {
        Errno error = ReadArguments(call, arguments, size, out GuestAddress value, out uint length, out uint flags);
        if (error != Errno.None)
            return error;
        error = LocateAt(call, dirfd, path, walk, out PathEntry entry);
        return error != Errno.None ? error : Set(call, entry.Inode, entry, name, value, length, flags);
    }

    public static CallResult Getxattrat(CallContext call, int dirfd, GuestAddress path, uint walk, GuestAddress name, GuestAddress arguments, ulong size)
    {
        Errno error = ReadArguments(call, arguments, size, out GuestAddress value, out uint length, out uint flags);
        if (error == Errno.None && flags != 0)
            error = Errno.EINVAL;
        if (error != Errno.None)
            return error;
        error = LocateAt(call, dirfd, path, walk, out PathEntry entry);
        return error != Errno.None ? error : Get(call, entry.Inode, name, value, length);
    }

    public static CallResult Listxattrat(CallContext call, int dirfd, GuestAddress path, uint walk, GuestAddress list, ulong size) =>
        LocateAt(call, dirfd, path, walk, out PathEntry entry) is var error and not Errno.None ? error : List(call, entry.Inode, list, size);

    public static CallResult Removexattrat(CallContext call, int dirfd, GuestAddress path, uint walk, GuestAddress name) =>
        LocateAt(call, dirfd, path, walk, out PathEntry entry) is var error and not Errno.None ? error : Remove(call, entry.Inode, entry, name);

    private static Errno LocateAt(CallContext call, int dirfd, GuestAddress path, uint walk, out PathEntry entry)
    {
        entry = null!;
        return (walk & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0 ? Errno.EINVAL : call.Locate(dirfd, path, walk, out entry);
    }

    private static Errno ReadArguments(CallContext call, GuestAddress address, ulong size, out GuestAddress value, out uint length, out uint flags)
    {
        (value, length, flags) = (default, 0, 0);
        if (size < ArgumentsSize)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        byte[] bytes = new byte[size];
        if (!call.Memory.TryRead(address, bytes))
            return Errno.EFAULT;
        if (bytes.AsSpan(ArgumentsSize).ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        (value, length, flags) = (new GuestAddress(BitConverter.ToUInt64(bytes)), BitConverter.ToUInt32(bytes, 8), BitConverter.ToUInt32(bytes, 12));
        return Errno.None;
    }

    private static CallResult SetAt(CallContext call, GuestAddress path, uint walk, GuestAddress name, GuestAddress value, ulong size, uint flags) =>
        call.Locate(Here, path, walk, out PathEntry entry) is var error and not Errno.None
            ? error
            : Set(call, entry.Inode, entry, name, value, size, flags);

    private static CallResult Get(CallContext call, Inode inode, GuestAddress address, GuestAddress value, ulong size)
    {
        Errno error = ReadName(call, address, out byte[] name);
        if (error == Errno.None && IsOfAccess(name, out bool isDefault))
            return GetList(call, inode, isDefault, value, size);
        if (error == Errno.None)
            error = MayAccess(call, inode, name, forWriting: false);
        if (error != Errno.None)
            return error;
        error = inode.GetAttribute(name, out byte[]? found);
        return error != Errno.None ? error : Store(call, found, value, size);
    }

    private static CallResult List(CallContext call, Inode inode, GuestAddress list, ulong size)
    {
        Errno error = inode.ListAttributes(out byte[] names);
        if (inode.DefaultAccessList is not null)
            names = [.. Encoding.ASCII.GetBytes(AccessLists.Default), 0, .. names];
        if (inode.AccessList is not null)
            names = [.. Encoding.ASCII.GetBytes(AccessLists.Access), 0, .. names];
        return error != Errno.None ? error : Store(call, names, list, size);
    }

    /// <summary>Size 0 asks for the size.</summary>
    private static CallResult Store(CallContext call, byte[]? bytes, GuestAddress address, ulong size)
    {
        if (size == 0)
            return bytes!.Length;
        if ((ulong)bytes!.Length > size)
            return Errno.ERANGE;
        return call.Memory.TryWrite(address, bytes) ? bytes.Length : Errno.EFAULT;
    }

    private static CallResult Set(CallContext call, Inode inode, PathEntry? path, GuestAddress address, GuestAddress value, ulong size, uint flags)
    {
        const uint Create = 1;
        const uint Replace = 2;
        if ((flags & ~(Create | Replace)) != 0)
            return Errno.EINVAL;
        Errno error = ReadName(call, address, out byte[] name);
        if (error != Errno.None)
            return error;
        if (size > MaxValue)
            return Errno.E2BIG;
        byte[] bytes = new byte[(int)size];
        if (!call.Memory.TryRead(value, bytes))
            return Errno.EFAULT;
        bool isReadOnly = path?.IsReadOnly() == true;
        if (IsOfAccess(name, out bool isDefault))
            return isReadOnly ? Errno.EROFS : SetList(call, inode, path, isDefault, bytes);
        error = isReadOnly ? Errno.EROFS : MayAccess(call, inode, name, forWriting: true);
        if (error == Errno.None)
            error = inode.SetAttribute(name, bytes, (flags & Create) != 0, (flags & Replace) != 0);
        if (error == Errno.None)
            FileNotifier.OnFile(path, FileChange.AttributesChanged);
        return error;
    }

    private static bool IsOfAccess(ReadOnlySpan<byte> name, out bool isDefault)
    {
        isDefault = name.SequenceEqual("system.posix_acl_default"u8);
        return isDefault || name.SequenceEqual("system.posix_acl_access"u8);
    }

    private static CallResult GetList(CallContext call, Inode inode, bool isDefault, GuestAddress value, ulong size)
    {
        if (inode.Kind == FileKind.SymbolicLink || inode.FileSystem is null)
            return Errno.EOPNOTSUPP;
        return (isDefault ? inode.DefaultAccessList : inode.AccessList) is { } list ? Store(call, AccessLists.Encode(list), value, size) : Errno.ENODATA;
    }

    private static CallResult SetList(CallContext call, Inode inode, PathEntry? path, bool isDefault, ReadOnlySpan<byte> value)
    {
        Errno error = AccessLists.Decode(value, out AccessList? list);
        if (error == Errno.None)
            error = Vfs.SetAccessList(call.Thread.FileCredentials, inode, list, isDefault);
        if (error == Errno.None)
            FileNotifier.OnFile(path, FileChange.AttributesChanged);
        return error;
    }

    private static CallResult Remove(CallContext call, Inode inode, PathEntry? path, GuestAddress address)
    {
        Errno error = ReadName(call, address, out byte[] name);
        if (error == Errno.None && IsOfAccess(name, out bool isDefault))
            return path?.IsReadOnly() == true ? Errno.EROFS : SetList(call, inode, path, isDefault, default);
        if (error == Errno.None)
            error = path?.IsReadOnly() == true ? Errno.EROFS : MayAccess(call, inode, name, forWriting: true);
        if (error == Errno.None)
            error = inode.RemoveAttribute(name);
        if (error == Errno.None)
            FileNotifier.OnFile(path, FileChange.AttributesChanged);
        return error;
    }

    private static Errno ReadName(CallContext call, GuestAddress address, out byte[] name)
    {
        byte[]? text = call.Memory.ReadCString(address, MaxName, out bool tooLong);
        name = text ?? [];
        if (tooLong)
            return Errno.ERANGE;
        if (text is null)
            return Errno.EFAULT;
        return text.Length == 0 ? Errno.ERANGE : Errno.None;
    }

    /// <summary>Rules of the name spaces (xattr(7)): user attributes follow the mode bits and exist on files and directories only.</summary>
    private static Errno MayAccess(CallContext call, Inode inode, ReadOnlySpan<byte> name, bool forWriting)
    {
        FileCredentials credentials = call.Thread.FileCredentials;
        if (forWriting && inode.IsProtected)
            return Errno.EPERM;
        if (name.StartsWith("trusted."u8))
            return credentials.Has(FilePrivileges.Administer) ? Errno.None : forWriting ? Errno.EPERM : Errno.ENODATA;
        if (name.StartsWith("user."u8))
        {
            if (name.Length == 5)
                return Errno.EINVAL;
            if (inode.Kind is not (FileKind.Regular or FileKind.Directory))
                return forWriting ? Errno.EPERM : Errno.ENODATA;
            return Permission.Check(inode, forWriting ? FileAccessKind.Write : FileAccessKind.Read, credentials);
        }
        if (name.StartsWith("security."u8))
            return !forWriting || credentials.Has(FilePrivileges.Administer) ? Errno.None : Errno.EPERM;
        return Errno.EOPNOTSUPP;
    }
}
