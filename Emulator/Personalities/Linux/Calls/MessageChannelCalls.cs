using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).</summary>
public static class MessageChannelCalls
{
    private const int NoError = 0x1000, Except = 0x2000, Copy = 0x4000;

    public static CallResult Msgget(CallContext call, int key, int flags)
    {
        Credentials who = call.Thread.Credentials;
        return call.GetOrMake(call.Ipc.Channels, key, flags, static _ => Errno.None, () => (new MessageChannel
        {
            User = who.EffectiveUser, Group = who.EffectiveGroup, CreatorUser = who.EffectiveUser, CreatorGroup = who.EffectiveGroup,
            Mode = (uint)flags & 0x1FF, ChangeTime = call.Now(), Capacity = (ulong)call.Ipc.ChannelCapacity.Value,
        }, Errno.None));
    }

    public static CallResult Msgsnd(CallContext call, int id, GuestAddress message, ulong size, int flags)
    {
        if (!call.Memory.TryRead(message, out long type))
            return Errno.EFAULT;
        if ((long)size < 0 || (long)size > call.Ipc.MessageSize.Value || id < 0 || type < 1)
            return Errno.EINVAL;
        byte[] text = new byte[size];
        if (!call.Memory.TryRead(message + 8, text))
            return Errno.EFAULT;
        if ((call.State as MessageChannel ?? call.Ipc.Channels.Find(id)) is not { } channel)
            return Errno.EINVAL;
        if (channel.IsRemoved)
            return Errno.EIDRM;
        if (!channel.Allows(call.Thread.Credentials, IpcArguments.WriteAccess))
            return Errno.EACCES;
        if (!channel.HasRoomFor(text.Length))
        {
            call.State = channel;
            return (flags & IpcArguments.NoWait) != 0 ? Errno.EAGAIN : call.Wait(channel.Changed, RestartKind.IfNoHandler);
        }
        channel.LastSender = call.Process.KeptId;
        channel.SendTime = call.Now();
        channel.Send(type, text);
        return CallResult.Ok();
    }

    public static CallResult Msgrcv(CallContext call, int id, GuestAddress message, ulong size, long type, int flags)
    {
        if (id < 0 || (long)size < 0)
            return Errno.EINVAL;
        bool copies = (flags & Copy) != 0;
        if (copies && ((flags & Except) != 0 || (flags & IpcArguments.NoWait) == 0))
            return Errno.EINVAL;
        if ((call.State as MessageChannel ?? call.Ipc.Channels.Find(id)) is not { } channel)
            return Errno.EINVAL;
        if (channel.IsRemoved)
            return Errno.EIDRM;
        if (!channel.Allows(call.Thread.Credentials, IpcArguments.ReadAccess))
            return Errno.EACCES;
        bool except = (flags & Except) != 0 && type > 0;
        if ((copies ? channel.At(type) : channel.Peek(type, except)) is not { } found)
        {
            call.State = channel;
            return (flags & IpcArguments.NoWait) != 0 ? Errno.ENOMSG : call.Wait(channel.Changed, RestartKind.IfNoHandler);
        }
        if ((ulong)found.Text.Length > size && (flags & NoError) == 0)
            return Errno.E2BIG;
        if (!copies)
        {
            channel.LastReceiver = call.Process.KeptId;
            channel.ReceiveTime = call.Now();
            channel.Take(type, except);
        }
        int length = (int)Math.Min(size, (ulong)found.Text.Length);
        return call.Memory.TryWrite(message, found.Type) && call.Memory.TryWrite(message + 8, found.Text.AsSpan(0, length)) ? CallResult.Ok(length) : Errno.EFAULT;
    }

    public static CallResult Msgctl(CallContext call, int id, int command, GuestAddress buffer)
    {
        const int statusByIndex = 11, summary = 12, anyStatusByIndex = 13, size = 120;
        if (id < 0 || command < 0)
            return Errno.EINVAL;
        IpcTable<MessageChannel> table = call.Ipc.Channels;
        if (command is IpcArguments.Information or summary)
            return Tell(call, table, command == summary, buffer);
        Span<byte> bytes = stackalloc byte[size];
        if (command == IpcArguments.SetOwner && !call.Memory.TryRead(buffer, bytes))
            return Errno.EFAULT;
        bool byIndex = command is statusByIndex or anyStatusByIndex;
        if ((byIndex ? table.AtIndex(id) : table.Find(id)) is not { } channel)
            return Errno.EINVAL;
        switch (command)
        {
            case IpcArguments.Status or statusByIndex or anyStatusByIndex:
                if (command != anyStatusByIndex && !channel.Allows(call.Thread.Credentials, IpcArguments.ReadAccess))
                    return Errno.EACCES;
                return WriteStatus(call, channel, buffer) ? CallResult.Ok(byIndex ? channel.Id : 0) : Errno.EFAULT;
            case IpcArguments.SetOwner:
                return Change(call, channel, buffer, bytes);
            case IpcArguments.RemoveId:
                if (!channel.MayBeChangedBy(call.Thread.Credentials))
                    return Errno.EPERM;
                table.Remove(channel);
                return CallResult.Ok();
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult Change(CallContext call, MessageChannel channel, GuestAddress buffer, ReadOnlySpan<byte> bytes)
    {
        const int capacityOffset = 88;
        ulong capacity = MemoryMarshal.Read<ulong>(bytes[capacityOffset..]);
        if (!channel.MayBeChangedBy(call.Thread.Credentials) || ((long)capacity > call.Ipc.ChannelCapacity.Value && !call.Thread.Credentials.Has(Capability.Resource)))
            return Errno.EPERM;
        Errno error = call.SetOwnerFrom(buffer, channel, bytes);
        channel.Capacity = capacity;
        channel.Changed.Pulse();
        return error;
    }

    /// <summary>struct msqid64_ds.</summary>
    private static bool WriteStatus(CallContext call, MessageChannel channel, GuestAddress buffer)
    {
        Span<byte> status = stackalloc byte[120];
        status.Clear();
        IpcArguments.WriteOwner(status, channel);
        ReadOnlySpan<long> words =
        [
            channel.SendTime, channel.ReceiveTime, channel.ChangeTime, (long)channel.Bytes, channel.Count, (long)channel.Capacity,
            (uint)call.NumberOf(channel.LastSender) | (long)call.NumberOf(channel.LastReceiver) << 32,
        ];
        MemoryMarshal.AsBytes(words).CopyTo(status[IpcArguments.OwnerSize..]);
        return call.Memory.TryWrite(buffer, status);
    }

    /// <summary>struct msginfo: pool, map, max, mnb, mni, ssz, tql, and a 16-bit seg.</summary>
    private static CallResult Tell(CallContext call, IpcTable<MessageChannel> table, bool isSummary, GuestAddress buffer)
    {
        const int segmentSize = 16, segments = 0xFFFF;
        IpcSpace space = call.Ipc;
        int most = (int)space.MostChannels.Value, capacity = (int)space.ChannelCapacity.Value;
        int messages = table.All.Sum(static channel => channel.Count), bytes = (int)table.All.Sum(static channel => (long)channel.Bytes);
        ReadOnlySpan<int> words =
        [
            isSummary ? table.Count : most * capacity / 1024, isSummary ? messages : capacity,
            (int)space.MessageSize.Value, capacity, most, segmentSize, isSummary ? bytes : capacity, segments,
        ];
        return call.Memory.TryWrite(buffer, MemoryMarshal.AsBytes(words)) ? CallResult.Ok(table.HighestIndex) : Errno.EFAULT;
    }
}
