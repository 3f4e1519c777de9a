using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Capabilities that count over the user name space which owns a network.</summary>
internal static class NetworkRights
{
    public static bool MayInNetwork(this CallContext call, Network network, Capability capability) =>
        call.Thread.Credentials.Has(capability) && call.Thread.Namespaces.Rules(network.Space.Owner);
}
