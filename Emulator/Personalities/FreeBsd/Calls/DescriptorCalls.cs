using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxDescriptors = Vivarium.Emulator.Personalities.Linux.Calls.DescriptorCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>fcntl(2), pipes, sendfile(2).</summary>
public static class DescriptorCalls
{
    public static CallResult Fcntl(CallContext call, int fd, int command, ulong argument)
    {
        const int linuxDuplicateCloseOnExec = 1030;
        switch (command)
        {
            case 0 or 1 or 2: // F_DUPFD, F_GETFD, F_SETFD
                return LinuxDescriptors.Fcntl(call, fd, (uint)command, argument);
            case 3: // F_GETFL
                return call.File(fd) is { } file ? (long)FreeBsdPersonality.Instance.OpenFlags.Encode(file) : Errno.EBADF;
            case 4: // F_SETFL
                return LinuxDescriptors.SetStatus(call, fd, FreeBsdPersonality.Instance.OpenFlags.Decode((uint)argument));
            case 5 or 6: // F_GETOWN, F_SETOWN
                return LinuxDescriptors.Fcntl(call, fd, command == 5 ? 9u : 8, argument);
            case 10 or 18: // F_DUP2FD, F_DUP2FD_CLOEXEC
                return DuplicateTo(call, fd, (int)argument, command == 18);
            case 11 or 12 or 13: // F_GETLK, F_SETLK, F_SETLKW
                return Lock(call, fd, command, new GuestAddress(argument));
            case 17: // F_DUPFD_CLOEXEC
                return LinuxDescriptors.Fcntl(call, fd, linuxDuplicateCloseOnExec, argument);
            case 19 or 20: // F_ADD_SEALS, F_GET_SEALS
                return LinuxDescriptors.Fcntl(call, fd, command == 19 ? 1033u : 1034, argument);
            default:
                return call.File(fd) is null ? Errno.EBADF : Errno.EINVAL;
        }
    }

    private static CallResult DuplicateTo(CallContext call, int fd, int target, bool closeOnExec)
    {
        CallResult result = LinuxDescriptors.Dup2(call, fd, target);
        if (result.Outcome == CallOutcome.Value)
            call.Process.Files.SetCloseOnExec(target, closeOnExec);
        return result;
    }

    /// <summary>struct flock has other places and numbers.</summary>
    private static CallResult Lock(CallContext call, int fd, int command, GuestAddress address)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (!call.Memory.TryRead(address, out FreeBsdFlock given))
            return Errno.EFAULT;
        if (given.TryToLinux() is not { } request)
            return Errno.EINVAL;
        return LockCalls.Apply(call, file, command switch { 11 => 5u, 12 => 6, _ => 7 }, ref request) is { Outcome: not CallOutcome.Value } failed
            ? failed
            : command != 11 || call.Memory.TryWrite(address, FreeBsdFlock.From(request)) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>pipe(2) of old returns both descriptors in registers.</summary>
    public static CallResult Freebsd10Pipe(CallContext call)
    {
        (OpenFile reader, OpenFile writer) = PipeCalls.Make(call, null, OpenFlags.None);
        Errno error = PipeCalls.AddPair(call, reader, writer, closeOnExec: false, out int one, out int two);
        if (error != Errno.None)
            return error;
        BsdPersonality.ArchitectureOf(call).SecondResult(ref call.Thread.Cpu.State) = (ulong)two;
        return one;
    }

    public static CallResult Getdtablesize(CallContext call) => call.Process.Files.Limit;

    public static CallResult Closefrom(CallContext call, int lowest)
    {
        OpenCalls.CloseRange(call, (uint)Math.Max(0, lowest), int.MaxValue, 0);
        return 0;
    }

    public static CallResult CloseRange(CallContext call, uint first, uint last, int flags)
    {
        const int closeOnExec = 4;
        return (flags & ~closeOnExec) != 0 || last < first ? Errno.EINVAL : OpenCalls.CloseRange(call, first, last, (uint)flags);
    }

