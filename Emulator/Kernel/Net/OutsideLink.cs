using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Speaks for the far end of a socket that is connected to something outside of the world.</summary>
internal sealed class OutsideLink : IConnectAttempt, ISourceListener
{
    private const int BufferSize = 64 * 1024;

    private readonly byte[] _buffer = new byte[BufferSize];
    private readonly StreamSocket _near;
    private StreamSocket? _far;
    private IOutsideConnection? _connection;
    private byte[] _unsent = [];
    private bool _isAborted;
    private bool _isOutputEnded;
    private bool _isInputEnded;
    private bool _isPumping;

    private OutsideLink(StreamSocket near) => _near = near;

    private World World => _near.World;

    /// <summary>Begins a connection to the outside for a socket.</summary>
    public static IConnectAttempt Open(StreamSocket near, InternetAddress target)
    {
        var link = new OutsideLink(near);
        near.Network.Outside!.Connect(target.Address, target.Port, (connection, error) => link.World.Post(() => link.Complete(connection, error)));
        return link;
    }

    /// <summary>Connects somebody outside to a listener of the network; false when nobody listens.</summary>
    public static bool Accept(Network network, IOutsideConnection connection, InternetAddress local, InternetAddress remote)
    {
        if (network.Ports.FindListener(local, remote, network.Loopback.Index) is not { TakesMore: true } listener)
            return false;
        StreamSocket server = listener.MakeAccepted(local, remote);
        var link = new OutsideLink(server) { _connection = connection, _far = StreamSocket.MakeFarEnd(server) };
        server.Attach(link._far);
        link.Start();
        listener.Admit(server);
        return true;
    }

    private void Complete(IOutsideConnection? connection, Errno error)
    {
        if (_isAborted || connection is null)
        {
            connection?.Close(isReset: false);
            _near.FailConnect(error);
            return;
        }
        _connection = connection;
        _far = StreamSocket.MakeFarEnd(_near);
        _near.CompleteConnect(_far);
        Start();
    }

    private void Start()
    {
        _far!.Source.Attach(this);
        ((IHostInput)_connection!).Available += () => World.Post(Pump);
        ((IHostOutput)_connection).RoomAvailable += () => World.Post(Pump);
        Pump();
    }

    public void Abort() => _isAborted = true;

    public void OnPulse(Source source, Readiness edges) => Pump();

    private void Pump()
    {
        if (_isPumping || _far is not { } far)
            return;
        _isPumping = true;
        PumpIn(far);
        PumpOut(far);
        if (far.PeerIsGone && (far.WasReset || _isOutputEnded))
            End(far.WasReset);
        else if (_isInputEnded && _isOutputEnded)
            End(isReset: false);
        _isPumping = false;
    }

    private void PumpIn(StreamSocket far)
    {
        while (!_isInputEnded && !far.PeerIsGone && far.RoomAtPeer > 0)
        {
            int count = _connection!.TryRead(_buffer.AsSpan(0, Math.Min(BufferSize, far.RoomAtPeer)));
            if (count < 0)
                return;
            if (count > 0)
            {
                far.Send(null!, _buffer.AsSpan(0, count), null, Ancillary.None);
                continue;
            }
            _isInputEnded = true;
            far.Shutdown(read: false, write: true);
        }
    }

    private void PumpOut(StreamSocket far)
    {
        while (!_isOutputEnded)
        {
            if (_unsent.Length == 0 && far.Unread > 0)
            {
                int count = far.Receive(_buffer, peek: false).Count;
                _unsent = _buffer.AsSpan(0, count).ToArray();
            }
            if (_unsent.Length == 0)
                break;
            int written = _connection!.TryWrite(_unsent);
            if (written == 0)
                return;
            if (written < 0)
            {
                far.Break(Errno.ECONNRESET);
                End(isReset: true);
                return;
            }
            _unsent = _unsent[written..];
        }
        if (far.PeerHasEnded && !_isOutputEnded)
        {
            _isOutputEnded = true;
            _connection!.EndOutput();
        }
    }

    private void End(bool isReset)
    {
        if (_far is not { } far)
            return;
        _far = null;
        far.Source.Detach(this);
        _connection!.Close(isReset);
        far.Release();
    }
}
