using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>A connection that leaves the world. Thread-safe; handed in by the node.</summary>
public interface IOutsideConnection : IHostInput, IHostOutput
{
    /// <summary>Nothing more will be written.</summary>
    void EndOutput();

    /// <summary>Lets go of the connection; abruptly when something was lost.</summary>
    void Close(bool isReset);
}

/// <summary>A network outside of the world that it may reach. Called by the world's worker; answers may come on any thread.</summary>
public interface IOutsideNetwork
{
    /// <summary>Begins a TCP connection. <paramref name="done"/> gets it, or says why there is none.</summary>
    void Connect(IPAddress address, int port, Action<IOutsideConnection?, Errno> done);

    /// <summary>Opens a UDP port; <paramref name="received"/> gets what arrives and from where.</summary>
    IOutsideDatagrams OpenDatagrams(Action<byte[], IPAddress, int> received);
}

/// <summary>A UDP port outside of the world.</summary>
public interface IOutsideDatagrams : IDisposable
{
    void Send(ReadOnlySpan<byte> data, IPAddress address, int port);
}
