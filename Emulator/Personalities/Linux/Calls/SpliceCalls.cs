using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Pipes;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): from file to file. The order of checks is fs/splice.c's.</summary>
public static class SpliceCalls
{
    private const uint NonBlocking = 2;
    private const uint KnownFlags = 0xF;

    public static CallResult Splice(CallContext call, int fdIn, GuestAddress offsetIn, int fdOut, GuestAddress offsetOut, ulong count, uint flags)
    {
        if (count == 0)
            return 0;
        if ((flags & ~KnownFlags) != 0)
            return Errno.EINVAL;
        if (call.UsableFile(fdIn, out OpenFile source) != Errno.None || call.UsableFile(fdOut, out OpenFile target) != Errno.None)
            return Errno.EBADF;
        Pipe? from = (source as PipeEnd)?.Pipe, to = (target as PipeEnd)?.Pipe;
        if ((from is not null && !offsetIn.IsNull) || (to is not null && !offsetOut.IsNull))
            return Errno.ESPIPE;
        long readAt = source.Position, writeAt = target.Position;
        if ((!offsetOut.IsNull && !call.Memory.TryRead(offsetOut, out writeAt)) || (!offsetIn.IsNull && !call.Memory.TryRead(offsetIn, out readAt)))
            return Errno.EFAULT;
        if (!source.CanRead || !target.CanWrite)
            return Errno.EBADF;
        bool mayBlock = (flags & NonBlocking) == 0;
        CallResult result = (from, to) switch
        {
            ({ } one, { } two) => PipeToPipe(call, source, one, target, two, count, mayBlock),
            ({ } one, null) => PipeToFile(call, source, one, target, writeAt, !offsetOut.IsNull, count, mayBlock),
            (null, { } two) => FileToPipe(call, source, readAt, !offsetIn.IsNull, target, two, count, mayBlock),
            _ => Errno.EINVAL,
        };
        if (result.Outcome == CallOutcome.Value && result.Value > 0)
        {
            FileNotifier.OnFile(target, FileChange.Modified);
            FileNotifier.OnFile(source, FileChange.Accessed);
            return Finish(call, result.Value, source, from is null ? readAt : null, offsetIn, target, to is null ? writeAt : null, offsetOut);
        }
        return result;
    }

    /// <summary>Moves the positions, or stores them where the caller keeps them.</summary>
    private static CallResult Finish(
        CallContext call, long count, OpenFile source, long? readAt, GuestAddress offsetIn, OpenFile target, long? writeAt, GuestAddress offsetOut)
    {
        return Advance(call, source, readAt, offsetIn, count) && Advance(call, target, writeAt, offsetOut, count) ? count : Errno.EFAULT;
    }

    private static CallResult TellAndFinish(
        CallContext call, long count, OpenFile source, long readAt, GuestAddress offsetIn, OpenFile target, long? writeAt, GuestAddress offsetOut)
    {
        FileNotifier.OnFile(source, FileChange.Accessed);
        FileNotifier.OnFile(target, FileChange.Modified);
        return Finish(call, count, source, readAt, offsetIn, target, writeAt, offsetOut);
    }

    private static bool Advance(CallContext call, OpenFile file, long? position, GuestAddress stored, long count)
    {
        if (position is not { } start)
            return true;
        if (!stored.IsNull)
            return call.Memory.TryWrite(stored, start + count);
        if (file.CanSeek)
            file.Position = start + count;
        return true;
    }

    private static CallResult PipeToPipe(CallContext call, OpenFile source, Pipe from, OpenFile target, Pipe to, ulong count, bool mayBlock)
    {
        if (ReferenceEquals(from, to))
            return Errno.EINVAL;
        mayBlock &= !source.IsNonBlocking && !target.IsNonBlocking;
        if (Prepare(call, from, to, mayBlock) is { } early)
            return early;
        bool isFreed = from.MoveTo(to, (long)Math.Min(count, long.MaxValue), out long moved);
        to.TellReaders();
        if (isFreed)
            from.TellWriters();
        return moved;
    }

    /// <summary>Waits for bytes in one pipe and a place in the other; null when there are both.</summary>
    private static CallResult? Prepare(CallContext call, Pipe from, Pipe to, bool mayBlock)
    {
        if (from.IsEmpty)
            return from.Writers == 0 ? CallResult.Ok() : mayBlock ? call.Wait(from.ReadSource) : Errno.EAGAIN;
        return WaitForPlace(call, to, mayBlock);
    }

    /// <summary>Null when there is a place; EPIPE with its signal when nobody reads.</summary>
    private static CallResult? WaitForPlace(CallContext call, Pipe to, bool mayBlock)
    {
        if (to.Readers == 0)
            return FileTransfer.Fail(call, Errno.EPIPE, 0);
        if (to.FreePlaces > 0)
            return null;
        return mayBlock ? call.Wait(to.WriteSource) : Errno.EAGAIN;
    }

