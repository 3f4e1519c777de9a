using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>Whom a queue tells of the first message that comes to it empty (mq_notify(3)).</summary>
public sealed record QueueNotice(Process Owner, int Signal, ulong Value)
{
    /// <summary>Told by another way than a signal: true that a message came, false that the notice was taken back.</summary>
    public Action<bool>? Tell { get; init; }
}

/// <summary>A POSIX message queue (mq_overview(7)): messages by priority, equals in order.</summary>
public sealed class PosixQueue(World world, int mostMessages, int messageSize, uint user, uint group, uint mode)
{
    private readonly List<(uint Priority, byte[] Text)> _messages = [];

    public int MostMessages => mostMessages;

    public int MessageSize => messageSize;

    public int Count => _messages.Count;

    public bool IsFull => _messages.Count >= mostMessages;

    public uint User => user;

    public uint Mode => mode;

    /// <summary>What the queue counts for in its maker's limit: messages, and 64 bytes for each.</summary>
    public ulong Cost => (ulong)mostMessages * (ulong)(messageSize + 64);

    public Source Source { get; } = new();

    public QueueNotice? Notice { get; set; }

    public Inode Inode { get; } = new AnonymousInode(world, FileKind.Regular, mode, user, group);

    /// <summary>True while a receiver waits: then nobody is told.</summary>
    public int Receivers { get; set; }

    public void Send(uint priority, byte[] text, Process sender, uint senderUser)
    {
        int index = _messages.FindIndex(message => message.Priority < priority);
        _messages.Insert(index < 0 ? _messages.Count : index, (priority, text));
        if (_messages.Count == 1 && Receivers == 0 && Notice is { } notice)
        {
            const int fromQueue = -3;
            Notice = null;
            notice.Tell?.Invoke(true);
            if (notice.Signal != 0 && !notice.Owner.IsZombie)
                world.Send(notice.Owner, new SignalInfo(notice.Signal, fromQueue) { SenderProcess = sender.Id, SenderUser = senderUser, Value = notice.Value });
        }
        Source.Pulse(Readiness.In);
    }

    public (uint Priority, byte[] Text) Take()
    {
        (uint Priority, byte[] Text) first = _messages[0];
        _messages.RemoveAt(0);
        Source.Pulse(Readiness.Out);
        return first;
    }
}

/// <summary>An open POSIX message queue.</summary>
public sealed class PosixQueueFile(PosixQueue queue, OpenFlags flags) : OpenFile(flags)
{
    public PosixQueue Queue => queue;

    public override Source Source => queue.Source;

    public override Inode Inode => queue.Inode;

    public override string Description => "mqueue:[queue]";

    public override Readiness Poll() => (queue.Count > 0 ? Readiness.In : 0) | (queue.IsFull ? 0 : Readiness.Out);
}
