using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>A 64-bit counter behind a descriptor (eventfd(2)).</summary>
public sealed class EventCounter : OpenFile
{
    private readonly Inode _inode;
    private readonly bool _isSemaphore;
    private ulong _value;

    public EventCounter(World world, ulong value, bool isSemaphore, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        _value = value;
        _isSemaphore = isSemaphore;
    }

    public override Inode Inode => _inode;

    public override bool IgnoresSeek => true;

    public override bool WritesOneByOne => true;

    public override string Description => "anon_inode:[eventfd]";

    public override Readiness Poll() =>
        (_value > 0 ? Readiness.In : 0) | (_value < ulong.MaxValue - 1 ? Readiness.Out : 0) | (_value == ulong.MaxValue ? Readiness.Error : 0);

    public override IoResult Read(Span<byte> destination)
    {
        if (destination.Length < sizeof(ulong))
            return Errno.EINVAL;
        if (_value == 0)
            return IoResult.WouldBlock;
        ulong taken = _isSemaphore ? 1 : _value;
        BinaryPrimitives.WriteUInt64LittleEndian(destination, taken);
        _value -= taken;
        Source.Pulse(Readiness.Out);
        return sizeof(ulong);
    }

    public override IoResult ReadNowhere(ulong count)
    {
        Span<byte> lost = stackalloc byte[sizeof(ulong)];
        IoResult result = count < sizeof(ulong) ? Errno.EINVAL : Read(lost);
        return result.Error == Errno.None ? Errno.EFAULT : result;
    }

    /// <summary>Counts one thing that happened; the counter stays at its end, where it says that it overflowed.</summary>
    public void Signal()
    {
        if (_value < ulong.MaxValue)
            _value++;
        Source.Pulse(_value == ulong.MaxValue ? Readiness.In | Readiness.Error : Readiness.In);
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        if (source.Length != sizeof(ulong))
            return Errno.EINVAL;
        ulong added = BinaryPrimitives.ReadUInt64LittleEndian(source);
        if (added == ulong.MaxValue)
            return Errno.EINVAL;
        if (added > ulong.MaxValue - 1 - _value)
            return IoResult.WouldBlock;
        _value += added;
        Source.Pulse(Readiness.In);
        return sizeof(ulong);
    }
}