    private static CallResult PipeToFile(
        CallContext call, OpenFile source, Pipe from, OpenFile target, long offset, bool hasOffset, ulong count, bool mayBlock)
    {
        if (hasOffset && !target.CanSeek)
            return Errno.EINVAL;
        if ((target.Flags & OpenFlags.Append) != 0)
            return Errno.EINVAL;
        if ((long)count < 0 || offset < 0 || offset + (long)Math.Min(count, FileTransfer.MaxCount) < 0)
            return Errno.EINVAL;
        if (!CanSplice(target))
            return Errno.EINVAL;
        mayBlock &= !source.IsNonBlocking;
        if (from.IsEmpty)
            return from.Writers == 0 ? CallResult.Ok() : mayBlock ? call.Wait(from.ReadSource) : Errno.EAGAIN;
        return Drain(call, from, target, offset, (long)Math.Min(count, FileTransfer.MaxCount), mayBlock);
    }

    private static CallResult Drain(CallContext call, Pipe from, OpenFile target, long offset, long count, bool mayBlock)
    {
        long done = 0;
        bool isFreed = false;
        CallResult? failure = null;
        while (done < count && !from.IsEmpty && failure is null)
        {
            ReadOnlySpan<byte> bytes = from.Head[..(int)Math.Min(from.Head.Length, count - done)];
            IoResult written = target.CanSeek ? target.WriteAt(offset + done, bytes) : target.Write(call, bytes);
            if (written.IsBlocked)
                failure = mayBlock ? FileTransfer.Block(call, target) : Errno.EAGAIN;
            else if (written.Error != Errno.None)
                failure = FileTransfer.Fail(call, written.Error, done);
            if (written.Count <= 0)
                break;
            isFreed |= from.Take((int)written.Count);
            done += written.Count;
        }
        if (isFreed)
            from.TellWriters();
        return done == 0 && failure is { } result ? result : done;
    }

    private static CallResult FileToPipe(
        CallContext call, OpenFile source, long offset, bool hasOffset, OpenFile target, Pipe to, ulong count, bool mayBlock)
    {
        if (hasOffset && !source.CanSeek)
            return Errno.EINVAL;
        if ((long)count < 0 || offset < 0 || offset + (long)Math.Min(count, FileTransfer.MaxCount) < 0)
            return Errno.EINVAL;
        mayBlock &= !target.IsNonBlocking;
        if (WaitForPlace(call, to, mayBlock) is { } early)
            return early;
        // Nothing is asked of the file when nothing is to be moved (do_splice_read in fs/splice.c).
        if (count == 0)
            return 0;
        if (!CanSplice(source))
            return Errno.EINVAL;
        return Fill(call, source, offset, to, (long)Math.Min(count, FileTransfer.MaxCount), mayBlock);
    }

    /// <summary>A file's bytes take a place for each of its pages they lie in; a stream's are read in one piece and then cut.</summary>
    private static CallResult Fill(CallContext call, OpenFile source, long offset, Pipe to, long count, bool mayBlock)
    {
        int room = to.FreePlaces * Pipe.PageSize;
        int first = source.CanSeek ? (int)(offset % Pipe.PageSize) : 0;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(room);
        int wanted = (int)Math.Min(count, room - first);
        IoResult read = source.CanSeek ? source.ReadAt(offset, buffer.AsSpan(0, wanted)) : source.Read(call, buffer.AsSpan(0, wanted));
        for (int done = 0; done < read.Count;)
        {
            int part = (int)Math.Min(read.Count - done, Pipe.PageSize - ((first + done) % Pipe.PageSize));
            to.PutPage(buffer.AsSpan(done, part));
            done += part;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        if (read.IsBlocked)
            return mayBlock ? FileTransfer.Block(call, source) : Errno.EAGAIN;
        if (read.Count > 0)
            to.TellReaders();
        return read.Error != Errno.None ? read.Error : read.Count;
    }

    /// <summary>Event descriptors and directories have no bytes to move.</summary>
    private static bool CanSplice(OpenFile file) =>
        file is Socket || file.Inode.Kind is FileKind.Regular or FileKind.CharacterDevice or FileKind.BlockDevice;

    public static CallResult Tee(CallContext call, int fdIn, int fdOut, ulong count, uint flags)
    {
        if ((flags & ~KnownFlags) != 0)
            return Errno.EINVAL;
        if (count == 0)
            return 0;
        if (call.UsableFile(fdIn, out OpenFile source) != Errno.None || call.UsableFile(fdOut, out OpenFile target) != Errno.None
            || !source.CanRead || !target.CanWrite)
        {
            return Errno.EBADF;
        }
        if (source is not PipeEnd { Pipe: var from } || target is not PipeEnd { Pipe: var to } || ReferenceEquals(from, to))
            return Errno.EINVAL;
        bool mayBlock = (flags & NonBlocking) == 0 && !source.IsNonBlocking && !target.IsNonBlocking;
        if (Prepare(call, from, to, mayBlock) is { } early)
            return early;
        long copied = from.CopyTo(to, (long)Math.Min(count, long.MaxValue));
        to.TellReaders();
        return copied;
    }

    public static CallResult Vmsplice(CallContext call, int fd, GuestAddress vectors, ulong count, uint flags)
    {
        if ((flags & ~KnownFlags) != 0)
            return Errno.EINVAL;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None || !(file.CanWrite || file.CanRead))
            return Errno.EBADF;
        Errno error = FileTransfer.ReadVectors(call, vectors, (int)Math.Min(count, int.MaxValue), out Abi.IoVector[] parts, out ulong total);
        if (error != Errno.None)
            return error;
        CallResult result = total == 0 ? CallResult.Ok()
            : file is not PipeEnd end ? Errno.EBADF
            : file.CanWrite ? Gift(call, end, parts.AsSpan(0, (int)count), (flags & NonBlocking) == 0)
            : TakeOut(call, end, parts.AsSpan(0, (int)count), (flags & NonBlocking) == 0);
        FileTransfer.Return(parts);
        return result;
    }

