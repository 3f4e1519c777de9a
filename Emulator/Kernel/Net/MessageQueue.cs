using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What travels beside a message's bytes (unix(7), ancillary messages).</summary>
public sealed record Ancillary(OpenFile[] Files, KeptId? SenderProcess, uint SenderUser, uint SenderGroup)
{
    public static Ancillary None { get; } = new([], null, 0, 0);

    /// <summary>All that the sender was.</summary>
    public Credentials? Sender { get; init; }

    /// <summary>The sender wants the receiver to be told.</summary>
    public bool IsSenderTold { get; init; }

    /// <summary>How a datagram arrived.</summary>
    public PacketInfo? Packet { get; init; }

    /// <summary>The error that is told instead of a message.</summary>
    public ReturnedError? Error { get; init; }

    /// <summary>Lets go of descriptors that nobody took.</summary>
    public void Release()
    {
        foreach (OpenFile file in Files)
            file.Release();
    }
}

/// <summary>How a packet arrived: where it was sent to, over which device, and what its header said; nanoseconds since 1970.</summary>
public sealed record PacketInfo(System.Net.IPAddress Destination, int Device, byte Hops, byte Class, long Time);

/// <summary>What arrived and was not received yet: messages, whose boundaries streams ignore.</summary>
public sealed class MessageQueue(MemoryAccountant? accountant)
{
    /// <summary>net.core.rmem_default.</summary>
    public const int DefaultCapacity = 212_992;

    /// <summary>What Linux charges for a small message beside its bytes.</summary>
    private const int Overhead = 768;

    private readonly Queue<Message> _messages = new();

    /// <summary>SO_RCVBUF.</summary>
    public int Capacity { get; set; } = DefaultCapacity;

    public int Bytes { get; private set; }

    public int Count => _messages.Count;

    /// <summary>Something would be lost with the queue; one empty message alone is nothing (unix_release_sock in net/unix/af_unix.c).</summary>
    public bool HasUnread => Count > 1 || NextLength > 0;

    /// <summary>What must be left of the world's memory for a message to be taken.</summary>
    private const ulong Reserve = 1 << 20;

    /// <summary>The world has memory for more.</summary>
    public bool HasMemory => accountant is null || accountant.Limit - accountant.Used >= Reserve;

    /// <summary>Room for stream bytes.</summary>
    public int Room => !HasMemory ? 0 : Math.Max(0, Capacity - Bytes - (_messages.Count * Overhead));

    public int NextLength => _messages.TryPeek(out Message? next) ? next.Bytes.Length - next.Start : 0;

    /// <summary>Queues a message; <paramref name="charge"/> goes back to its sender's buffer when it was taken.</summary>
    public void Add(ReadOnlySpan<byte> bytes, SocketAddress? from, Ancillary ancillary, SendBuffer? sender = null, int charge = 0)
    {
        MemoryAccountant? payer = accountant?.TryCharge((ulong)(bytes.Length + Overhead)) == true ? accountant : null;
        _messages.Enqueue(new Message(bytes.ToArray(), from, ancillary, sender, charge, payer));
        Bytes += bytes.Length;
    }

    /// <summary>Takes stream bytes across messages; those with descriptors end a read, as their bytes and the next ones' do not mix.</summary>
    public int ReadStream(Span<byte> destination, bool peek, out Ancillary ancillary)
    {
        ancillary = Ancillary.None;
        int done = 0;
        foreach (Message message in _messages)
        {
            bool carries = message.Ancillary.Files.Length > 0;
            if (done > 0 && carries)
                break;
            int count = Math.Min(destination.Length - done, message.Bytes.Length - message.Start);
            message.Bytes.AsSpan(message.Start, count).CopyTo(destination[done..]);
            if (done == 0)
                ancillary = message.Ancillary;
            done += count;
            if (done == destination.Length || carries)
                break;
        }
        if (!peek)
            Drop(done);
        return done;
    }

    private void Drop(int count)
    {
        Bytes -= count;
        while (_messages.TryPeek(out Message? message))
        {
            int part = Math.Min(count, message.Bytes.Length - message.Start);
            message.Start += part;
            message.Ancillary = Ancillary.None;
            count -= part;
            if (message.Start < message.Bytes.Length)
                return;
            _messages.Dequeue().Settle();
            if (count == 0)
                return;
        }
    }

    /// <summary>Takes a message; what does not fit is lost. Returns its whole length.</summary>
    public int ReadMessage(Span<byte> destination, bool peek, out SocketAddress? from, out Ancillary ancillary)
    {
        Message message = peek ? _messages.Peek() : _messages.Dequeue();
        int count = Math.Min(destination.Length, message.Bytes.Length);
        message.Bytes.AsSpan(0, count).CopyTo(destination);
        from = message.From;
        ancillary = message.Ancillary;
        if (!peek)
        {
            Bytes -= message.Bytes.Length;
            message.Settle();
        }
        return message.Bytes.Length;
    }

    public void Clear()
    {
        foreach (Message message in _messages)
        {
            message.Ancillary.Release();
            message.Settle();
        }
        _messages.Clear();
        Bytes = 0;
    }

    private sealed class Message(byte[] bytes, SocketAddress? from, Ancillary ancillary, SendBuffer? sender, int charge, MemoryAccountant? payer)
    {
        public byte[] Bytes { get; } = bytes;

        public int Start { get; set; }

        public SocketAddress? From { get; } = from;

        public Ancillary Ancillary { get; set; } = ancillary;

        public void Settle()
        {
            payer?.Release((ulong)(Bytes.Length + Overhead));
            sender?.Release(charge);
        }
    }
}
