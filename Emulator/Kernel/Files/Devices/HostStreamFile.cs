using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files.Devices;

/// <summary>
/// Standard input, output or error of a world that is no terminal: a pipe whose other end is outside. The node's event
/// handlers run on any thread and only post a pulse to the world.
/// </summary>
public sealed class HostStreamFile : OpenFile
{
    private const int ReadAhead = 4096;
    private readonly IHostInput? _input;
    private readonly IHostOutput? _output;
    private readonly Inode _inode;
    private readonly Action _available;

    // What poll had to take from the host to know that it is there.
    private byte[]? _ahead;
    private int _start;
    private int _taken;
    private bool _ended;

    /// <param name="post">Runs an action on the world's worker (<see cref="World.Post"/>).</param>
    /// <param name="number">A number for the pipe, as in "pipe:[12]".</param>
    public HostStreamFile(IHostInput input, Action<Action> post, IClock clock, ulong device, ulong number)
        : this(OpenFlags.Read, post, clock, device, number)
    {
        _input = input;
        input.Available += _available;
    }

    public HostStreamFile(IHostOutput output, Action<Action> post, IClock clock, ulong device, ulong number)
        : this(OpenFlags.Write, post, clock, device, number)
    {
        _output = output;
        output.RoomAvailable += _available;
    }

    private HostStreamFile(OpenFlags flags, Action<Action> post, IClock clock, ulong device, ulong number)
        : base(flags)
    {
        Description = $"pipe:[{number}]";
        _inode = new PipeInode(this, clock, device, number);
        Action pulse = () => Source.Pulse(Readiness.In | Readiness.Out);
        _available = () => post(pulse);
    }

    public override Inode Inode => _inode;

    public override string Description { get; }

    public override int? Pending => Look();

    /// <summary>Takes what the host has, to know how much it is.</summary>
    private int Look()
    {
        if (_input is not null && _taken == 0 && !_ended)
        {
            _ahead ??= new byte[ReadAhead];
            int count = _input.TryRead(_ahead);
            _ended = count == 0;
            (_start, _taken) = (0, Math.Max(count, 0));
        }
        return _taken;
    }

    public override IoResult Read(Span<byte> destination)
    {
        if (destination.IsEmpty || (_ended && _taken == 0))
            return 0;
        if (_taken == 0)
        {
            int count = _input!.TryRead(destination);
            _ended = count == 0;
            return count < 0 ? IoResult.WouldBlock : count;
        }
        int taken = Math.Min(_taken, destination.Length);
        _ahead.AsSpan(_start, taken).CopyTo(destination);
        _start += taken;
        _taken -= taken;
        return taken;
    }

    public override Readiness Poll()
    {
        if (_input is null)
            return Readiness.Out;
        if (Look() != 0)
            return Readiness.In;
        return _ended ? Readiness.HangUp : Readiness.None;
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        return _output!.TryWrite(source) switch
        {
            < 0 => Errno.EPIPE,
            0 => IoResult.WouldBlock,
            int count => count,
        };
    }

    protected override void OnLastClose()
    {
        if (_input is not null)
            _input.Available -= _available;
        if (_output is not null)
            _output.RoomAvailable -= _available;
    }

    /// <summary>Opening it again by /proc/self/fd or /dev/stdout gives the same description: there is one stream outside.</summary>
    private sealed class PipeInode : Inode
    {
        private readonly HostStreamFile _stream;
        private readonly IClock _clock;
        private FileStatus _status;

        public PipeInode(HostStreamFile stream, IClock clock, ulong device, ulong number)
        {
            _stream = stream;
            _clock = clock;
            long now = clock.Realtime;
            _status = new FileStatus
            {
                Device = device, Inode = number, Kind = FileKind.Fifo, Mode = 0x180, Links = 1, BlockSize = 4096,
                AccessTime = now, ModifyTime = now, ChangeTime = now,
            };
        }

        public override FileKind Kind => FileKind.Fifo;

        public override FileStatus Status => _status;

        public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
        {
            file = null;
            if ((flags & OpenFlags.ReadWrite & ~_stream.Flags) != 0)
                return Errno.EACCES;
            _stream.AddReference();
            file = _stream;
            return Errno.None;
        }

        public override Errno SetAttributes(in AttributeChange change)
        {
            if (change.Size is not null)
                return Errno.EINVAL;
            _status.Mode = change.Mode ?? _status.Mode;
            _status.User = change.User ?? _status.User;
            _status.Group = change.Group ?? _status.Group;
            _status.AccessTime = change.AccessTime ?? _status.AccessTime;
            _status.ModifyTime = change.ModifyTime ?? _status.ModifyTime;
            _status.ChangeTime = _clock.Realtime;
            return Errno.None;
        }
    }
}
