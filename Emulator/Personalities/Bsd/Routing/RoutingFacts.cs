using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>The routing table and the devices as sysctl(3) gives them: CTL_NET, PF_ROUTE, 0, a family, what is wanted, an argument.</summary>
internal static class RoutingFacts
{
    private const int Dump = 1, OfFlags = 2;

    /// <summary>What both systems number alike; null for other wishes.</summary>
    public static byte[]? Table(CallContext call, RoutingFormat format, int family, int wish, int argument, out Errno error)
    {
        Network network = call.Thread.Namespaces.Network;
        error = Errno.None;
        switch (wish)
        {
            case Dump:
                return RouteMessages.Table(format, network, family, 0);
            case OfFlags when argument == 0 || (argument & (int)RoutingFormat.LinkData) != 0:
                if (family == 0)
                    error = Errno.EINVAL;
                return RouteMessages.Neighbours(format, network, family);
            case OfFlags:
                return RouteMessages.Table(format, network, family, (uint)argument);
            default:
                error = Errno.EINVAL;
                return null;
        }
    }
}