    /// <summary>Each page of the caller's memory takes a place; what has none is left.</summary>
    private static CallResult Gift(CallContext call, PipeEnd end, ReadOnlySpan<Abi.IoVector> vectors, bool mayBlock)
    {
        Pipe pipe = end.Pipe;
        if (WaitForPlace(call, pipe, mayBlock && !end.IsNonBlocking) is { } early)
            return early;
        long done = 0;
        foreach (Abi.IoVector vector in vectors)
        {
            for (ulong part = 0; part < vector.Length && pipe.FreePlaces > 0;)
            {
                ulong at = vector.Base + part;
                ulong length = Math.Min(vector.Length - part, Pipe.PageSize - (at % Pipe.PageSize));
                ReadOnlySpan<byte> view = call.Memory.View(new GuestAddress(at), length, MemoryAccess.Read);
                if (view.IsEmpty)
                    return Given(pipe, done, Errno.EFAULT);
                pipe.PutPage(view);
                part += (ulong)view.Length;
                done += view.Length;
            }
        }
        return Given(pipe, done, Errno.None);
    }

    /// <summary>What is there goes into the caller's memory, packets or not (vmsplice_to_user in fs/splice.c).</summary>
    private static CallResult TakeOut(CallContext call, PipeEnd end, ReadOnlySpan<Abi.IoVector> vectors, bool mayBlock)
    {
        Pipe pipe = end.Pipe;
        if (pipe.IsEmpty)
            return pipe.Writers == 0 ? CallResult.Ok() : mayBlock ? call.Wait(pipe.ReadSource) : Errno.EAGAIN;
        long done = 0;
        bool isFreed = false;
        foreach (Abi.IoVector vector in vectors)
        {
            for (ulong part = 0; part < vector.Length && !pipe.IsEmpty;)
            {
                ReadOnlySpan<byte> bytes = pipe.Head[..(int)Math.Min((ulong)pipe.Head.Length, vector.Length - part)];
                if (!call.Memory.TryWrite(new GuestAddress(vector.Base + part), bytes))
                    return Taken(pipe, done, isFreed);
                part += (ulong)bytes.Length;
                done += bytes.Length;
                isFreed |= pipe.Take(bytes.Length);
            }
        }
        return Taken(pipe, done, isFreed);
    }

    private static CallResult Taken(Pipe pipe, long done, bool isFreed)
    {
        if (isFreed)
            pipe.TellWriters();
        return done > 0 ? done : Errno.EFAULT;
    }

    private static CallResult Given(Pipe pipe, long done, Errno error)
    {
        if (done > 0)
            pipe.TellReaders();
        return done > 0 ? done : error;
    }

    public static CallResult Sendfile(CallContext call, int outFd, int inFd, GuestAddress offset, ulong count)
    {
        long position = 0;
        if (!offset.IsNull && !call.Memory.TryRead(offset, out position))
            return Errno.EFAULT;
        if (call.UsableFile(inFd, out OpenFile source) != Errno.None || !source.CanRead)
            return Errno.EBADF;
        if (offset.IsNull)
            position = source.Position;
        else if (!source.CanSeek)
            return Errno.ESPIPE;
        if (position < 0 || (long)count < 0 || position + (long)count < 0)
            return Errno.EINVAL;
        if (call.UsableFile(outFd, out OpenFile target) != Errno.None || !target.CanWrite)
            return Errno.EBADF;
        count = Math.Min(count, FileTransfer.MaxCount);
        CallResult result = target is PipeEnd { Pipe: var pipe }
            ? FileToPipe(call, source, position, hasOffset: false, target, pipe, count, mayBlock: true)
            : Send(call, source, position, target, count);
        if (result.Outcome == CallOutcome.Value && result.Value > 0)
            return TellAndFinish(call, result.Value, source, position, offset, target, null, default);
        // The place is told even when nothing was moved.
        return result.Outcome == CallOutcome.Blocked || offset.IsNull || call.Memory.TryWrite(offset, position) ? result : Errno.EFAULT;
    }

