using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Which internet sockets are bound where.</summary>
public sealed class PortTable(Network network)
{
    private const int FirstEphemeral = 32_768;
    private const int LastEphemeral = 60_999;

    private readonly Dictionary<int, List<(Socket Socket, InternetAddress Address)>> _ports = [];
    private int _next = FirstEphemeral;

    /// <summary>Binds a socket; port 0 is replaced by a free one.</summary>
    public Errno Bind(Socket socket, bool isPrivileged, ref InternetAddress address)
    {
        if (address.Port > 0 && address.Port < network.FirstFreePort && !isPrivileged)
            return Errno.EACCES;
        if (address.Port == 0)
            address = address with { Port = FreePort(socket, address) };
        if (address.Port == 0 || IsTaken(socket, address))
            return Errno.EADDRINUSE;
        Add(socket, address);
        return Errno.None;
    }

    /// <summary>Enters a socket without asking: one that was accepted shares its listener's port.</summary>
    public void Add(Socket socket, InternetAddress address)
    {
        if (!_ports.TryGetValue(address.Port, out List<(Socket, InternetAddress)>? bound))
            _ports[address.Port] = bound = [];
        bound.Add((socket, address));
    }

    /// <summary>Names an unbound socket that connects or sends: any free port, on an address.</summary>
    public InternetAddress? Assign(Socket socket, IPAddress address)
    {
        var name = new InternetAddress(address, 0);
        name = name with { Port = FreePort(socket, name) };
        if (name.Port == 0)
            return null;
        Add(socket, name);
        return name;
    }

    public void Remove(Socket socket)
    {
        if (socket.Local is not InternetAddress local || !_ports.TryGetValue(local.Port, out List<(Socket Socket, InternetAddress Address)>? bound))
            return;
        bound.RemoveAll(entry => entry.Socket == socket);
        if (bound.Count == 0)
            _ports.Remove(local.Port);
    }

    private bool IsTaken(Socket socket, InternetAddress address)
    {
        if (!_ports.TryGetValue(address.Port, out List<(Socket Socket, InternetAddress Address)>? bound))
            return false;
        foreach ((Socket other, InternetAddress taken) in bound)
        {
            if (other == socket || other.Kind != socket.Kind || other.Protocol != socket.Protocol || !Conflicts(socket, address, other, taken))
                continue;
            bool shares = (socket.ReusePort && other.ReusePort) || (socket.ReuseAddress && other.ReuseAddress && !other.IsListening);
            if (!shares)
                return true;
        }
        return false;
    }

    private static bool Conflicts(Socket socket, InternetAddress address, Socket other, InternetAddress taken)
    {
        if (socket.BoundDevice != other.BoundDevice && socket.BoundDevice != 0 && other.BoundDevice != 0)
            return false;
        return Covers(socket, address, taken.Address) || Covers(other, taken, address.Address);
    }

    /// <summary>True when a socket bound so takes what is sent to an address.</summary>
    private static bool Covers(Socket socket, InternetAddress bound, IPAddress target)
    {
        if (bound.Address.Equals(target))
            return true;
        if (bound.Address.Equals(IPAddress.IPv6Any))
            return !socket.IsVersion6Only || !IpPrefix.Is4(target);
        return bound.Address.Equals(IPAddress.Any) && IpPrefix.Is4(target);
    }

    private int FreePort(Socket socket, InternetAddress address)
    {
        for (int tries = FirstEphemeral; tries <= LastEphemeral; tries++)
        {
            int port = _next;
            _next = port == LastEphemeral ? FirstEphemeral : port + 1;
            if (!IsTaken(socket, address with { Port = port }))
                return port;
        }
        return 0;
    }

    /// <summary>True when another socket that does not share listens where this one is bound.</summary>
    public bool IsListenedOn(Socket socket)
    {
        var local = (InternetAddress)socket.Local!;
        foreach ((Socket other, InternetAddress address) in _ports.GetValueOrDefault(local.Port) ?? [])
        {
            if (other != socket && other.IsListening && Conflicts(socket, local, other, address) && !(other.ReusePort && socket.ReusePort))
                return true;
        }
        return false;
    }

    /// <summary>The listener for an address; those that share a port take turns by the caller's port.</summary>
    public StreamSocket? FindListener(InternetAddress target, InternetAddress from, int device)
    {
        StreamSocket? best = null;
        int bestScore = 0, sharing = 0;
        foreach ((Socket socket, InternetAddress bound) in _ports.GetValueOrDefault(target.Port) ?? [])
        {
            if (socket is not StreamSocket { IsListening: true } listener || Score(listener, bound, target, device) is var score && score == 0)
                continue;
            sharing = score > bestScore ? 1 : score == bestScore ? sharing + 1 : sharing;
            if (score > bestScore || (score == bestScore && from.Port % sharing == 0))
                (best, bestScore) = (listener, score);
        }
        return best;
    }

    /// <summary>How well a binding fits: 0 = not at all (compute_score in net/ipv4).</summary>
    private static int Score(Socket socket, InternetAddress bound, InternetAddress target, int device)
    {
        if (!Covers(socket, bound, target.Address) || (socket.BoundDevice != 0 && socket.BoundDevice != device))
            return 0;
        return 1 + (IpPrefix.IsAny(bound.Address) ? 0 : 4) + (socket.BoundDevice != 0 ? 2 : 0) + (socket.Family == SocketFamily.Internet4 == IpPrefix.Is4(target.Address) ? 1 : 0);
    }

    /// <summary>The one socket that takes a datagram.</summary>
    public DatagramSocket? FindDatagram(int protocol, InternetAddress to, InternetAddress from, int device)
    {
        DatagramSocket? best = null;
        int bestScore = 0, sharing = 0;
        foreach ((Socket socket, InternetAddress bound) in _ports.GetValueOrDefault(to.Port) ?? [])
        {
            if (socket is not DatagramSocket udp || udp.Protocol != protocol || !udp.TakesFrom(from) || Score(udp, bound, to, device) is var score && score == 0)
                continue;
            score += udp.Remote is not null ? 8 : 0;
            sharing = score > bestScore ? 1 : score == bestScore ? sharing + 1 : sharing;
            // Of sockets that share without SO_REUSEPORT the latest takes it.
            if (score > bestScore || (score == bestScore && (!udp.ReusePort || from.Port % sharing == 0)))
                (best, bestScore) = (udp, score);
        }
        return best;
    }

    /// <summary>All sockets that take a datagram to a group.</summary>
    public List<DatagramSocket> FindGroup(int protocol, InternetAddress to, InternetAddress from, int device)
    {
        List<DatagramSocket> found = [];
        foreach ((Socket socket, InternetAddress bound) in _ports.GetValueOrDefault(to.Port) ?? [])
        {
            if (socket is DatagramSocket udp && udp.Protocol == protocol && udp.TakesFrom(from) && Covers(udp, bound, to.Address) && udp.Groups.Takes(to.Address, device))
                found.Add(udp);
        }
        return found;
    }
}
