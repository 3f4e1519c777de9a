using System.Net;
using System.Net.Sockets;

namespace Vivarium.Actors.Tests;

/// <summary>Ports for servers that are told theirs before they bind it: below those that the system gives to whoever asks for any.</summary>
internal static class Ports
{
    private const int First = 15_000, Count = 15_000;

    // Projects that run at the same time begin at different places.
    private static int s_next = Environment.ProcessId * 53 % Count;

    public static int Next()
    {
        while (true)
        {
            int port = First + (Interlocked.Increment(ref s_next) % Count);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
