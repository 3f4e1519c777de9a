using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>A timer behind a descriptor: reading takes the number of expirations.</summary>
public sealed class TimerDescriptor : OpenFile
{
    private readonly Inode _inode;

    public TimerDescriptor(World world, bool isRealtime, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        IsRealtime = isRealtime;
        Timer = new IntervalTimer(world.TimeBase, () => Source.Pulse(Readiness.In));
    }

    public IntervalTimer Timer { get; }

    /// <summary>Absolute times are on the real-time clock.</summary>
    public bool IsRealtime { get; }

    /// <summary>Absolute times are on the clock that counts time asleep too.</summary>
    public bool IsBootTime { get; init; }

    public override Inode Inode => _inode;

    public override bool IgnoresSeek => true;

    public override string Description => "anon_inode:[timerfd]";

    public override Readiness Poll() => Timer.Expirations > 0 ? Readiness.In : Readiness.None;

    public override IoResult Read(Span<byte> destination)
    {
        if (destination.Length < sizeof(ulong))
            return Errno.EINVAL;
        if (Timer.Expirations == 0)
            return IoResult.WouldBlock;
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Timer.TakeExpirations());
        return sizeof(ulong);
    }

    public override IoResult ReadNowhere(ulong count)
    {
        Span<byte> lost = stackalloc byte[sizeof(ulong)];
        IoResult result = count < sizeof(ulong) ? Errno.EINVAL : Read(lost);
        return result.Error == Errno.None ? Errno.EFAULT : result;
    }

    protected override void OnLastClose() => Timer.Arm(null, 0);
}
