using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>PIDFD_GET_INFO, the ioctl(2) of process descriptors (struct pidfd_info in linux/pidfd.h).</summary>
internal static class ProcessInformation
{
    private const uint Kind = 0xFF, GetInformation = 11;
    private const int SizeOfFirst = 64, Size = 72;
    private const ulong Numbers = 1, Ids = 2, Exit = 8;

    public static CallResult Control(CallContext call, Process process, uint request, GuestAddress address)
    {
        const uint directions = 3u << 30;
        if ((request & 0xFFFF) != ((Kind << 8) | GetInformation) || (request & directions) != directions)
            return Errno.ENOTTY;
        int size = (int)((request >> 16) & 0x3FFF);
        if (address.IsNull || size < SizeOfFirst)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(address, out ulong wanted))
            return Errno.EFAULT;
        byte[] information = new byte[Size];
        Errno error = Fill(call, process, wanted, information);
        if (error != Errno.None)
            return error;
        // What a newer structure has more is cleared.
        byte[] told = new byte[size];
        information.AsSpan(0, Math.Min(size, Size)).CopyTo(told);
        return call.Memory.TryWrite(address, told) ? 0 : Errno.EFAULT;
    }

    /// <summary>Who it is while it has not been waited for, and how it ended afterwards. ESRCH when neither was wanted of it, or it cannot be seen from here.</summary>
    private static Errno Fill(CallContext call, Process process, ulong wanted, Span<byte> information)
    {
        ulong told = 0;
        void Word(int at, uint value, Span<byte> bytes) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], value);
        if (!call.Pids.Contains(process))
            return Errno.ESRCH;
        if (process.IsReaped)
        {
            if ((wanted & Exit) == 0)
                return Errno.ESRCH;
            Word(60, (uint)ProcessCalls.EncodeStatus(process.Reported ?? default), information);
            told |= Exit;
        }
        else
        {
            UserSpace users = call.Thread.Namespaces.Users;
            Credentials who = process.Credentials;
            int number = call.Pids.Inside(process.Id);
            Word(16, (uint)number, information);
            Word(20, (uint)number, information);
            Word(24, (uint)(process.Parent is { } parent ? call.Pids.Inside(parent.Id) : 0), information);
            ReadOnlySpan<uint> ids =
            [
                users.UserInside(who.User), users.GroupInside(who.Group), users.UserInside(who.EffectiveUser), users.GroupInside(who.EffectiveGroup),
                users.UserInside(who.SavedUser), users.GroupInside(who.SavedGroup), users.UserInside(who.FileUser), users.GroupInside(who.FileGroup),
            ];
            for (int i = 0; i < ids.Length; i++)
                Word(28 + (i * sizeof(uint)), ids[i], information);
            told |= Numbers | Ids;
        }
        BinaryPrimitives.WriteUInt64LittleEndian(information, told);
        return Errno.None;
    }
}
