using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Pipes;

/// <summary>An open end of a pipe, or of a FIFO, which may be open for both.</summary>
public sealed class PipeEnd : OpenFile
{
    private readonly Pipe _pipe;
    private readonly PathEntry? _path;

    /// <summary>Writers that had come when a FIFO was opened for reading: it is not at its end before another came.</summary>
    private readonly long _writersAtOpening;

    public PipeEnd(Pipe pipe, OpenFlags flags, PathEntry? path = null)
        : base(flags)
    {
        _pipe = pipe;
        _path = path;
        _writersAtOpening = path is null || pipe.Writers > 0 ? -1 : pipe.WriterOpenings;
        pipe.Open(flags & OpenFlags.ReadWrite);
    }

    public Pipe Pipe => _pipe;

    public override Source Source => !CanWrite ? _pipe.ReadSource : !CanRead ? _pipe.WriteSource : _pipe.Source;

    public override Source AsyncSource => _pipe.Async;

    public override Readiness AsyncNews(Readiness edges) => edges & ((CanRead ? Readiness.In : Readiness.None) | (CanWrite ? Readiness.Out : Readiness.None));

    public override Inode Inode => _pipe.Inode;

    public override PathEntry? Path => _path;

    public override string Description => $"pipe:[{_pipe.Inode.Status.Inode}]";

    public override int? Pending => _pipe.Length;

    public override IoResult Read(Span<byte> destination) => _pipe.Read(destination);

    public override IoResult Write(ReadOnlySpan<byte> source) => _pipe.Write(source, (Flags & OpenFlags.Packets) != 0);

    public override Readiness Poll()
    {
        Readiness ready = Readiness.None;
        if (CanRead)
        {
            ready |= _pipe.Length > 0 ? Readiness.In : Readiness.None;
            ready |= _pipe.Writers == 0 && _pipe.WriterOpenings != _writersAtOpening ? Readiness.HangUp : Readiness.None;
        }
        if (CanWrite)
        {
            ready |= _pipe.IsFull ? Readiness.None : Readiness.Out;
            ready |= _pipe.Readers == 0 ? Readiness.Error : Readiness.None;
        }
        return ready;
    }

    public override CallResult DescriptorControl(CallContext call, uint command, ulong argument)
    {
        const uint setSize = 1031, getSize = 1032;
        switch (command)
        {
            case getSize:
                return _pipe.Capacity;
            case setSize when argument > int.MaxValue:
                return Errno.EINVAL;
            case setSize when (long)argument > Math.Max(_pipe.Capacity, call.World.Settings.PipeSize.Value) && !call.Thread.Credentials.Has(Capability.Resource):
                return Errno.EPERM;
            case setSize when _pipe.Share is { } share && (long)argument > _pipe.Capacity
                && !call.World.PipePages.MayGrow(call.Thread.Credentials, share.User, (int)(((long)argument - _pipe.Capacity + Pipe.PageSize - 1) / Pipe.PageSize)):
                return Errno.EPERM;
            case setSize:
                Errno error = _pipe.Resize((int)Math.Min(argument, 1u << 30));
                return error != Errno.None ? error : _pipe.Capacity;
            default:
                return Errno.EINVAL;
        }
    }

    protected override void OnLastClose() => _pipe.Close(Flags & OpenFlags.ReadWrite);
}

/// <summary>Opens FIFOs (fifo(7)): a reader waits for a writer and the other way round; a non-blocking writer fails without a reader.</summary>
public static class Fifo
{
    public static Errno Open(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        Pipe pipe = inode.Attachment as Pipe ?? new Pipe(inode, call.World.Accountant);
        file = null;
        bool reads = (flags & OpenFlags.Read) != 0, writes = (flags & OpenFlags.Write) != 0;
        // A pipe without a name, opened again by /proc/self/fd, has no partner to wait for.
        bool isNamed = inode.FileSystem is not null;
        if (reads && writes || !isNamed || (flags & OpenFlags.NonBlocking) != 0)
        {
            if (isNamed && writes && !reads && pipe.Readers == 0)
                return Errno.ENXIO;
            file = new PipeEnd(pipe, flags, path);
            return Errno.None;
        }
        return Join(pipe, path, flags, call, ref file);
    }

    /// <summary>The end counts as open while its open waits; a partner that came and went in between is enough.</summary>
    private static Errno Join(Pipe pipe, PathEntry path, OpenFlags flags, CallContext call, ref OpenFile? file)
    {
        bool reads = (flags & OpenFlags.Read) != 0;
        if (call.State is not Waiting waiting)
        {
            long partners = reads ? pipe.WriterOpenings : pipe.ReaderOpenings;
            bool isAlone = (reads ? pipe.Writers : pipe.Readers) == 0;
            waiting = new Waiting(new PipeEnd(pipe, flags, path), isAlone ? partners : -1);
            call.State = waiting;
        }
        if (waiting.Partners == (reads ? pipe.WriterOpenings : pipe.ReaderOpenings))
        {
            if (call.Interrupted)
                waiting.End.Release();
            call.AddSource(pipe.Source);
            return Errno.EAGAIN;
        }
        file = waiting.End;
        return Errno.None;
    }

    private sealed record Waiting(PipeEnd End, long Partners) : IAbandonable
    {
        public void Abandon() => End.Release();
    }
}
