using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>Lays a signal out as its readers expect.</summary>
public delegate void SignalEncoder(in SignalInfo info, Span<byte> record);

/// <summary>Takes pending signals by reading (signalfd(2)): those of whichever thread reads.</summary>
public sealed class SignalDescriptor : OpenFile
{
    private readonly World _world;
    private readonly Inode _inode;
    private readonly int _recordSize;
    private readonly SignalEncoder _encode;

    public SignalDescriptor(World world, SignalSet signals, int recordSize, SignalEncoder encode, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        _world = world;
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        _recordSize = recordSize;
        _encode = encode;
        Signals = signals;
    }

    public SignalSet Signals { get; set; }

    public override Source Source => _world.SignalSource;

    public override Inode Inode => _inode;

    public override bool IgnoresSeek => true;

    public override string Description => "anon_inode:[signalfd]";

    public override Readiness Poll() =>
        _world.Current is { } thread && !((thread.Pending.Set | thread.Process.Pending.Set) & Signals).IsEmpty ? Readiness.In : Readiness.None;

    public override IoResult Read(Span<byte> destination)
    {
        if (destination.Length < _recordSize || _world.Current is not { } thread)
            return Errno.EINVAL;
        int done = 0;
        while (destination.Length - done >= _recordSize &&
            (thread.Pending.TryTake(Signals, out SignalInfo info) || thread.Process.Pending.TryTake(Signals, out info)))
        {
            Span<byte> record = destination.Slice(done, _recordSize);
            record.Clear();
            _encode(info, record);
            done += _recordSize;
        }
        return done > 0 ? done : IoResult.WouldBlock;
    }
}
