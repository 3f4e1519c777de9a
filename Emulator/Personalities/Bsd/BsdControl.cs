using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>
/// Control messages of sockets (unix(4), CMSG_DATA(3)): a header of length 4, level 4, type 4, then data at the next multiple of the system's alignment.
/// Descriptors (SCM_RIGHTS) go along in both systems; who sends is told as each has it (SCM_CREDS).
/// </summary>
internal abstract class BsdControl : ControlFormat
{
    private const int HeaderSize = 12;
    private const int Rights = 1;

    /// <summary>What messages and their data are aligned to on an architecture.</summary>
    protected abstract int AlignmentOf(CallContext call);

    /// <summary>SCM_CREDS of a sender; EINVAL where senders tell nothing.</summary>
    protected abstract Errno Claim(CallContext call, int type, ref Ancillary ancillary);

    /// <summary>LOCAL_CREDS: the receiver wants to know its senders.</summary>
    protected abstract int ReceiverOption { get; }

    /// <summary>LOCAL_CREDS_PERSISTENT: it wants to know of each message; 0 where there is none.</summary>
    protected virtual int LastingReceiverOption => 0;

    /// <summary>LOCAL_PEERCRED, LOCAL_PEEREID: who is at the other end.</summary>
    protected abstract int PeerOption { get; }

    protected abstract byte[] PeerOf(CallContext call, StreamSocket socket);

    /// <summary>Adds what the receiver is told of the sender.</summary>
    protected abstract void Tell(CallContext call, Socket socket, Ancillary ancillary, ref Writer writer);

    protected override bool IsEmpty(GuestAddress address, ulong length) => length == 0 || address.IsNull;

    protected override Errno Parse(CallContext call, Socket socket, ReadOnlySpan<byte> bytes, List<OpenFile> files, ref Ancillary ancillary)
    {
        int alignment = AlignmentOf(call), dataAt = Align(HeaderSize, alignment);
        while (bytes.Length >= HeaderSize)
        {
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            int level = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]), type = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
            if (length < HeaderSize || length > bytes.Length || level != BsdSocketOptions.Socket)
                return Errno.EINVAL;
            Errno error = type == Rights
                ? TakeFiles(call, MemoryMarshal.Cast<byte, int>(length <= dataAt ? [] : bytes[dataAt..(int)length]), files)
                : Claim(call, type, ref ancillary);
            if (error != Errno.None)
                return error;
            bytes = bytes[Math.Min(bytes.Length, Align((int)length, alignment))..];
        }
        return Errno.None;
    }

    public override bool Write(CallContext call, Socket socket, Ancillary ancillary, GuestAddress address, ulong room, bool closeOnExec, bool isPeek, out ulong used)
    {
        var writer = new Writer(call, address, address.IsNull ? 0 : room, AlignmentOf(call));
        Tell(call, socket, ancillary, ref writer);
        if (ancillary.Files.Length != 0)
        {
            int count = Math.Min(ancillary.Files.Length, writer.RoomForData / sizeof(int));
            Span<int> descriptors = stackalloc int[count];
            int installed = 0;
            while (installed < count && ControlMessages.Install(call, ancillary.Files[installed], closeOnExec, out descriptors[installed]))
                installed++;
            if (!isPeek)
                ancillary.Release();
            if (installed > 0)
                writer.Put(Rights, MemoryMarshal.AsBytes(descriptors[..installed]));
            writer.IsCut |= installed < ancillary.Files.Length;
        }
        used = (ulong)writer.Used;
        return !writer.IsCut;
    }

    /// <summary>An option of a local socket (SOL_LOCAL): ENOPROTOOPT, EINVAL, EFAULT.</summary>
    public Errno SetLocal(CallContext call, Socket socket, int name, GuestAddress value, int length)
    {
        bool isLasting = name != 0 && name == LastingReceiverOption;
        if (name != ReceiverOption && !isLasting)
            return Errno.ENOPROTOOPT;
        if (length < sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int number))
            return Errno.EFAULT;
        // One excludes the other.
        if (number != 0 && (isLasting ? socket.PassCredentials : socket.KeepsPassingCredentials))
            return Errno.EINVAL;
        if (isLasting)
            socket.KeepsPassingCredentials = number != 0;
        else
            socket.PassCredentials = number != 0;
        return Errno.None;
    }

    public Errno GetLocal(CallContext call, Socket socket, int name, out byte[] value)
    {
        value = [];
        bool isLasting = name != 0 && name == LastingReceiverOption;
        if (name == ReceiverOption || isLasting)
        {
            value = BitConverter.GetBytes((isLasting ? socket.KeepsPassingCredentials : socket.PassCredentials) ? 1 : 0);
            return Errno.None;
        }
        if (name != PeerOption)
            return Errno.ENOPROTOOPT;
        if (socket is not StreamSocket { PeerCredentials.Process: not null } stream)
            return Errno.ENOTCONN;
        value = PeerOf(call, stream);
        return Errno.None;
    }

    private static int Align(int length, int alignment) => (length + alignment - 1) & ~(alignment - 1);

    /// <summary>Control messages one after the other, as far as there is room.</summary>
    protected struct Writer(CallContext call, GuestAddress address, ulong room, int alignment)
    {
        private readonly int _room = (int)Math.Min(room, LargestControl);

        public int Used { get; private set; }

        /// <summary>Something did not fit (MSG_CTRUNC).</summary>
        public bool IsCut { get; set; }

        public readonly int RoomForData => Math.Max(0, _room - Used - Align(HeaderSize, alignment));

        public void Put(int type, ReadOnlySpan<byte> data)
        {
            int dataAt = Align(HeaderSize, alignment);
            if (Used + dataAt + data.Length > _room)
            {
                IsCut = true;
                return;
            }
            byte[] message = new byte[dataAt + data.Length];
            BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), BsdSocketOptions.Socket);
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(8), type);
            data.CopyTo(message.AsSpan(dataAt));
            IsCut |= !call.Memory.TryWrite(address + (ulong)Used, message);
            Used = Math.Min(_room, Used + Align(message.Length, alignment));
        }
    }
}
