using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>How a system lays out what travels beside a message's bytes (cmsg(3)).</summary>
internal abstract class ControlFormat
{
    /// <summary>SCM_MAX_FD.</summary>
    private const int MostDescriptors = 253;

    protected const int LargestControl = 16384;

    /// <summary>Reads what is sent beside a message; of one with mistakes nothing is kept.</summary>
    public Errno Read(CallContext call, Socket socket, GuestAddress address, ulong length, out Ancillary ancillary)
    {
        ancillary = Ancillary.None;
        if (IsEmpty(address, length))
            return Errno.None;
        if (length > LargestControl)
            return Errno.ENOBUFS;
        byte[] bytes = new byte[length];
        if (!call.Memory.TryRead(address, bytes))
            return Errno.EFAULT;
        var files = new List<OpenFile>();
        Errno error = Parse(call, socket, bytes, files, ref ancillary);
        if (error == Errno.None)
        {
            ancillary = ancillary with { Files = [.. files] };
            return error;
        }
        foreach (OpenFile file in files)
            file.Release();
        return error;
    }

    /// <summary>True when nothing is sent there.</summary>
    protected abstract bool IsEmpty(GuestAddress address, ulong length);

    /// <summary>Reads one message after the other; the files that it takes have a reference each.</summary>
    protected abstract Errno Parse(CallContext call, Socket socket, ReadOnlySpan<byte> bytes, List<OpenFile> files, ref Ancillary ancillary);

    /// <summary>Writes what came with a message; false when some of it did not fit (MSG_CTRUNC).</summary>
    public abstract bool Write(CallContext call, Socket socket, Ancillary ancillary, GuestAddress address, ulong room, bool closeOnExec, bool isPeek, out ulong used);

    /// <summary>SCM_RIGHTS: EBADF, and EINVAL for too many.</summary>
    protected static Errno TakeFiles(CallContext call, ReadOnlySpan<int> descriptors, List<OpenFile> files)
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
}
