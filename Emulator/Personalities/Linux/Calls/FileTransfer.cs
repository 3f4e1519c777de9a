using System.Buffers;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// Moves bytes between files and guest memory, without a buffer between: partial results, EFAULT and blocking as read(2) and write(2)
/// have them. An offset below 0 means the file's own position.
/// </summary>
internal static class FileTransfer
{
    /// <summary>MAX_RW_COUNT: no call moves more.</summary>
    public const ulong MaxCount = 0x7FFFF000;

    private const ulong UserEnd = 0x7FFF_FFFF_F000;
    private const int GatherLimit = 1 << 20;

    public static CallResult Read(CallContext call, OpenFile file, GuestAddress buffer, ulong count, long offset = -1)
    {
        if (!IsUserRange(buffer, count))
            return Errno.EFAULT;
        count = Math.Min(count, MaxCount);
        Span<byte> view = count == 0 ? default : call.Memory.View(buffer, count, MemoryAccess.Write);
        if (view.IsEmpty && count != 0)
            return ReadNowhere(call, file, count, offset);
        // A message must not be cut where the buffer's memory changes hands.
        if (!file.CanSeek && (ulong)view.Length < count)
            return ReadGathered(call, file, [new IoVector { Base = buffer.Value, Length = count }], (int)Math.Min(count, GatherLimit));
        IoResult result = offset < 0 ? file.Read(call, view) : file.ReadAt(offset, view);
        if (result.IsBlocked)
            return Block(call, file);
        if (result.Error != Errno.None)
            return Finish(call, result);
        // A buffer over several areas of memory is seen one by one.
        bool hasMore = result.Count == view.Length && (ulong)view.Length < count;
        return hasMore ? ReadOn(call, file, buffer, count, offset, result.Count) : result.Count;
    }

    private static CallResult ReadOn(CallContext call, OpenFile file, GuestAddress buffer, ulong count, long offset, long done)
    {
        while ((ulong)done < count)
        {
            Span<byte> view = call.Memory.View(buffer + (ulong)done, count - (ulong)done, MemoryAccess.Write);
            if (view.IsEmpty)
                break;
            IoResult result = offset < 0 ? file.Read(view) : file.ReadAt(offset + done, view);
            done += result.Count;
            if (result.Error != Errno.None || result.Count < view.Length)
                break;
        }
        return done;
    }

    public static CallResult Write(CallContext call, OpenFile file, GuestAddress buffer, ulong count, long offset = -1)
    {
        if (!IsUserRange(buffer, count))
            return Errno.EFAULT;
        count = Math.Min(count, MaxCount);
        Errno limited = LimitSize(call, file, offset, ref count);
        if (limited != Errno.None)
            return limited;
        // A blocking writer goes on where an earlier run of the call stopped.
        while (true)
        {
            ulong done = (ulong)call.Progress;
            ReadOnlySpan<byte> view = count == done ? default : call.Memory.View(buffer + done, count - done, MemoryAccess.Read);
            if (view.IsEmpty && count != done)
                return call.Progress != 0 ? call.Progress : Errno.EFAULT;
            if (!file.CanSeek && (ulong)view.Length < count - done)
                return WriteGathered(call, file, [new IoVector { Base = buffer.Value, Length = count }], count);
            IoResult result = offset < 0 ? file.Write(call, view) : file.WriteAt(offset + call.Progress, view);
            if (result.IsBlocked)
                return Block(call, file);
            if (result.Error != Errno.None)
                return Fail(call, result.Error, call.Progress);
            call.Progress += result.Count;
            if ((ulong)call.Progress >= count || result.Count == 0)
                return call.Progress;
        }
    }

    /// <summary>Reads the vectors of a call: EINVAL for too many or too long, EFAULT. The array is pooled.</summary>
    public static Errno ReadVectors(CallContext call, GuestAddress address, int count, out IoVector[] vectors, out ulong total)
    {
        total = 0;
        vectors = [];
        if ((uint)count > IoVector.MaxCount)
            return Errno.EINVAL;
        if (count == 0)
            return Errno.None;
        vectors = ArrayPool<IoVector>.Shared.Rent(count);
        Errno error = call.Memory.TryRead(address, MemoryMarshal.AsBytes(vectors.AsSpan(0, count))) ? Errno.None : Errno.EFAULT;
        for (int i = 0; i < count && error == Errno.None; i++)
        {
            if ((long)vectors[i].Length < 0)
                error = Errno.EINVAL;
            else if (!IsUserRange(new GuestAddress(vectors[i].Base), vectors[i].Length))
                error = Errno.EFAULT;
            vectors[i].Length = Math.Min(vectors[i].Length, MaxCount - total);
            total += vectors[i].Length;
        }
        if (error != Errno.None)
            Return(vectors);
        return error;
    }

