using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>The names of UNIX sockets: abstract ones, and those in the file tree (unix(7)).</summary>
public sealed class UnixNames(World world)
{
    private readonly Dictionary<string, Socket> _abstract = new(StringComparer.Ordinal);
    private int _nextAutoBind;

    /// <summary>Names a socket; an empty name is replaced by a free one.</summary>
    public Errno Bind(CallContext call, Socket socket, ref SocketAddress address)
    {
        switch (address)
        {
            case UnixAbstract name:
                return _abstract.TryAdd(name.Name, socket) ? Errno.None : Errno.EADDRINUSE;
            case UnixPath { Path.Length: 0 }:
                address = AutoBind(socket);
                return Errno.None;
            default:
                return BindPath(call, socket, ((UnixPath)address).Path);
        }
    }

    /// <summary>An abstract name of five hexadecimal digits (unix(7), autobind).</summary>
    private UnixAbstract AutoBind(Socket socket)
    {
        while (true)
        {
            string name = $"{++_nextAutoBind & 0xFFFFF:x5}";
            if (_abstract.TryAdd(name, socket))
                return new UnixAbstract(name);
        }
    }

    private Errno BindPath(CallContext call, Socket socket, byte[] path)
    {
        var caller = new FileCaller(call.Process.FileContext, call.Thread.FileCredentials, call);
        uint mode = 0x1FFu & ~call.Process.FileContext.CreationMask;
        Errno error = world.Vfs.Make(caller, call.Process.FileContext.WorkingDirectory, path, FileKind.Socket, mode, 0, null, out Inode? inode);
        if (error == Errno.EEXIST)
            return Errno.EADDRINUSE;
        if (error == Errno.None)
            inode!.Attachment = socket;
        return error;
    }

    public Errno FindDatagram(CallContext? call, SocketAddress address, out DatagramSocket? target)
    {
        Errno error = Find(call, address, out Socket? other);
        target = other as DatagramSocket;
        return error != Errno.None ? error : target is null ? Errno.EPROTOTYPE : Errno.None;
    }

    public Errno Find(CallContext? call, SocketAddress address, out Socket? socket)
    {
        socket = null;
        if (address is UnixAbstract name)
            return _abstract.TryGetValue(name.Name, out socket) ? Errno.None : Errno.ECONNREFUSED;
        var caller = new FileCaller(call!.Process.FileContext, call.Thread.FileCredentials, call);
        Errno error = world.Vfs.ResolveInode(caller, call.Process.FileContext.WorkingDirectory, ((UnixPath)address).Path, WalkFlags.Follow, out Inode? inode);
        if (error == Errno.None)
            error = Permission.Check(inode!, FileAccessKind.Write, call.Thread.FileCredentials);
        if (error != Errno.None)
            return error;
        socket = inode!.Attachment as Socket;
        return socket is null ? Errno.ECONNREFUSED : Errno.None;
    }

    /// <summary>Abstract names may be hidden from who is outside of, or below, the rules that their owner lives under (landlock(7)).</summary>
    public static bool MayReach(CallContext? call, Socket other) =>
        other.Local is not UnixAbstract || AccessDomain.MayReach(call?.Thread.Domain, other.Domain, DomainScopes.AbstractSockets);

    public void Remove(Socket socket)
    {
        if (socket.Local is UnixAbstract name && _abstract.GetValueOrDefault(name.Name) == socket)
            _abstract.Remove(name.Name);
    }
}
