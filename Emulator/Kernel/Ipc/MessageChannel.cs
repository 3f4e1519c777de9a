using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>A System V message queue (msgop(2)).</summary>
public sealed class MessageChannel : IpcObject
{
    private readonly LinkedList<(long Type, byte[] Text)> _messages = [];

    /// <summary>Bytes it may hold.</summary>
    public ulong Capacity { get; set; }

    public ulong Bytes { get; private set; }

    public int Count => _messages.Count;

    public long SendTime { get; set; }

    public long ReceiveTime { get; set; }

    public KeptId? LastSender { get; set; }

    public KeptId? LastReceiver { get; set; }

    /// <summary>Pulses when a message came or went, and when the queue is gone.</summary>
    public Source Changed { get; } = new();

    public bool HasRoomFor(int length) => Bytes + (ulong)length <= Capacity && (ulong)_messages.Count < Capacity;

    public void Send(long type, byte[] text)
    {
        _messages.AddLast((type, text));
        Bytes += (ulong)text.Length;
        Changed.Pulse();
    }

    /// <summary>
    /// The message a receiver asks for: the first for type 0, the first of (or, with <paramref name="except"/>, not of) a type, the first of the
    /// lowest type up to a negative one's opposite. Null when there is none.
    /// </summary>
    public (long Type, byte[] Text)? Peek(long type, bool except) => Find(type, except)?.Value;

    /// <summary>The message at a place in the queue, from 0 on (MSG_COPY of msgop(2)); null when there are fewer.</summary>
    public (long Type, byte[] Text)? At(long place) => (ulong)place < (ulong)_messages.Count ? _messages.ElementAt((int)place) : null;

    public void Take(long type, bool except)
    {
        LinkedListNode<(long Type, byte[] Text)> node = Find(type, except)!;
        _messages.Remove(node);
        Bytes -= (ulong)node.Value.Text.Length;
        Changed.Pulse();
    }

    private LinkedListNode<(long Type, byte[] Text)>? Find(long type, bool except)
    {
        LinkedListNode<(long Type, byte[] Text)>? best = null;
        long limit = type == long.MinValue ? long.MaxValue : -type;
        for (LinkedListNode<(long Type, byte[] Text)>? node = _messages.First; node is not null; node = node.Next)
        {
            long found = node.Value.Type;
            if (type >= 0)
            {
                if (type == 0 || (found == type) != except)
                    return node;
                continue;
            }
            if (found <= limit && (best is null || found < best.Value.Type))
                best = node;
        }
        return best;
    }

    public override void Remove()
    {
        base.Remove();
        Changed.Pulse();
    }
}
