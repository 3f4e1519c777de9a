using System.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>News of a network: a device began to listen to a group, or ceased to.</summary>
public sealed record GroupMembership(IPAddress Group)
{
    /// <summary>What a device listens to: all hosts, each address's solicited nodes (RFC 1112, RFC 4291), and what sockets joined.</summary>
    public static IReadOnlyList<IPAddress> Of(Network network, NetDevice device)
    {
        var groups = new List<IPAddress>();
        void Join(IPAddress group)
        {
            if (!groups.Contains(group))
                groups.Add(group);
        }
        bool listens = device.IsUp && (device == network.Loopback || (device.Flags & DeviceFlags.Multicast) != 0);
        foreach (InterfaceAddress address in listens ? device.Addresses : [])
        {
            if (address.Is4)
            {
                Join(new IPAddress([224, 0, 0, 1]));
                continue;
            }
            byte[] bytes = address.Address.GetAddressBytes();
            Join(new IPAddress([0xFF, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
            Join(new IPAddress([0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
            Join(new IPAddress([0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, bytes[13], bytes[14], bytes[15]]));
        }
        foreach (Socket socket in network.Sockets)
        {
            foreach ((IPAddress group, int joined) in socket.Groups.Joined)
            {
                if (joined == device.Index)
                    Join(IpPrefix.WithoutScope(group));
            }
        }
        return groups;
    }

    /// <summary>A socket joins a group on a device: told when it is the first that wants it.</summary>
    public static Errno Join(Socket socket, IPAddress group, NetDevice device)
    {
        bool isNew = !Has(socket.Network, device, group);
        Errno error = socket.Groups.Join(group, device.Index);
        if (error == Errno.None && isNew)
            socket.Network.Tell(new GroupMembership(IpPrefix.WithoutScope(group)), device);
        return error;
    }

    /// <summary>It leaves: told when it was the last.</summary>
    public static Errno Leave(Socket socket, IPAddress group, NetDevice device)
    {
        Errno error = socket.Groups.Leave(group, device.Index);
        if (error == Errno.None)
            TellLeft(socket.Network, group, device);
        return error;
    }

    /// <summary>A socket that is no longer one of the network's leaves all its groups.</summary>
    internal static void LeaveAll(Socket socket)
    {
        foreach ((IPAddress group, int index) in socket.Groups.Joined)
        {
            if (socket.Network.FindDevice(index) is { } device)
                TellLeft(socket.Network, group, device);
        }
    }

    private static void TellLeft(Network network, IPAddress group, NetDevice device)
    {
        if (!Has(network, device, group))
            network.Tell(new GroupMembership(IpPrefix.WithoutScope(group)), device, isGone: true);
    }

    private static bool Has(Network network, NetDevice device, IPAddress group) => Of(network, device).Contains(IpPrefix.WithoutScope(group));
}
