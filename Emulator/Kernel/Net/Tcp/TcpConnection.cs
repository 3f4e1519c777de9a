using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Tcp;

/// <summary>RFC 9293's states, in tcp(7)'s numbers.</summary>
public enum TcpState : byte
{
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Closed = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
}

/// <summary>
/// One end of a TCP connection to another network (RFC 9293): speaks for the far end of a socket. What the socket writes is read
/// from the far end and sent in segments; what arrives is written to it.
/// </summary>
internal sealed partial class TcpConnection : IConnectAttempt, ISourceListener
{
    private const int OurScale = 7;

    private readonly TcpConnections _owner;
    private StreamSocket? _near;
    private StreamSocket? _far;
    private StreamSocket? _listener;

    internal TcpConnection(TcpConnections owner, InternetAddress local, InternetAddress remote)
    {
        (_owner, Local, Remote) = (owner, local, remote);
        uint start = (uint)World.Random.Next();
        (_unacknowledged, _next, _highest) = (start, start, start);
        _largestSegment = IpPrefix.Is4(remote.Address) ? 536 : 1220;
    }

    public InternetAddress Local { get; }

    public InternetAddress Remote { get; }

    public TcpState State { get; private set; } = TcpState.Closed;

    /// <summary>True when the same two ends may begin anew.</summary>
    public bool IsPast => State is TcpState.TimeWait or TcpState.Closed;

    private World World => _owner.Network.World;

    /// <summary>The largest segment that our link takes whole.</summary>
    private int OwnLargestSegment()
    {
        int mtu = _owner.Network.Internet.TryRoute(Remote.Address, 0, out Hop hop, out _) ? hop.Device.Mtu : 1500;
        return Math.Clamp(mtu - (IpPrefix.Is4(Remote.Address) ? 40 : 60), 64, ushort.MaxValue);
    }

    /// <summary>Active open.</summary>
    internal void Open(StreamSocket near)
    {
        _near = near;
        State = TcpState.SynSent;
        SendSynchronize(TcpFlags.Synchronize);
    }

    /// <summary>Passive open: a listener was called.</summary>
    internal void Answer(StreamSocket listener, in TcpSegment call)
    {
        _listener = listener;
        State = TcpState.SynReceived;
        TakeOptions(call);
        _expected = call.Sequence + 1;
        SendSynchronize(TcpFlags.Synchronize | TcpFlags.Acknowledge);
    }

    private void TakeOptions(in TcpSegment segment)
    {
        _largestSegment = Math.Min(segment.LargestSegment == 0 ? _largestSegment : segment.LargestSegment, OwnLargestSegment());
        _sendScale = segment.WindowScale ?? 0;
        _receiveScale = segment.WindowScale is null ? 0 : OurScale;
        _window = segment.Window;
        _congestion = 10 * _largestSegment;
    }

    /// <summary>Given up by its socket before it came about.</summary>
    public void Abort()
    {
        _near = null;
        End(Errno.None);
    }

    /// <summary>Ends at once, without a word to the other side.</summary>
    internal void End(Errno error)
    {
        State = TcpState.Closed;
        _timer?.Cancel();
        _owner.Remove(this);
        if (_far is { } far)
        {
            _far = null;
            far.Source.Detach(this);
            if (error != Errno.None)
                far.Break(error);
            far.Release();
        }
        else
        {
            _near?.FailConnect(error);
        }
        _near = null;
    }

    private void Establish()
    {
        State = TcpState.Established;
        _retries = 0;
        if (_near is { } caller)
        {
            _far = StreamSocket.MakeFarEnd(caller);
            _far.Source.Attach(this);
            caller.CompleteConnect(_far);
        }
        else
        {
            StreamSocket server = _listener!.MakeAccepted(Local, Remote);
            _near = server;
            _far = StreamSocket.MakeFarEnd(server);
            _far.Source.Attach(this);
            server.Attach(_far);
            _listener.Admit(server);
        }
        _listener = null;
    }

    /// <summary>Something happened at the socket: it wrote, read, shut down or closed.</summary>
    public void OnPulse(Source source, Readiness edges) => Pump();

    private bool _isPumping;
    private bool _mustPumpAgain;

    /// <summary>Moves what can be moved. What moves may come back as a call of this: then it goes round again.</summary>
    private void Pump()
    {
        _mustPumpAgain = true;
        if (_isPumping)
            return;
        _isPumping = true;
        while (_mustPumpAgain && _far is { } far && State is not (TcpState.Closed or TcpState.TimeWait))
        {
            _mustPumpAgain = false;
            PumpOnce(far);
        }
        _isPumping = false;
    }

    private void PumpOnce(StreamSocket far)
    {
        // Closed with unread bytes, or not to linger: the other side is told that something was lost.
        if (far.WasReset)
        {
            SendReset();
            End(Errno.None);
            return;
        }
        TakeFromSocket(far);
        SendSome();
        GiveToSocket();
        UpdateWindow();
    }
}
