using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What the calls of System V objects share: finding or making by key, struct ipc64_perm, IPC_SET.</summary>
internal static class IpcArguments
{
    public const int Create = 0x200, Exclusive = 0x400, NoWait = 0x800;
    public const int RemoveId = 0, SetOwner = 1, Status = 2, Information = 3;
    public const int OwnerSize = 48;
    public const uint ReadAccess = 0x124, WriteAccess = 0x92;

    public static long Now(this CallContext call) => call.World.Clock.Realtime / 1_000_000_000;

    /// <summary>The object of a key: one that is there and may be used, a new one, or an error (shmget(2), semget(2), msgget(2)).</summary>
    public static CallResult GetOrMake<T>(this CallContext call, IpcTable<T> table, int key, int flags, Func<T, Errno> check, Func<(T?, Errno)> make)
        where T : IpcObject
    {
        if (key != 0 && table.FindKey(key) is { } found)
        {
            if ((flags & (Create | Exclusive)) == (Create | Exclusive))
                return Errno.EEXIST;
            Errno refused = check(found);
            if (refused != Errno.None)
                return refused;
            return found.Allows(call.Thread.Credentials, (uint)flags & 0x1FF) ? CallResult.Ok(found.Id) : Errno.EACCES;
        }
        if (key != 0 && (flags & Create) == 0)
            return Errno.ENOENT;
        (T? made, Errno error) = make();
        if (made is null)
            return error;
        made.Key = key;
        if (table.TryAdd(made))
            return CallResult.Ok(made.Id);
        made.Remove();
        return Errno.ENOSPC;
    }

    /// <summary>struct ipc64_perm, at the front of each status.</summary>
    public static void WriteOwner(Span<byte> status, IpcObject of, uint extraMode = 0)
    {
        ReadOnlySpan<uint> words = [(uint)of.Key, of.User, of.Group, of.CreatorUser, of.CreatorGroup, of.Mode | extraMode, (uint)of.Id >> 15];
        MemoryMarshal.AsBytes(words).CopyTo(status);
    }

    /// <summary>IPC_SET: owner, group and the nine permission bits.</summary>
    public static Errno SetOwnerFrom(this CallContext call, GuestAddress status, IpcObject of, ReadOnlySpan<byte> bytes)
    {
        if (!of.MayBeChangedBy(call.Thread.Credentials))
            return Errno.EPERM;
        of.User = MemoryMarshal.Read<uint>(bytes[4..]);
        of.Group = MemoryMarshal.Read<uint>(bytes[8..]);
        of.Mode = (of.Mode & ~0x1FFu) | (MemoryMarshal.Read<uint>(bytes[20..]) & 0x1FF);
        of.ChangeTime = call.Now();
        return Errno.None;
    }
}
