using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Seccomp;

/// <summary>A call that waits for a listener to say what comes of it.</summary>
internal sealed class CallNotice(CallListener listener, ulong id, GuestThread thread, uint[] data) : IAbandonable
{
    public ulong Id => id;

    public GuestThread Thread => thread;

    /// <summary>struct seccomp_data.</summary>
    public uint[] Data => data;

    public bool IsReceived { get; set; }

    /// <summary>What the listener said.</summary>
    public CallResult? Answer { get; private set; }

    /// <summary>The call is made after all.</summary>
    public bool GoesOn { get; private set; }

    /// <summary>Pulses when there is an answer.</summary>
    public Source Source { get; } = new();

    public void Reply(CallResult answer, bool goesOn = false)
    {
        (Answer, GoesOn) = (answer, goesOn);
        listener.Forget(this);
        Source.Pulse();
    }

    public void Abandon() => listener.Forget(this);
}

/// <summary>Decides for others about their calls (seccomp_unotify(2)): a queue of calls that a filter left to it.</summary>
internal sealed class CallListener(World world, CallFilter filter) : OpenFile(OpenFlags.ReadWrite)
{
    private const uint Receive = 0xC0502100, Send = 0xC0182101, IsValid = 0x40082102, IsValidOld = 0x80082102, AddDescriptor = 0x40182103, SetFlags = 0x40082104;
    private const int NoticeSize = 80;
    private const uint CloseOnExec = 0x80000;

    private readonly List<CallNotice> _notices = [];
    private readonly Inode _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
    private ulong _lastId;

    /// <summary>Nobody listens any more.</summary>
    public bool IsClosed { get; private set; }

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:seccomp notify";

    public override Readiness Poll()
    {
        Readiness ready = filter.IsUsed ? Readiness.None : Readiness.HangUp;
        foreach (CallNotice notice in _notices)
            ready |= notice.IsReceived ? Readiness.Out : Readiness.In;
        return ready;
    }

    public CallNotice Add(GuestThread thread, uint[] data)
    {
        // Numbers begin anywhere, so that nobody takes one of another listener for its own.
        if (_lastId == 0)
            _lastId = world.Random.Next() >> 1;
        var notice = new CallNotice(this, ++_lastId, thread, data);
        _notices.Add(notice);
        Source.Pulse(Readiness.In);
        return notice;
    }

    internal void Forget(CallNotice notice) => _notices.Remove(notice);

    /// <summary>The last thread with the filter is gone.</summary>
    internal void HangUp() => Source.Pulse(Readiness.HangUp);

    protected override void OnLastClose()
    {
        IsClosed = true;
        foreach (CallNotice notice in _notices.ToArray())
            notice.Reply(Errno.ENOSYS);
    }

    public override CallResult Control(CallContext call, uint request, ulong argument)
    {
        var address = new GuestAddress(argument);
        switch (request)
        {
            case Receive:
                return ReceiveOne(call, address);
            case Send:
                return Answer(call, address);
            case IsValid or IsValidOld:
                if (!call.Memory.TryRead(address, out ulong id))
                    return Errno.EFAULT;
                return Find(id) is { IsReceived: true } ? 0 : Errno.ENOENT;
            case AddDescriptor:
                return Install(call, address);
            case SetFlags:
                // Whether answers switch to the waiting thread at once: here they do not.
                return (argument & ~1ul) != 0 ? Errno.EINVAL : 0;
            default:
                return Errno.EINVAL;
        }
    }

    private CallNotice? Find(ulong id) => _notices.Find(notice => notice.Id == id);

    /// <summary>The next call: struct seccomp_notif, which must hold zeros.</summary>
    private CallResult ReceiveOne(CallContext call, GuestAddress address)
    {
        Span<byte> told = stackalloc byte[NoticeSize];
        if (!call.Memory.TryRead(address, told))
            return Errno.EFAULT;
        if (told.IndexOfAnyExcept((byte)0) >= 0)
            return Errno.EINVAL;
        CallNotice? next = _notices.Find(static notice => !notice.IsReceived);
        if (next is null)
            return filter.IsUsed ? call.Wait(Source) : Errno.ENOENT;
        BitConverter.TryWriteBytes(told, next.Id);
        BitConverter.TryWriteBytes(told[8..], call.Pids.Inside(next.Thread.Id));
        MemoryMarshal.AsBytes(next.Data.AsSpan()).CopyTo(told[16..]);
        if (!call.Memory.TryWrite(address, told))
            return Errno.EFAULT;
        next.IsReceived = true;
        Source.Pulse(Readiness.Out);
        return 0;
    }

    /// <summary>struct seccomp_notif_resp: number, value, negative error, flags.</summary>
    private CallResult Answer(CallContext call, GuestAddress address)
    {
        const uint goesOn = 1;
        if (!call.Memory.TryRead(address, out ulong id) || !call.Memory.TryRead(address + 8, out long value)
            || !call.Memory.TryRead(address + 16, out int error) || !call.Memory.TryRead(address + 20, out uint flags))
            return Errno.EFAULT;
        if ((flags & ~goesOn) != 0 || (flags == goesOn && (error != 0 || value != 0)))
            return Errno.EINVAL;
        if (Find(id) is not { } notice)
            return Errno.ENOENT;
        if (!notice.IsReceived)
            return Errno.EINPROGRESS;
        notice.Reply(error != 0 ? (long)error : value, flags == goesOn);
        return 0;
    }

    /// <summary>Gives a descriptor of the listener's to the caller: struct seccomp_notif_addfd.</summary>
    private CallResult Install(CallContext call, GuestAddress address)
    {
        const uint atNumber = 1, answers = 2;
        Span<uint> words = stackalloc uint[6];
        if (!call.Memory.TryRead(address, MemoryMarshal.AsBytes(words)))
            return Errno.EFAULT;
        (uint flags, uint source, uint number, uint newFlags) = (words[2], words[3], words[4], words[5]);
        if ((newFlags & ~CloseOnExec) != 0 || (flags & ~(atNumber | answers)) != 0 || (number != 0 && (flags & atNumber) == 0))
            return Errno.EINVAL;
        if (call.File((int)source) is not { } file)
            return Errno.EBADF;
        if (Find(words[0] | (ulong)words[1] << 32) is not { } notice)
            return Errno.ENOENT;
        if (!notice.IsReceived)
            return Errno.EINPROGRESS;
        FileTable table = notice.Thread.Process.Files;
        int installed = (int)number;
        Errno error = Errno.None;
        if ((flags & atNumber) != 0 && !table.IsInRange(installed))
            return Errno.EBADF;
        file.AddReference();
        if ((flags & atNumber) != 0)
            table.Replace(installed, file, newFlags != 0);
        else
            error = table.Add(file, newFlags != 0, out installed);
        if (error != Errno.None)
        {
            file.Release();
            return error;
        }
        if ((flags & answers) != 0)
            notice.Reply(installed);
        return installed;
    }
}
