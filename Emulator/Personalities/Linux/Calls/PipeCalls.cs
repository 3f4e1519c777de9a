using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Pipes;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>pipe(2) and eventfd(2).</summary>
public static class PipeCalls
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int Semaphore = 1;

    public static CallResult Pipe(CallContext call, GuestAddress descriptors) => Pipe2(call, descriptors, 0);

    public static CallResult Pipe2(CallContext call, GuestAddress descriptors, int flags)
    {
        uint known = LinuxArchitecture.Of(call.Thread).OpenFlags((uint)flags);
        if ((known & ~(NonBlocking | CloseOnExec | Fcntl.Direct)) != 0)
            return Errno.EINVAL;
        bool isPackets = (known & Fcntl.Direct) != 0;
        if (call.World.PipePages.Begin(call.Thread.Credentials) is not { } share)
            return Errno.ENFILE;
        (PipeEnd reader, PipeEnd writer) = Make(call, share, (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None, isPackets);
        return InstallPair(call, descriptors, reader, writer, (flags & CloseOnExec) != 0);
    }

    /// <param name="isPackets">Told of the writing end alone, as what is written is what makes packets (create_pipe_files in fs/pipe.c).</param>
    internal static (PipeEnd Reader, PipeEnd Writer) Make(CallContext call, PipeShare? share, OpenFlags status, bool isPackets = false)
    {
        FileCredentials credentials = call.Thread.FileCredentials;
        var pipe = new Pipe(new AnonymousInode(call.World, FileKind.Fifo, 0x180, credentials.User, credentials.Group), call.World.Accountant) { Share = share };
        return (new PipeEnd(pipe, OpenFlags.Read | status), new PipeEnd(pipe, OpenFlags.Write | status | (isPackets ? OpenFlags.Direct | OpenFlags.Packets : OpenFlags.None)));
    }

    /// <summary>Installs two files and writes their numbers; neither stays when something fails.</summary>
    internal static CallResult InstallPair(CallContext call, GuestAddress descriptors, OpenFile first, OpenFile second, bool closeOnExec)
    {
        Errno error = AddPair(call, first, second, closeOnExec, out int one, out int two);
        if (error != Errno.None)
            return error;
        if (call.Memory.TryWrite(descriptors, one) && call.Memory.TryWrite(descriptors + 4, two))
            return 0;
        call.Process.Files.Close(one);
        call.Process.Files.Close(two);
        return Errno.EFAULT;
    }

    internal static Errno AddPair(CallContext call, OpenFile first, OpenFile second, bool closeOnExec, out int one, out int two)
    {
        two = -1;
        FileTable table = call.Process.Files;
        Errno error = table.Add(first, closeOnExec, out one);
        if (error != Errno.None)
        {
            first.Release();
            second.Release();
            return error;
        }
        error = table.Add(second, closeOnExec, out two);
        if (error == Errno.None)
            return error;
        table.Close(one);
        second.Release();
        return error;
    }

    internal static CallResult Install(CallContext call, OpenFile file, bool closeOnExec)
    {
        Errno error = call.Process.Files.Add(file, closeOnExec, out int descriptor);
        if (error == Errno.None)
            return descriptor;
        file.Release();
        return error;
    }

    public static CallResult Eventfd(CallContext call, uint value) => Eventfd2(call, value, 0);

    public static CallResult Eventfd2(CallContext call, uint value, int flags)
    {
        if ((flags & ~(NonBlocking | CloseOnExec | Semaphore)) != 0)
            return Errno.EINVAL;
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return Install(call, new EventCounter(call.World, value, (flags & Semaphore) != 0, status), (flags & CloseOnExec) != 0);
    }
}
