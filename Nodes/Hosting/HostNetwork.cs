using System.Net;
using System.Net.Sockets;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Socket = System.Net.Sockets.Socket;

namespace Vivarium.Nodes.Hosting;

/// <summary>This machine's network, for worlds that may use it.</summary>
internal sealed class HostNetwork : IOutsideNetwork
{
    public static HostNetwork Instance { get; } = new();

    public void Connect(IPAddress address, int port, Action<IOutsideConnection?, Errno> done)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.ConnectAsync(address, port).ContinueWith(
            task =>
            {
                if (task.IsCompletedSuccessfully)
                {
                    done(new HostConnection(socket), Errno.None);
                    return;
                }
                socket.Dispose();
                done(null, ErrorOf((task.Exception?.InnerException as SocketException)?.SocketErrorCode ?? SocketError.HostUnreachable));
            },
            TaskScheduler.Default);
    }

    private static Errno ErrorOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => Errno.ECONNREFUSED,
        SocketError.TimedOut => Errno.ETIMEDOUT,
        SocketError.NetworkUnreachable => Errno.ENETUNREACH,
        SocketError.AccessDenied => Errno.EACCES,
        SocketError.ConnectionReset => Errno.ECONNRESET,
        _ => Errno.EHOSTUNREACH,
    };

    public IOutsideDatagrams OpenDatagrams(Action<byte[], IPAddress, int> received) => new HostDatagrams(received);

    /// <summary>Opens a port of the loopback address for others to connect to; null when it cannot be had.</summary>
    public static IDisposable? Publish(int port, Action<IOutsideConnection, InternetAddress> accepted)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
        }
        catch (SocketException)
        {
            listener.Dispose();
            return null;
        }
        _ = AcceptAll(listener, accepted);
        return listener;
    }

    private static async Task AcceptAll(TcpListener listener, Action<IOutsideConnection, InternetAddress> accepted)
    {
        while (true)
        {
            try
            {
                Socket socket = await listener.AcceptSocketAsync().ConfigureAwait(false);
                socket.NoDelay = true;
                var caller = (IPEndPoint)socket.RemoteEndPoint!;
                accepted(new HostConnection(socket), new InternetAddress(caller.Address, caller.Port));
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private sealed class HostDatagrams : IOutsideDatagrams
    {
        private const int Longest = 65_535;

        private readonly Socket _socket = new(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };

        public HostDatagrams(Action<byte[], IPAddress, int> received)
        {
            _socket.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
            _ = ReceiveAll(received);
        }

        private async Task ReceiveAll(Action<byte[], IPAddress, int> received)
        {
            byte[] buffer = new byte[Longest];
            while (true)
            {
                try
                {
                    SocketReceiveFromResult result = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.IPv6Any, 0)).ConfigureAwait(false);
                    var from = (IPEndPoint)result.RemoteEndPoint;
                    received(buffer[..result.ReceivedBytes], from.Address.IsIPv4MappedToIPv6 ? from.Address.MapToIPv4() : from.Address, from.Port);
                }
                catch (SocketException failure) when (failure.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionRefused)
                {
                    // Somebody did not want what was sent.
                }
                catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
                {
                    return;
                }
            }
        }

        public void Send(ReadOnlySpan<byte> data, IPAddress address, int port)
        {
            try
            {
                _socket.SendTo(data, new IPEndPoint(address.MapToIPv6(), port));
            }
            catch (SocketException)
            {
                // Datagrams may be lost.
            }
        }

        public void Dispose() => _socket.Dispose();
    }
}