    public static void Return(IoVector[] vectors)
    {
        if (vectors.Length != 0)
            ArrayPool<IoVector>.Shared.Return(vectors);
    }

    public static CallResult ReadVector(CallContext call, OpenFile file, GuestAddress address, int count, long offset = -1)
    {
        Errno error = ReadVectors(call, address, count, out IoVector[] vectors, out ulong total);
        if (error != Errno.None)
            return error;
        Span<IoVector> used = vectors.AsSpan(0, count);
        CallResult result = total == 0 ? CallResult.Ok()
            : file.CanSeek || file.ReadsOneByOne ? ReadEach(call, file, used, offset)
            : ReadGathered(call, file, used, (int)Math.Min(total, GatherLimit));
        Return(vectors);
        return result;
    }

    public static CallResult WriteVector(CallContext call, OpenFile file, GuestAddress address, int count, long offset = -1)
    {
        Errno error = ReadVectors(call, address, count, out IoVector[] vectors, out ulong total);
        if (error != Errno.None)
            return error;
        ulong allowed = total;
        error = LimitSize(call, file, offset, ref allowed);
        if (error != Errno.None)
        {
            Return(vectors);
            return error;
        }
        Span<IoVector> used = vectors.AsSpan(0, count);
        for (int i = 0; i < count && allowed < total; i++)
        {
            used[i].Length = Math.Min(used[i].Length, allowed);
            allowed -= used[i].Length;
        }
        CallResult result = total == 0 ? CallResult.Ok()
            : file.CanSeek || file.WritesOneByOne ? WriteEach(call, file, used, offset)
            : WriteGathered(call, file, used, total);
        Return(vectors);
        return result;
    }

    private static CallResult ReadEach(CallContext call, OpenFile file, ReadOnlySpan<IoVector> vectors, long offset)
    {
        long done = 0;
        foreach (IoVector vector in vectors)
        {
            // Areas of memory that meet in a vector are seen one by one.
            for (ulong part = 0; part < vector.Length;)
            {
                Span<byte> view = call.Memory.View(new GuestAddress(vector.Base + part), vector.Length - part, MemoryAccess.Write);
                if (view.IsEmpty)
                    return done != 0 ? done : ReadNowhere(call, file, vector.Length, offset);
                IoResult result = offset < 0 ? file.Read(view) : file.ReadAt(offset + done, view);
                if (result.Error != Errno.None)
                    return done != 0 ? done : result.IsBlocked ? Block(call, file) : result.Error;
                done += result.Count;
                if (result.Count < view.Length)
                    return done;
                part += (ulong)view.Length;
            }
        }
        return done;
    }

    private static CallResult WriteEach(CallContext call, OpenFile file, ReadOnlySpan<IoVector> vectors, long offset)
    {
        long done = 0;
        foreach (IoVector vector in vectors)
        {
            for (ulong part = 0; part < vector.Length;)
            {
                ReadOnlySpan<byte> view = call.Memory.View(new GuestAddress(vector.Base + part), vector.Length - part, MemoryAccess.Read);
                if (view.IsEmpty)
                    return done != 0 ? done : Errno.EFAULT;
                IoResult result = offset < 0 ? file.Write(view) : file.WriteAt(offset + done, view);
                if (result.Error != Errno.None)
                    return result.IsBlocked ? (done != 0 ? done : Block(call, file)) : Fail(call, result.Error, done);
                done += result.Count;
                if (result.Count < view.Length)
                    return done;
                part += (ulong)view.Length;
            }
        }
        return done;
    }

