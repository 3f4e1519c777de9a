using System.Net;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>A world's network: who is bound where. It has one interface, loopback.</summary>
public sealed class Network(World world)
{
    private const int FirstEphemeral = 32_768;
    private const int LastEphemeral = 60_999;
    private const int LastPrivileged = 1023;

    private readonly Dictionary<string, Socket> _abstract = new(StringComparer.Ordinal);
    private readonly List<(Socket Socket, InternetAddress Address)> _internet = [];
    private int _nextPort = FirstEphemeral;
    private int _nextAutoBind;

    /// <summary>Names a socket. Port 0 and an empty name are replaced by free ones.</summary>
    public Errno Bind(CallContext call, Socket socket, ref SocketAddress address)
    {
        switch (address)
        {
            case InternetAddress internet:
                Errno error = BindInternet(call, socket, ref internet);
                address = internet;
                return error;
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

    private Errno BindInternet(CallContext call, Socket socket, ref InternetAddress address)
    {
        if (!address.IsLocal)
            return Errno.EADDRNOTAVAIL;
        if (address.Port is > 0 and <= LastPrivileged && !call.Thread.Credentials.IsPrivileged)
            return Errno.EACCES;
        if (address.Port == 0)
            address = address with { Port = FreePort(socket, address) };
        if (address.Port == 0 || IsTaken(socket, address))
            return Errno.EADDRINUSE;
        _internet.Add((socket, address));
        return Errno.None;
    }

    private bool IsTaken(Socket socket, InternetAddress address)
    {
        foreach ((Socket other, InternetAddress taken) in _internet)
        {
            if (other == socket || other.Kind != socket.Kind || !taken.Conflicts(address))
                continue;
            bool shares = (socket.ReusePort && other.ReusePort) || (socket.ReuseAddress && other.ReuseAddress && !other.IsListening);
            if (!shares)
                return true;
        }
        return false;
    }

    private int FreePort(Socket socket, InternetAddress address)
    {
        for (int tries = FirstEphemeral; tries <= LastEphemeral; tries++)
        {
            int port = _nextPort;
            _nextPort = port == LastEphemeral ? FirstEphemeral : port + 1;
            if (!IsTaken(socket, address with { Port = port }))
                return port;
        }
        return 0;
    }

    public SocketAddress AnyPort(SocketFamily family) => new InternetAddress(family == SocketFamily.Internet4 ? IPAddress.Any : IPAddress.IPv6Any, 0);

    /// <summary>Names an unbound socket that connects or sends.</summary>
    public SocketAddress Assign(Socket socket, InternetAddress target)
    {
        IPAddress loopback = target.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback;
        var address = new InternetAddress(socket.Kind == SocketKind.Datagram ? (target.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any) : loopback, 0);
        address = address with { Port = FreePort(socket, address) };
        _internet.Add((socket, address));
        return address;
    }

    /// <summary>The address a datagram comes from.</summary>
    public InternetAddress SourceFor(InternetAddress local, InternetAddress to)
    {
        if (!local.IsAny)
            return local;
        return local with { Address = to.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback };
    }

    public bool IsListenedOn(StreamSocket socket)
    {
        foreach ((Socket other, InternetAddress address) in _internet)
        {
            if (other != socket && other.IsListening && address.Conflicts((InternetAddress)socket.Local!) && !(other.ReusePort && socket.ReusePort))
                return true;
        }
        return false;
    }

    public Errno FindListener(CallContext call, StreamSocket from, SocketAddress address, out StreamSocket? listener)
    {
        listener = null;
        if (address is InternetAddress target)
        {
            if (!target.IsLocal)
                return Errno.ENETUNREACH;
            foreach ((Socket socket, InternetAddress bound) in _internet)
            {
                if (socket is StreamSocket { IsListening: true } found && bound.Takes(target.IsAny ? SourceFor(target, target) : target))
                    listener = found;
            }
            return listener is null ? Errno.ECONNREFUSED : Errno.None;
        }
        Errno error = FindUnix(call, address, out Socket? other);
        if (error != Errno.None)
            return error;
        if (other!.Kind != from.Kind)
            return Errno.EPROTOTYPE;
        listener = other as StreamSocket;
        return listener is { IsListening: true } ? Errno.None : Errno.ECONNREFUSED;
    }

    public Errno FindDatagram(CallContext? call, DatagramSocket from, SocketAddress address, out DatagramSocket? target)
    {
        target = null;
        Errno error = FindUnix(call, address, out Socket? other);
        if (error != Errno.None)
            return error;
        target = other as DatagramSocket;
        return target is null ? Errno.EPROTOTYPE : Errno.None;
    }

    private Errno FindUnix(CallContext? call, SocketAddress address, out Socket? socket)
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

    public DatagramSocket? FindUdp(InternetAddress to, InternetAddress from)
    {
        DatagramSocket? best = null;
        InternetAddress target = to.IsAny ? SourceFor(to, to) : to;
        foreach ((Socket socket, InternetAddress bound) in _internet)
        {
            if (socket is DatagramSocket udp && bound.Takes(target) && udp.TakesFrom(from) && (best is null || udp.Remote is not null))
                best = udp;
        }
        return best;
    }

    public void Unbind(Socket socket)
    {
        if (socket.Local is UnixAbstract name && _abstract.GetValueOrDefault(name.Name) == socket)
            _abstract.Remove(name.Name);
        _internet.RemoveAll(entry => entry.Socket == socket);
    }
}