    private static CallResult Send(CallContext call, OpenFile source, long position, OpenFile target, ulong count)
    {
        // Input that cannot be found again would be lost (splice_direct_to_actor).
        if ((target.Flags & OpenFlags.Append) != 0 || !(source.CanSeek || source.IgnoresSeek))
            return Errno.EINVAL;
        if (count == 0)
            return 0;
        if (!CanSplice(source))
            return Errno.EINVAL;
        return CopyBytes(call, source, position, target, null, (long)count);
    }

    public static CallResult CopyFileRange(CallContext call, int inFd, GuestAddress inOffset, int outFd, GuestAddress outOffset, ulong count, uint flags)
    {
        if (call.UsableFile(inFd, out OpenFile source) != Errno.None || call.UsableFile(outFd, out OpenFile target) != Errno.None)
            return Errno.EBADF;
        long from = source.Position;
        long to = target.Position;
        if ((!inOffset.IsNull && !call.Memory.TryRead(inOffset, out from)) || (!outOffset.IsNull && !call.Memory.TryRead(outOffset, out to)))
            return Errno.EFAULT;
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = MayCopy(source, from, target, to, ref count);
        if (error != Errno.None || count == 0)
            return error;
        CallResult result = CopyBytes(call, source, from, target, to, (long)Math.Min(count, FileTransfer.MaxCount));
        if (result.Outcome == CallOutcome.Value && result.Value > 0)
            return TellAndFinish(call, result.Value, source, from, inOffset, target, to, outOffset);
        return result;
    }

    /// <summary>generic_copy_file_checks and rw_verify_area: only what the source has is copied, and may overlap.</summary>
    private static Errno MayCopy(OpenFile source, long from, OpenFile target, long to, ref ulong count)
    {
        if (source.Inode.Kind == FileKind.Directory || target.Inode.Kind == FileKind.Directory)
            return Errno.EISDIR;
        if (source.Inode.Kind != FileKind.Regular || target.Inode.Kind != FileKind.Regular)
            return Errno.EINVAL;
        if (!source.CanRead || !target.CanWrite || (target.Flags & OpenFlags.Append) != 0)
            return Errno.EBADF;
        if (!ReferenceEquals(source.Inode.FileSystem, target.Inode.FileSystem))
            return Errno.EXDEV;
        if ((ulong)from + count < (ulong)from || (ulong)to + count < (ulong)to)
            return Errno.EOVERFLOW;
        long size = source.Inode.Status.Size;
        count = from >= size ? 0 : Math.Min(count, (ulong)(size - from));
        if (ReferenceEquals(source.Inode, target.Inode) && (ulong)to + count > (ulong)from && (ulong)to < (ulong)from + count)
            return Errno.EINVAL;
        return from < 0 || to < 0 || from + (long)count < 0 || to + (long)count < 0 ? Errno.EINVAL : Errno.None;
    }

    /// <summary>
    /// Copies through a buffer up to the source's end. Without <paramref name="to"/> the bytes go where the target stands, and a target that
    /// blocks is waited for with what was sent in <see cref="CallContext.Progress"/>.
    /// </summary>
    private static CallResult CopyBytes(CallContext call, OpenFile source, long from, OpenFile target, long? to, long count)
    {
        const int CopyBuffer = 1 << 16;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBuffer);
        CallResult? failure = null;
        while (call.Progress < count && failure is null)
        {
            int wanted = (int)Math.Min(CopyBuffer, count - call.Progress);
            IoResult read = source.ReadAt(from + call.Progress, buffer.AsSpan(0, wanted));
            if (read.Error != Errno.None)
                failure = call.Progress != 0 ? call.Progress : read.Error;
            if (read.Count <= 0)
                break;
            ReadOnlySpan<byte> bytes = buffer.AsSpan(0, (int)read.Count);
            IoResult written = !CanSplice(target) ? Errno.EINVAL : to is { } offset ? target.WriteAt(offset + call.Progress, bytes) : target.Write(call, bytes);
            if (written.Error != Errno.None)
                failure = written.IsBlocked ? FileTransfer.Block(call, target) : FileTransfer.Fail(call, written.Error, call.Progress);
            if (written.Count <= 0)
                break;
            call.Progress += written.Count;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        return failure ?? call.Progress;
    }
}