    /// <summary>Streams and messages are read in one piece: what comes is one message, however many vectors it is scattered over.</summary>
    private static CallResult ReadGathered(CallContext call, OpenFile file, ReadOnlySpan<IoVector> vectors, int total)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(total);
        try
        {
            IoResult result = file.Read(call, buffer.AsSpan(0, total));
            if (result.IsBlocked)
                return Block(call, file);
            if (result.Error != Errno.None)
                return Finish(call, result);
            ReadOnlySpan<byte> rest = buffer.AsSpan(0, (int)result.Count);
            foreach (IoVector vector in vectors)
            {
                ReadOnlySpan<byte> part = rest[..(int)Math.Min((ulong)rest.Length, vector.Length)];
                if (!call.Memory.TryWrite(new GuestAddress(vector.Base), part))
                    return rest.Length != (int)result.Count ? result.Count - rest.Length : Errno.EFAULT;
                rest = rest[part.Length..];
            }
            return result.Count;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static CallResult WriteGathered(CallContext call, OpenFile file, ReadOnlySpan<IoVector> vectors, ulong total)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(total, GatherLimit));
        try
        {
            while ((ulong)call.Progress < total)
            {
                int length = Gather(call, vectors, (ulong)call.Progress, buffer);
                if (length == 0)
                    return call.Progress != 0 ? call.Progress : Errno.EFAULT;
                IoResult result = file.Write(call, buffer.AsSpan(0, length));
                if (result.IsBlocked)
                    return Block(call, file);
                if (result.Error != Errno.None)
                    return Fail(call, result.Error, call.Progress);
                call.Progress += result.Count;
                if (result.Count == 0)
                    break;
            }
            return call.Progress;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Copies the bytes of the vectors after the first <paramref name="skip"/>; stops at unreadable memory.</summary>
    private static int Gather(CallContext call, ReadOnlySpan<IoVector> vectors, ulong skip, Span<byte> buffer)
    {
        int length = 0;
        foreach (IoVector vector in vectors)
        {
            // Areas of memory that meet in a vector are seen one by one.
            while (skip < vector.Length && length < buffer.Length)
            {
                ulong wanted = Math.Min(vector.Length - skip, (ulong)(buffer.Length - length));
                ReadOnlySpan<byte> view = call.Memory.View(new GuestAddress(vector.Base + skip), wanted, MemoryAccess.Read);
                if (view.IsEmpty)
                    return length;
                view.CopyTo(buffer[length..]);
                length += view.Length;
                skip += (ulong)view.Length;
            }
            if (skip < vector.Length)
                break;
            skip -= vector.Length;
        }
        return length;
    }

    /// <summary>Nothing was moved and nothing can be now: EAGAIN for non-blocking files, else wait.</summary>
    public static CallResult Block(CallContext call, OpenFile file)
    {
        if (!file.IsNonBlocking)
            return call.Wait(file.Source);
        return call.Progress != 0 ? call.Progress : Errno.EAGAIN;
    }

    /// <summary>A failed write: what was written before counts, and a broken pipe raises its signal all the same (write(2), EPIPE).</summary>
    internal static CallResult Fail(CallContext call, Errno error, long done)
    {
        if (error == Errno.EINTR)
            return call.Wait();
        if (error == Errno.EPIPE)
            call.World.Send(call.Thread, new SignalInfo(Signal.Pipe) { SenderProcess = call.ProcessNumber });
        return done != 0 ? done : error;
    }

    /// <summary>EINTR is a signal on its way (<see cref="IoResult.Interrupted"/>): the call goes on after it.</summary>
    private static CallResult Finish(CallContext call, IoResult result) =>
        result.Error == Errno.EINTR ? call.Wait() : result.Error != Errno.None ? result.Error : result.Count;

    /// <summary>A bad buffer only matters when there are bytes to put there.</summary>
    private static CallResult ReadNowhere(CallContext call, OpenFile file, ulong count, long offset)
    {
        if (!file.CanSeek || file.Inode.Kind != FileKind.Regular)
        {
            IoResult nothing = file.ReadNowhere(count);
            return nothing.IsBlocked ? Block(call, file) : nothing.Error;
        }
        Span<byte> probe = stackalloc byte[1];
        IoResult result = file.ReadAt(offset < 0 ? file.Position : offset, probe);
        return result.Error != Errno.None ? result.Error : result.Count == 0 ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>RLIMIT_FSIZE: a write is cut at the limit; one that begins there fails and raises SIGXFSZ (setrlimit(2)).</summary>
    private static Errno LimitSize(CallContext call, OpenFile file, long offset, ref ulong count)
    {
        const int FileSizeLimit = 1;
        (ulong Soft, ulong Hard)[] limits = call.Process.Limits;
        if (limits.Length <= FileSizeLimit || limits[FileSizeLimit].Soft == ulong.MaxValue || file.Inode.Kind != FileKind.Regular || count == 0)
            return Errno.None;
        bool appends = (file.Flags & OpenFlags.Append) != 0;
        ulong start = (ulong)(appends ? file.Inode.Status.Size : offset < 0 ? file.Position : offset);
        ulong limit = limits[FileSizeLimit].Soft;
        if (start >= limit)
        {
            call.World.Send(call.Thread, new SignalInfo(Signal.FileSize));
            return Errno.EFBIG;
        }
        count = Math.Min(count, limit - start);
        return Errno.None;
    }

    /// <summary>The same for a file that a call makes longer (truncate(2), fallocate(2)): nothing is cut, it fails.</summary>
    internal static Errno LimitGrowth(CallContext call, Inode inode, long size)
    {
        if (inode.Kind != FileKind.Regular || size <= inode.Status.Size || (ulong)size <= call.Process.SoftLimit(Resource.FileSize))
            return Errno.None;
        call.World.Send(call.Thread, new SignalInfo(Signal.FileSize));
        return Errno.EFBIG;
    }

    private static bool IsUserRange(GuestAddress address, ulong count) =>
        count <= UserEnd && address.Value <= UserEnd - Math.Min(count, UserEnd);
}
