using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>How a socket leaves a connection and stays (connect(2) with AF_UNSPEC), and bytes that wait for more of them (MSG_MORE).</summary>
public sealed partial class StreamSocket
{
    /// <summary>How long bytes wait for more: what TCP's timer of zero windows takes to send them all the same.</summary>
    private const long HeldFor = 200_000_000;

    /// <summary>A segment's worth, over the loopback: more does not wait.</summary>
    private const int MostHeld = 32_741;

    private readonly List<byte> _held = [];
    private InternetAddress? _boundTo;
    private WorldTimer? _heldTimer;

    /// <summary>It left a connection and has no new one: nothing ended that it could read the end of.</summary>
    private bool _hasLeft;

    /// <summary>Takes bytes that more will follow; false when there are enough to be sent.</summary>
    public bool Hold(ReadOnlySpan<byte> bytes)
    {
        if (!IsInternet || !_wasConnected || _peer is null || WriteShut || _isReset || PendingError != Errno.None || _held.Count + bytes.Length >= MostHeld)
            return false;
        _held.AddRange(bytes);
        _heldTimer ??= World.Schedule(World.Clock.Monotonic + HeldFor, () => SendHeld(null));
        return true;
    }

    /// <summary>Sends what is held; false while there is no room for all of it.</summary>
    private bool SendHeld(CallContext? call)
    {
        _heldTimer?.Cancel();
        _heldTimer = null;
        while (_held.Count > 0)
        {
            IoResult sent = SendInternet(call!, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_held));
            if (sent.IsBlocked)
                return false;
            if (sent.Error != Errno.None)
                _held.Clear();
            else
                _held.RemoveRange(0, (int)sent.Count);
        }
        return true;
    }

    /// <summary>Ends whatever the socket is part of, as a reset does; an address that it was bound to stays (tcp_disconnect in net/ipv4/tcp.c).</summary>
    private Errno Disconnect()
    {
        bool wasPart = _peer is not null || _isConnecting;
        _attempt?.Abort();
        StopListening();
        if (_peer is { } peer)
        {
            (peer._peer, _peer) = (null, null);
            peer.OnReset();
        }
        (_attempt, _isConnecting, _isAnnounced, _hasFailed, _wasConnected, _isReset, _peerWriteShut) = (null, false, false, false, false, false, false);
        (ReadShut, WriteShut, Remote) = (false, false, null);
        _hasLeft = true;
        _held.Clear();
        Queue.Clear();
        Network.Ports.Remove(this);
        Local = _boundTo;
        if (_boundTo is not null)
            Network.Ports.Add(this, _boundTo);
        PendingError = wasPart ? Errno.ECONNRESET : PendingError;
        Source.Pulse(Failed);
        return Errno.None;
    }

    /// <summary>A connection between addresses of IPv4 becomes one that never was of IPv6 (ipv6(7), IPV6_ADDRFORM).</summary>
    public Errno BecomeVersion4()
    {
        if (!_wasConnected || _peer is null)
            return Errno.ENOTCONN;
        if (Remote is not InternetAddress { Address: var address } || !IpPrefix.Is4(address) || IsVersion6Only)
            return Errno.EADDRNOTAVAIL;
        Family = SocketFamily.Internet4;
        return Errno.None;
    }
}
