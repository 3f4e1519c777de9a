using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>SCM_RIGHTS and SCM_CREDENTIALS (cmsg(3), unix(7)).</summary>
internal sealed class ControlMessages : ControlFormat
{
    public static ControlFormat Format { get; } = new ControlMessages();

    private const int SocketLevel = 1;
    private const int Rights = 1;
    private const int Credentials = 2;
    private const int HeaderSize = 16;


    protected override bool IsEmpty(GuestAddress address, ulong length) => length < HeaderSize;

    protected override Errno Parse(CallContext call, Socket socket, ReadOnlySpan<byte> bytes, List<OpenFile> files, ref Ancillary ancillary)
    {
        while (bytes.Length >= HeaderSize)
        {
            ulong length = MemoryMarshal.Read<ulong>(bytes);
            int level = MemoryMarshal.Read<int>(bytes[8..]), type = MemoryMarshal.Read<int>(bytes[12..]);
            if (length < HeaderSize || length > (ulong)bytes.Length)
                return Errno.EINVAL;
            ReadOnlySpan<byte> data = bytes[HeaderSize..(int)length];
            Errno error = (level, type) switch
            {
                (SocketLevel, Rights) => TakeFiles(call, MemoryMarshal.Cast<byte, int>(data), files),
                (SocketLevel, Credentials) => TakeCredentials(call, data, ref ancillary),
                (SocketLevel, _) => Errno.EINVAL,
                _ => PacketMessages.Read(socket, level, type, data, ref ancillary),
            };
            if (error != Errno.None)
                return error;
            bytes = bytes[(int)Math.Min((ulong)bytes.Length, (length + 7) & ~7ul)..];
        }
        return Errno.None;
    }

    /// <summary>Only what is true may be said of oneself, except by the privileged (unix(7), SCM_CREDENTIALS).</summary>
    private static Errno TakeCredentials(CallContext call, ReadOnlySpan<byte> data, ref Ancillary ancillary)
    {
        if (data.Length < 12)
            return Errno.EINVAL;
        int process = MemoryMarshal.Read<int>(data);
        (uint user, uint group) = (MemoryMarshal.Read<uint>(data[4..]), MemoryMarshal.Read<uint>(data[8..]));
        Kernel.Credentials own = call.Thread.Credentials;
        bool isTrue = process == call.ProcessNumber && (user == own.User || user == own.EffectiveUser || user == own.SavedUser)
            && (group == own.Group || group == own.EffectiveGroup || group == own.SavedGroup);
        if (!isTrue && !own.IsPrivileged)
            return Errno.EPERM;
        if (call.FindProcess(process) is not { } sender)
            return Errno.ESRCH;
        ancillary = ancillary with { SenderProcess = sender.KeptId, SenderUser = user, SenderGroup = group };
        return Errno.None;
    }

    /// <summary>Writes what came with a message; false when some of it did not fit (MSG_CTRUNC).</summary>
    public override bool Write(CallContext call, Socket socket, Ancillary ancillary, GuestAddress address, ulong room, bool closeOnExec, bool isPeek, out ulong used)
    {
        used = 0;
        bool fits = true;
        if (ancillary.Packet is { } packet)
        {
            var writer = new ControlWriter(call, address, room);
            fits = PacketMessages.Write(socket, packet, ref writer);
            used = writer.Used;
        }
        if (ancillary.Error is { } error)
        {
            var writer = new ControlWriter(call, address, room) { Used = used };
            fits &= PacketMessages.WriteError(socket, error, ref writer);
            used = writer.Used;
        }
        if (socket.PassCredentials)
        {
            Span<int> identity = [call.NumberOf(ancillary.SenderProcess), (int)ancillary.SenderUser, (int)ancillary.SenderGroup];
            fits &= Put(call, address, room, Credentials, MemoryMarshal.AsBytes(identity), ref used);
        }
        if (ancillary.Files.Length == 0)
            return fits;
        int count = (int)Math.Min((ulong)ancillary.Files.Length, room >= used + HeaderSize ? (room - used - HeaderSize) / sizeof(int) : 0);
        Span<int> descriptors = stackalloc int[count];
        int installed = 0;
        while (installed < count && Install(call, ancillary.Files[installed], closeOnExec, out descriptors[installed]))
            installed++;
        if (!isPeek)
            ancillary.Release();
        if (installed > 0)
            Put(call, address, room, Rights, MemoryMarshal.AsBytes(descriptors[..installed]), ref used);
        return fits && installed == ancillary.Files.Length;
    }

    internal static bool Install(CallContext call, OpenFile file, bool closeOnExec, out int descriptor)
    {
        file.AddReference();
        if (call.Process.Files.Add(file, closeOnExec, out descriptor) == Errno.None)
            return true;
        file.Release();
        return false;
    }

    private static bool Put(CallContext call, GuestAddress address, ulong room, int type, ReadOnlySpan<byte> data, ref ulong used)
    {
        var writer = new ControlWriter(call, address, room) { Used = used };
        bool fits = writer.Put(SocketLevel, type, data);
        used = writer.Used;
        return fits;
    }
}

/// <summary>Writes control messages one after the other, as far as there is room.</summary>
internal struct ControlWriter(CallContext call, GuestAddress address, ulong room)
{
    private const int HeaderSize = 16;

    public ulong Used { get; set; }

    /// <summary>False when it did not fit: then what does of it is written (put_cmsg in net/core/scm.c).</summary>
    public bool Put(int level, int type, ReadOnlySpan<byte> data)
    {
        if (room < Used + HeaderSize)
            return false;
        ulong length = Math.Min(HeaderSize + (ulong)data.Length, room - Used);
        bool fits = length == HeaderSize + (ulong)data.Length;
        GuestAddress at = address + Used;
        bool written = call.Memory.TryWrite(at, length) && call.Memory.TryWrite(at + 8, level) && call.Memory.TryWrite(at + 12, type)
            && call.Memory.TryWrite(at + HeaderSize, data[..(int)(length - HeaderSize)]);
        Used = Math.Min(room, Used + ((length + 7) & ~7ul));
        return written && fits;
    }
}
