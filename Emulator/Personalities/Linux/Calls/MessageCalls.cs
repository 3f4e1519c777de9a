using System.Buffers;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MessageHeader
{
    public ulong Name;
    public int NameLength;
    private int _padding;
    public ulong Vectors;
    public ulong VectorCount;
    public ulong Control;
    public ulong ControlLength;
    public int Flags;
    private int _padding2;
}

/// <summary>Sending and receiving on sockets (send(2), recv(2)).</summary>
public static class MessageCalls
{
    private const int Urgent = 0x1, More = 0x8000;
    private const int Peek = 0x2;
    private const int ControlTruncated = 0x8;
    private const int Truncated = 0x20;
    private const int DontWait = 0x40;
    private const int WaitAll = 0x100;
    private const int ErrorQueue = 0x2000;
    private const int NoSignal = 0x4000;
    private const int WaitForOne = 0x10000;
    private const int CloseControlOnExec = 0x40000000;
    private const int LargestTransfer = 1 << 20;
    private const int MostVectors = 1024;

    public static CallResult Sendto(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, int addressLength)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        SocketAddress? to = null;
        if (error == Errno.None && !address.IsNull)
            error = SocketNames.Read(call, socket.Family, address, addressLength, out to);
        if (error != Errno.None)
            return error;
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, LargestTransfer));
        try
        {
            // A stream's long buffer goes in pieces; a message must fit whole.
            Span<byte> piece = bytes.AsSpan(0, (int)Math.Min(length - (ulong)call.Progress, LargestTransfer));
            if (!call.Memory.TryRead(buffer + (ulong)call.Progress, piece))
                return Errno.EFAULT;
            return Send(call, socket, piece, flags, to, Ancillary.None, piece.Length + call.Progress >= (long)length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Sends all of the bytes, waiting for room; what a signal interrupts counts as sent so far.</summary>
    private static CallResult Send(CallContext call, Socket socket, ReadOnlySpan<byte> bytes, int flags, SocketAddress? to, Ancillary ancillary, bool isLast)
    {
        if ((flags & More) != 0 && Hold(socket, bytes, to) is { } held)
            return held.Error != Errno.None ? held.Error : call.Progress + held.Count;
        int done = 0;
        do
        {
            IoResult result = (flags & Urgent) != 0
                ? socket.SendUrgent(call, bytes[done..])
                : socket.Send(call, bytes[done..], to, call.Progress == 0 && done == 0 ? ancillary : Ancillary.None);
            if (result.IsBlocked)
                return BlockSender(call, socket, flags, done);
            if (result.Error != Errno.None)
                return Fail(call, result.Error, flags, done);
            done += (int)result.Count;
        }
        while (done < bytes.Length && socket.Kind == SocketKind.Stream);
        call.Progress += done;
        return isLast ? call.Progress : BlockSender(call, socket, flags, 0);
    }

    /// <summary>Keeps bytes until more come, where that has a meaning; null where it has none.</summary>
    private static IoResult? Hold(Socket socket, ReadOnlySpan<byte> bytes, SocketAddress? to) => socket switch
    {
        DatagramSocket { Family: not SocketFamily.Unix } datagrams => datagrams.Hold(bytes, to),
        StreamSocket stream when stream.Hold(bytes) => bytes.Length,
        _ => null,
    };

    private static CallResult BlockSender(CallContext call, Socket socket, int flags, int done)
    {
        call.Progress += done;
        bool dontWait = socket.IsNonBlocking || (flags & DontWait) != 0;
        if (dontWait && call.Progress != 0)
            return call.Progress;
        return SocketCalls.Block(call, socket, socket.SendTimeout, dontWait);
    }

    private static CallResult Fail(CallContext call, Errno error, int flags, int done)
    {
        if (error == Errno.EPIPE && (flags & NoSignal) == 0)
            call.World.Send(call.Thread, new SignalInfo(Signal.Pipe) { SenderProcess = call.ProcessNumber });
        call.Progress += done;
        return call.Progress != 0 ? call.Progress : error;
    }

    public static CallResult Recvfrom(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, GuestAddress addressLength)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, LargestTransfer));
        try
        {
            Span<byte> into = bytes.AsSpan(0, (int)Math.Min(length - (ulong)call.Progress, LargestTransfer));
            Received received = Receive(socket, into, flags);
            received.Ancillary.Release();
            if (received.Error == Errno.EAGAIN)
                return BlockReceiver(call, socket, flags);
            if (received.Error != Errno.None)
                return call.Progress != 0 ? call.Progress : received.Error;
            // TCP throws away what is only counted (tcp(7), MSG_TRUNC).
            bool isDiscarded = (flags & Truncated) != 0 && socket is StreamSocket { Protocol: 6 };
            if (!isDiscarded && !call.Memory.TryWrite(buffer + (ulong)call.Progress, into[..received.Count]))
                return Errno.EFAULT;
            if (!address.IsNull && received.From is not (null or UnixPath { Path.Length: 0 }))
                error = SocketNames.Write(call, socket.Family, received.From, address, addressLength);
            else if (!address.IsNull)
                error = SocketNames.WriteNone(call, addressLength);
            return error != Errno.None ? error : Finish(call, socket, received, flags, (long)length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static Received Receive(Socket socket, Span<byte> into, int flags)
    {
        if ((flags & ErrorQueue) != 0)
            return socket is DatagramSocket datagrams ? datagrams.ReceiveError(into) : Errno.EAGAIN;
        bool isPeek = (flags & Peek) != 0;
        return (flags & Urgent) != 0 ? socket.ReceiveUrgent(into, isPeek) : socket.Receive(into, isPeek);
    }

    private static CallResult BlockReceiver(CallContext call, Socket socket, int flags)
    {
        bool dontWait = socket.IsNonBlocking || (flags & (DontWait | ErrorQueue | Urgent)) != 0;
        if (dontWait && call.Progress != 0)
            return call.Progress;
        return SocketCalls.Block(call, socket, socket.ReceiveTimeout, dontWait);
    }

    /// <summary>MSG_WAITALL goes on until the buffer is full or the stream ends; MSG_TRUNC tells a message's whole length.</summary>
    private static CallResult Finish(CallContext call, Socket socket, in Received received, int flags, long length)
    {
        if (socket.Kind != SocketKind.Stream)
            return (flags & Truncated) != 0 ? received.Whole : received.Count;
        call.Progress += received.Count;
        bool isDone = (flags & WaitAll) == 0 || (flags & Peek) != 0 || received.Count == 0 || call.Progress >= length;
        return isDone ? call.Progress : BlockReceiver(call, socket, flags);
    }

    public static CallResult Sendmsg(CallContext call, int fd, GuestAddress message, int flags)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        return call.Memory.TryRead(message, out MessageHeader header) ? Send(call, socket, header, flags) : Errno.EFAULT;
    }

    /// <param name="control">The layout of control messages; Linux's when there is none.</param>
    internal static CallResult Send(CallContext call, Socket socket, in MessageHeader header, int flags, ControlFormat? control = null)
    {
        Errno error = Errno.None;
        SocketAddress? to = null;
        if (header.Name != 0 && header.NameLength < 0)
            return Errno.EINVAL;
        if (header.Name != 0 && header.NameLength > 0)
            error = SocketNames.Read(call, socket.Family, new GuestAddress(header.Name), header.NameLength, out to);
        if (error != Errno.None)
            return error;
        error = Gather(call, header, out byte[] bytes, out int length);
        if (error != Errno.None)
            return error;
        try
        {
            error = (control ?? ControlMessages.Format).Read(call, socket, new GuestAddress(header.Control), header.ControlLength, out Ancillary ancillary);
            if (error != Errno.None)
                return error;
            CallResult result = Send(call, socket, bytes.AsSpan((int)call.Progress, length - (int)call.Progress), flags, to, ancillary, isLast: true);
            if (result.Outcome != CallOutcome.Value)
                ancillary.Release();
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static Errno Gather(CallContext call, in MessageHeader header, out byte[] bytes, out int length)
    {
        bytes = [];
        length = 0;
        if (header.VectorCount > MostVectors)
            return Errno.EMSGSIZE;
        Errno error = FileTransfer.ReadVectors(call, new GuestAddress(header.Vectors), (int)header.VectorCount, out IoVector[] vectors, out ulong total);
        if (error != Errno.None)
            return error;
        length = (int)Math.Min(total, LargestTransfer);
        bytes = ArrayPool<byte>.Shared.Rent(length);
        int at = 0;
        for (int i = 0; i < (int)header.VectorCount && at < length; i++)
        {
            int part = (int)Math.Min(vectors[i].Length, (ulong)(length - at));
            if (!call.Memory.TryRead(new GuestAddress(vectors[i].Base), bytes.AsSpan(at, part)))
                error = Errno.EFAULT;
            at += part;
        }
        FileTransfer.Return(vectors);
        return error;
    }

    public static CallResult Recvmsg(CallContext call, int fd, GuestAddress message, int flags)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryRead(message, out MessageHeader header))
            return Errno.EFAULT;
        CallResult result = Receive(call, socket, ref header, flags);
        return result.Outcome != CallOutcome.Value || call.Memory.TryWrite(message, header) ? result : Errno.EFAULT;
    }

    /// <summary>Receives into what a header names, and tells the rest in it.</summary>
    internal static CallResult Receive(CallContext call, Socket socket, ref MessageHeader header, int flags, ControlFormat? control = null)
    {
        if (header.Name != 0 && header.NameLength < 0)
            return Errno.EINVAL;
        if (header.VectorCount > MostVectors)
            return Errno.EMSGSIZE;
        Errno error = FileTransfer.ReadVectors(call, new GuestAddress(header.Vectors), (int)header.VectorCount, out IoVector[] vectors, out ulong total);
        if (error != Errno.None)
            return error;
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(total, LargestTransfer));
        try
        {
            Received received = Receive(socket, bytes.AsSpan(0, (int)Math.Min(total, LargestTransfer)), flags);
            if (received.Error == Errno.EAGAIN)
                return BlockReceiver(call, socket, flags);
            if (received.Error != Errno.None)
                return received.Error;
            return Scatter(call, bytes.AsSpan(0, received.Count), vectors.AsSpan(0, (int)header.VectorCount))
                ? Deliver(call, socket, ref header, received, flags, control ?? ControlMessages.Format)
                : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            FileTransfer.Return(vectors);
        }
    }

    private static bool Scatter(CallContext call, ReadOnlySpan<byte> bytes, ReadOnlySpan<IoVector> vectors)
    {
        foreach (IoVector vector in vectors)
        {
            int part = (int)Math.Min(vector.Length, (ulong)bytes.Length);
            if (!call.Memory.TryWrite(new GuestAddress(vector.Base), bytes[..part]))
                return false;
            bytes = bytes[part..];
        }
        return true;
    }

    /// <summary>Writes name, control messages and flags back into the header.</summary>
    private static CallResult Deliver(CallContext call, Socket socket, ref MessageHeader header, in Received received, int flags, ControlFormat control)
    {
        bool isPeek = (flags & Peek) != 0;
        bool fits = control.Write(
            call, socket, received.Ancillary, new GuestAddress(header.Control), header.ControlLength, (flags & CloseControlOnExec) != 0, isPeek, out ulong used);
        int result = (socket.Kind != SocketKind.Stream && received.Whole > received.Count ? Truncated : 0) | (fits ? 0 : ControlTruncated) | (flags & CloseControlOnExec) | (received.Ancillary.Error is null ? 0 : ErrorQueue);
        int nameLength = 0;
        if (header.Name != 0 && received.From is not (null or UnixPath { Path.Length: 0 }))
        {
            Span<byte> name = stackalloc byte[128];
            nameLength = SocketNames.Encode(socket.Family, received.From, name);
            call.Process.Personality.WriteAddressHead(name[..nameLength]);
            if (!call.Memory.TryWrite(new GuestAddress(header.Name), name[..Math.Min(nameLength, Math.Max(0, header.NameLength))]))
                return Errno.EFAULT;
        }
        header.NameLength = nameLength;
        header.ControlLength = used;
        header.Flags = result;
        return (flags & Truncated) != 0 ? received.Whole : received.Count;
    }

    public static CallResult Sendmmsg(CallContext call, int fd, GuestAddress messages, uint count, int flags) =>
        Each(call, messages, count, null, (message, _) => Sendmsg(call, fd, message, flags));

    public static CallResult Recvmmsg(CallContext call, int fd, GuestAddress messages, uint count, int flags, GuestAddress timeout)
    {
        long? end = null;
        if (!timeout.IsNull)
        {
            Errno error = call.ReadTime(timeout, out long nanoseconds);
            if (error != Errno.None)
                return error;
            end = call.StartedAt + nanoseconds;
        }
        return Each(call, messages, count, end, (message, index) =>
            Recvmsg(call, fd, message, index > 0 && (flags & WaitForOne) != 0 ? (flags & ~WaitForOne) | DontWait : flags & ~WaitForOne));
    }

    /// <summary>
    /// Struct mmsghdr: a header of 56 bytes, then the length. An error after the first message is told by the next call only; the end
    /// of the time is looked at between messages (recvmmsg(2), "Bugs").
    /// </summary>
    private static CallResult Each(CallContext call, GuestAddress messages, uint count, long? end, Func<GuestAddress, uint, CallResult> one)
    {
        const ulong size = 64, lengthOffset = 56;
        count = Math.Min(count, MostVectors);
        for (uint i = call.State is uint done ? done : 0; i < count; i++)
        {
            GuestAddress message = messages + (i * size);
            CallResult result = one(message, i);
            call.State = i;
            if (result.Outcome == CallOutcome.Blocked)
                return result;
            if (result.Outcome != CallOutcome.Value)
                return i > 0 ? i : result;
            call.Progress = 0;
            if (!call.Memory.TryWrite(message + lengthOffset, (uint)result.Value))
                return Errno.EFAULT;
            if (end is { } deadline && call.World.Clock.Monotonic >= deadline)
                return i + 1;
        }
        return count;
    }
}
