using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>POSIX message queues (mq_overview(7)); the raw calls take names without their slash.</summary>
public static class PosixQueueCalls
{
    private const int AccessMask = 3, WriteOnly = 1, ReadWrite = 2, Create = 0x40, Exclusive = 0x80, NonBlocking = 0x800;
    private const int LongestName = 255;
    private const uint MostPriorities = 32_768;

    public static CallResult MqOpen(CallContext call, GuestAddress name, int flags, uint mode, GuestAddress attributes)
    {
        long mostMessages = Math.Min(call.Ipc.UsualQueueMessages.Value, call.Ipc.QueueMessages.Value);
        long messageSize = Math.Min(call.Ipc.UsualQueueMessageSize.Value, call.Ipc.QueueMessageSize.Value);
        if (!attributes.IsNull && !(call.Memory.TryRead(attributes + 8, out mostMessages) && call.Memory.TryRead(attributes + 16, out messageSize)))
            return Errno.EFAULT;
        Errno error = ReadName(call, name, out string path);
        if (error != Errno.None)
            return error;
        if ((flags & AccessMask) == AccessMask)
            return Errno.EINVAL;
        if (!call.Process.Files.HasRoom)
            return Errno.EMFILE;
        SortedDictionary<string, PosixQueue> queues = call.Ipc.Queues;
        if (queues.TryGetValue(path, out PosixQueue? queue))
        {
            if ((flags & (Create | Exclusive)) == (Create | Exclusive))
                return Errno.EEXIST;
            error = Check(call, queue, flags);
        }
        else
        {
            error = (flags & Create) == 0 ? Errno.ENOENT : Make(call, path, mode, !attributes.IsNull, mostMessages, messageSize, out queue);
        }
        if (error != Errno.None)
            return error;
        OpenFlags access = (flags & AccessMask) switch { WriteOnly => OpenFlags.Write, ReadWrite => OpenFlags.ReadWrite, _ => OpenFlags.Read };
        return PipeCalls.Install(call, new PosixQueueFile(queue!, access | ((flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : 0)), closeOnExec: true);
    }

    private static Errno ReadName(CallContext call, GuestAddress address, out string name)
    {
        name = "";
        byte[]? bytes = call.Memory.ReadCString(address, LongestName + 2, out bool tooLong);
        if (bytes is null)
            return tooLong ? Errno.ENAMETOOLONG : Errno.EFAULT;
        if (bytes.Length == 0)
            return Errno.ENOENT;
        if (bytes.Length > LongestName)
            return Errno.ENAMETOOLONG;
        if (bytes.AsSpan().Contains((byte)'/') || bytes.AsSpan().SequenceEqual("."u8) || bytes.AsSpan().SequenceEqual(".."u8))
            return Errno.EACCES;
        name = Encoding.Latin1.GetString(bytes);
        return Errno.None;
    }

    private static Errno Check(CallContext call, PosixQueue queue, int flags)
    {
        bool reads = (flags & AccessMask) != WriteOnly, writes = (flags & AccessMask) != 0;
        FileAccessKind wanted = (reads ? FileAccessKind.Read : 0) | (writes ? FileAccessKind.Write : 0);
        return Permission.Check(queue.Inode, wanted, call.Thread.FileCredentials);
    }

    private static Errno Make(CallContext call, string name, uint mode, bool hasAttributes, long mostMessages, long messageSize, out PosixQueue? queue)
    {
        const long hardMessages = 65_536, hardSize = 16 << 20;
        queue = null;
        Credentials who = call.Thread.Credentials;
        bool isFree = who.Has(Capability.Resource);
        if (call.Ipc.Queues.Count >= call.Ipc.MostQueues.Value && !isFree)
            return Errno.ENOSPC;
        if (hasAttributes && (mostMessages <= 0 || messageSize <= 0 || mostMessages > (isFree ? hardMessages : call.Ipc.QueueMessages.Value) || messageSize > (isFree ? hardSize : call.Ipc.QueueMessageSize.Value)))
            return Errno.EINVAL;
        var made = new PosixQueue(call.World, (int)mostMessages, (int)messageSize, who.FileUser, who.FileGroup, mode & 0x1FF & ~call.Process.FileContext.CreationMask);
        ulong used = call.World.QueueBytes.GetValueOrDefault(who.User), limit = call.Process.SoftLimit(Resource.MessageQueues);
        if (used > limit || made.Cost > limit - used)
            return Errno.EMFILE;
        call.World.QueueBytes[who.User] = used + made.Cost;
        call.Ipc.Queues.Add(name, queue = made);
        return Errno.None;
    }

    public static CallResult MqUnlink(CallContext call, GuestAddress name)
    {
        Errno error = ReadName(call, name, out string path);
        if (error != Errno.None)
            return error;
        if (!call.Ipc.Queues.TryGetValue(path, out PosixQueue? queue))
            return Errno.ENOENT;
        // The directory is everybody's, with the sticky bit.
        Credentials who = call.Thread.Credentials;
        if (who.FileUser != queue.User && !who.Has(Capability.FileOwner))
            return Errno.EPERM;
        call.Ipc.Queues.Remove(path);
        call.World.QueueBytes[queue.User] = call.World.QueueBytes.GetValueOrDefault(queue.User) - Math.Min(call.World.QueueBytes.GetValueOrDefault(queue.User), queue.Cost);
        return CallResult.Ok();
    }

    public static CallResult MqTimedsend(CallContext call, int descriptor, GuestAddress message, ulong length, uint priority, GuestAddress deadline)
    {
        Errno error = SetDeadline(call, deadline);
        if (error != Errno.None)
            return error;
        if (priority >= MostPriorities)
            return Errno.EINVAL;
        if (call.File(descriptor) is not PosixQueueFile { CanWrite: true } file)
            return Errno.EBADF;
        if (length > (ulong)file.Queue.MessageSize)
            return Errno.EMSGSIZE;
        byte[] text = new byte[length];
        if (!call.Memory.TryRead(message, text))
            return Errno.EFAULT;
        if (file.Queue.IsFull)
            return Block(call, file);
        file.Queue.Send(priority, text, call.Process, call.Thread.Credentials.User);
        return CallResult.Ok();
    }

    public static CallResult MqTimedreceive(CallContext call, int descriptor, GuestAddress message, ulong length, GuestAddress priority, GuestAddress deadline)
    {
        Errno error = SetDeadline(call, deadline);
        if (error != Errno.None)
            return error;
        if (call.File(descriptor) is not PosixQueueFile { CanRead: true } file)
            return Errno.EBADF;
        if (length < (ulong)file.Queue.MessageSize)
            return Errno.EMSGSIZE;
        (call.State as Receiver)?.Abandon();
        call.State = null;
        if (file.Queue.Count == 0)
        {
            CallResult blocked = Block(call, file);
            if (blocked.Outcome == CallOutcome.Blocked)
                call.State = new Receiver(file.Queue);
            return blocked;
        }
        (uint level, byte[] text) = file.Queue.Take();
        if (!priority.IsNull && !call.Memory.TryWrite(priority, level))
            return Errno.EFAULT;
        return call.Memory.TryWrite(message, text) ? CallResult.Ok(text.Length) : Errno.EFAULT;
    }

    private static CallResult Block(CallContext call, PosixQueueFile file)
    {
        if (file.IsNonBlocking)
            return Errno.EAGAIN;
        return call.DeadlinePassed ? Errno.ETIMEDOUT : call.Wait(file.Source);
    }

    private static Errno SetDeadline(CallContext call, GuestAddress deadline)
    {
        if (deadline.IsNull)
            return Errno.None;
        Errno error = call.ReadTime(deadline, out long time);
        if (error == Errno.None)
            call.SetDeadline(call.World.MonotonicOf(time));
        return error;
    }

    /// <summary>Counts a waiting receiver for as long as it waits.</summary>
    private sealed class Receiver : IAbandonable
    {
        private readonly PosixQueue _queue;

        public Receiver(PosixQueue queue)
        {
            _queue = queue;
            _queue.Receivers++;
        }

        public void Abandon() => _queue.Receivers--;
    }

    /// <summary>struct sigevent; null takes the notice back.</summary>
    public static CallResult MqNotify(CallContext call, int descriptor, GuestAddress notice)
    {
        const int bySignal = 0, none = 1, byThread = 2;
        ulong value = 0;
        int signal = 0, how = none;
        Action<bool>? tell = null;
        if (!notice.IsNull)
        {
            if (!call.Memory.TryRead(notice, out value) || !call.Memory.TryRead(notice + 8, out signal) || !call.Memory.TryRead(notice + 12, out how))
                return Errno.EFAULT;
            if (how is not (bySignal or none or byThread) || (how == bySignal && !Signal.IsValid(signal)))
                return Errno.EINVAL;
            Errno error = how == byThread ? FindListener(call, value, signal, out tell) : Errno.None;
            if (error != Errno.None)
                return error;
        }
        if (call.File(descriptor) is not PosixQueueFile file)
            return Errno.EBADF;
        PosixQueue queue = file.Queue;
        if (notice.IsNull)
        {
            if (ReferenceEquals(queue.Notice?.Owner, call.Process))
            {
                queue.Notice!.Tell?.Invoke(false);
                queue.Notice = null;
            }
            return CallResult.Ok();
        }
        if (queue.Notice is { Owner.IsZombie: false })
            return Errno.EBUSY;
        queue.Notice = new QueueNotice(call.Process, how == bySignal ? signal : 0, value) { Tell = tell };
        return CallResult.Ok();
    }

    /// <summary>A thread of the C library waits at a netlink socket for a cookie of 32 bytes, whose last tells what happened (SIGEV_THREAD in ipc/mqueue.c).</summary>
    private static Errno FindListener(CallContext call, ulong cookieAt, int descriptor, out Action<bool>? tell)
    {
        const int size = 32;
        const byte came = 1, removed = 2;
        tell = null;
        byte[] cookie = new byte[size];
        if (!call.Memory.TryRead(new GuestAddress(cookieAt), cookie))
            return Errno.EFAULT;
        Errno error = SocketCalls.Find(call, descriptor, out Kernel.Net.Socket socket);
        if (error != Errno.None)
            return error;
        if (socket is not Netlink.NetlinkSocket listener)
            return Errno.EINVAL;
        tell = hasMessage =>
        {
            cookie[size - 1] = hasMessage ? came : removed;
            listener.Tell(cookie);
        };
        return Errno.None;
    }

    /// <summary>struct mq_attr: flags, most messages, message size, messages now; only O_NONBLOCK can be changed.</summary>
    public static CallResult MqGetsetattr(CallContext call, int descriptor, GuestAddress wanted, GuestAddress old)
    {
        long flags = 0;
        if (!wanted.IsNull && !call.Memory.TryRead(wanted, out flags))
            return Errno.EFAULT;
        if ((flags & ~NonBlocking) != 0)
            return Errno.EINVAL;
        if (call.File(descriptor) is not PosixQueueFile file)
            return Errno.EBADF;
        PosixQueue queue = file.Queue;
        ReadOnlySpan<long> words = [file.IsNonBlocking ? NonBlocking : 0, queue.MostMessages, queue.MessageSize, queue.Count, 0, 0, 0, 0];
        if (!wanted.IsNull)
            file.Flags = (flags & NonBlocking) != 0 ? file.Flags | OpenFlags.NonBlocking : file.Flags & ~OpenFlags.NonBlocking;
        return old.IsNull || call.Memory.TryWrite(old, MemoryMarshal.AsBytes(words)) ? CallResult.Ok() : Errno.EFAULT;
    }
}
