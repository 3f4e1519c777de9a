using System.Globalization;
using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>What a job's world has of networks outside of it, for as long as it runs.</summary>
internal sealed class JobNetwork : IDisposable
{
    private readonly NetworkSettings _settings;
    private readonly EmulatorServices _services;
    private readonly List<IDisposable> _held = [];

    public JobNetwork(NetworkSettings settings, EmulatorServices services)
    {
        (_settings, _services) = (settings, services);
        if (settings.Reach == NetworkReach.None || services.Switches is null)
            return;
        ISwitchPort port = services.Switches(settings.Switch);
        _held.Add(port);
        Links = [new WorldLink(port) { Address = Parse(settings.Address) }];
    }

    public IReadOnlyList<WorldLink> Links { get; } = [];

    private static InterfaceAddress? Parse(string? text)
    {
        if (text?.Split('/') is not [var address, var length])
            return null;
        IPAddress parsed = IPAddress.Parse(address);
        int prefix = int.Parse(length, CultureInfo.InvariantCulture);
        bool hasBroadcast = IpPrefix.Is4(parsed) && prefix < 31;
        return new InterfaceAddress(parsed, prefix) { Broadcast = hasBroadcast ? IpPrefix.Mask(parsed, prefix, setHostBits: true) : null };
    }

    /// <summary>Opens the published ports; null, or one sentence for the user on what cannot be had.</summary>
    public string? Publish(World world)
    {
        foreach (PublishedPort port in _settings.Published)
        {
            if (_services.Publish is null)
                return "this node publishes no ports";
            IDisposable? opened = _services.Publish(port.Host, (connection, caller) => world.Post(() => Admit(world, connection, port.Guest, caller)));
            if (opened is null)
                return $"cannot publish port {port.Host}: it is in use or not allowed";
            _held.Add(opened);
        }
        return null;
    }

    private static void Admit(World world, IOutsideConnection connection, int port, InternetAddress caller)
    {
        if (!world.FirstNamespaces.Network.AcceptFromOutside(connection, port, caller))
            connection.Close(isReset: true);
    }

    public void Dispose()
    {
        foreach (IDisposable held in _held)
            held.Dispose();
    }
}