    /// <summary>Counters of eventfd(2) and queues of inotify(2).</summary>
    public static CallResult Specialfd(CallContext call, int type, GuestAddress request, ulong length)
    {
        const int eventCounter = 1, inotify = 2;
        Span<uint> words = stackalloc uint[type == eventCounter ? 2 : 1];
        if (type is not (eventCounter or inotify) || length != (ulong)words.Length * sizeof(uint))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(request, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)))
            return Errno.EFAULT;
        const uint semaphore = 1, nonBlocking = 4, closeOnExec = 0x100000, linuxNonBlocking = 0x800, linuxCloseOnExec = 0x80000;
        uint flags = words[^1];
        if ((flags & ~(nonBlocking | closeOnExec | (type == eventCounter ? semaphore : 0))) != 0)
            return Errno.EINVAL;
        uint linux = (flags & semaphore) | ((flags & nonBlocking) != 0 ? linuxNonBlocking : 0) | ((flags & closeOnExec) != 0 ? linuxCloseOnExec : 0);
        return type == eventCounter ? PipeCalls.Eventfd2(call, words[0], (int)linux) : InotifyCalls.InotifyInit1(call, linux);
    }

    public static CallResult InotifyAddWatchAt(CallContext call, int fd, int dirfd, GuestAddress path, uint mask) => InotifyCalls.AddWatch(call, fd, dirfd, path, mask);

    /// <summary>The shared handlers split the offset, as 32-bit systems pass it.</summary>
    public static CallResult Preadv(CallContext call, int fd, GuestAddress vectors, int count, long offset) => ReadWriteCalls.Preadv(call, fd, vectors, count, (ulong)offset, 0);

    public static CallResult Pwritev(CallContext call, int fd, GuestAddress vectors, int count, long offset) => ReadWriteCalls.Pwritev(call, fd, vectors, count, (ulong)offset, 0);

    public static CallResult PosixFallocate(CallContext call, int fd, long offset, long length)
    {
        CallResult result = ContentCalls.Fallocate(call, fd, 0, offset, length);
        // It returns its error, and sets none (posix_fallocate(2)).
        return result.Outcome == CallOutcome.Error ? FreeBsdPersonality.Instance.Numbers.ErrorNumber(result.Error) : result;
    }

    /// <summary>sendfile(2): from a file to a stream socket, all of it when 0 bytes are asked; how much was sent is told apart.</summary>
    public static CallResult Sendfile(CallContext call, int fd, int socketFd, long offset, ulong count, GuestAddress headers, GuestAddress sent, int flags)
    {
        const int piece = 64 * 1024;
        if (call.File(fd) is not { CanRead: true } file)
            return Errno.EBADF;
        if (call.File(socketFd) is not Socket socket)
            return call.File(socketFd) is null ? Errno.EBADF : Errno.ENOTSOCK;
        if (socket.Kind != SocketKind.Stream || !file.CanSeek || offset < 0 || !headers.IsNull)
            return Errno.EINVAL;
        byte[] bytes = ArrayPool<byte>.Shared.Rent(piece);
        try
        {
            CallResult result;
            do
                result = SendPiece(call, file, socket, offset, count, bytes.AsSpan(0, piece));
            while (result is { Outcome: CallOutcome.Value, Value: > 0 });
            if (result.Outcome == CallOutcome.Blocked)
                return result;
            if (!sent.IsNull && !call.Memory.TryWrite(sent, call.Progress))
                return Errno.EFAULT;
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Bytes that were sent, 0 at the end, or why it did not go on.</summary>
    private static CallResult SendPiece(CallContext call, OpenFile file, Socket socket, long offset, ulong count, Span<byte> bytes)
    {
        if (count != 0)
            bytes = bytes[..(int)Math.Min((ulong)bytes.Length, count - (ulong)call.Progress)];
        IoResult read = bytes.IsEmpty ? 0 : file.ReadAt(offset + call.Progress, bytes);
        if (read.Error != Errno.None || read.Count == 0)
            return read.Error;
        IoResult written = socket.Send(call, bytes[..(int)read.Count], null, Ancillary.None);
        if (written.IsBlocked)
            return socket.IsNonBlocking ? Errno.EAGAIN : call.Wait(socket.Source);
        if (written.Error != Errno.None)
            return written.Error;
        call.Progress += written.Count;
        return written.Count;
    }
}
