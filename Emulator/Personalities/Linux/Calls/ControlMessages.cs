using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>SCM_RIGHTS and SCM_CREDENTIALS (cmsg(3), unix(7)).</summary>
internal static class ControlMessages
{
    private const int SocketLevel = 1;
    private const int Rights = 1;
    private const int Credentials = 2;
    private const int HeaderSize = 16;

    /// <summary>SCM_MAX_FD.</summary>
    private const int MostDescriptors = 253;
    private const int LargestControl = 16384;

    public static Errno Read(CallContext call, GuestAddress address, ulong length, out Ancillary ancillary)
    {
        ancillary = Ancillary.None;
        if (length < HeaderSize)
            return Errno.None;
        if (length > LargestControl)
            return Errno.ENOBUFS;
        byte[] bytes = new byte[length];
        if (!call.Memory.TryRead(address, bytes))
            return Errno.EFAULT;
        var files = new List<OpenFile>();
        Errno error = Parse(call, bytes, files);
        if (error == Errno.None)
        {
            ancillary = new Ancillary([.. files], 0, 0, 0);
            return error;
        }
        foreach (OpenFile file in files)
            file.Release();
        return error;
    }

    private static Errno Parse(CallContext call, ReadOnlySpan<byte> bytes, List<OpenFile> files)
    {
        while (bytes.Length >= HeaderSize)
        {
            ulong length = MemoryMarshal.Read<ulong>(bytes);
            int level = MemoryMarshal.Read<int>(bytes[8..]), type = MemoryMarshal.Read<int>(bytes[12..]);
            if (length < HeaderSize || length > (ulong)bytes.Length)
                return Errno.EINVAL;
            if (level == SocketLevel && type == Rights)
            {
                Errno error = TakeFiles(call, MemoryMarshal.Cast<byte, int>(bytes[HeaderSize..(int)length]), files);
                if (error != Errno.None)
                    return error;
            }
            else if (level == SocketLevel && type != Credentials)
                return Errno.EINVAL;
            bytes = bytes[(int)Math.Min((ulong)bytes.Length, (length + 7) & ~7ul)..];
        }
        return Errno.None;
    }

    private static Errno TakeFiles(CallContext call, ReadOnlySpan<int> descriptors, List<OpenFile> files)
    {
        if (descriptors.Length + files.Count > MostDescriptors)
            return Errno.EINVAL;
        foreach (int descriptor in descriptors)
        {
            if (call.File(descriptor) is not { } file)
                return Errno.EBADF;
            file.AddReference();
            files.Add(file);
        }
        return Errno.None;
    }

    /// <summary>Writes what came with a message; false when some of it did not fit (MSG_CTRUNC).</summary>
    public static bool Write(CallContext call, Socket socket, Ancillary ancillary, GuestAddress address, ulong room, bool closeOnExec, bool isPeek, out ulong used)
    {
        used = 0;
        bool fits = true;
        if (socket.PassCredentials)
        {
            Span<int> identity = [ancillary.SenderProcess, (int)ancillary.SenderUser, (int)ancillary.SenderGroup];
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

    private static bool Install(CallContext call, OpenFile file, bool closeOnExec, out int descriptor)
    {
        file.AddReference();
        if (call.Process.Files.Add(file, closeOnExec, out descriptor) == Errno.None)
            return true;
        file.Release();
        return false;
    }

    private static bool Put(CallContext call, GuestAddress address, ulong room, int type, ReadOnlySpan<byte> data, ref ulong used)
    {
        ulong length = HeaderSize + (ulong)data.Length;
        if (room < used + length)
            return false;
        GuestAddress at = address + used;
        bool written = call.Memory.TryWrite(at, length) && call.Memory.TryWrite(at + 8, SocketLevel) && call.Memory.TryWrite(at + 12, type) && call.Memory.TryWrite(at + HeaderSize, data);
        used = Math.Min(room, used + ((length + 7) & ~7ul));
        return written;
    }
}
