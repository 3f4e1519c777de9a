using System.Net.Sockets;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Socket = System.Net.Sockets.Socket;

namespace Vivarium.Nodes.Hosting;

/// <summary>A TCP connection of this machine that a world talks over. Nothing is buffered here but what the machine does.</summary>
internal sealed class HostConnection : IOutsideConnection
{
    private readonly Socket _socket;
    private readonly Lock _lock = new();
    private Action? _available;
    private Action? _roomAvailable;
    private bool _isWaitingToRead;
    private bool _isWaitingToWrite;
    private bool _isClosed;

    public HostConnection(Socket socket)
    {
        _socket = socket;
        _socket.Blocking = false;
    }

    event Action? IHostInput.Available
    {
        add => _available += value;
        remove => _available -= value;
    }

    event Action? IHostOutput.RoomAvailable
    {
        add => _roomAvailable += value;
        remove => _roomAvailable -= value;
    }

    bool IHostInput.IsTerminal => false;

    bool IHostOutput.IsTerminal => false;

    public int TryRead(Span<byte> destination)
    {
        int count = _socket.Receive(destination, SocketFlags.None, out SocketError error);
        if (error == SocketError.Success)
            return count;
        if (error is not (SocketError.WouldBlock or SocketError.IOPending or SocketError.Interrupted))
            return 0;
        lock (_lock)
        {
            if (_isWaitingToRead || _isClosed)
                return -1;
            _isWaitingToRead = true;
        }
        // Reading no bytes completes when some are there.
        _ = WaitToRead();
        return -1;
    }

    private async Task WaitToRead()
    {
        try
        {
            await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // The next read tells.
        }
        lock (_lock)
            _isWaitingToRead = false;
        if (!_isClosed)
            _available?.Invoke();
    }

    public int TryWrite(ReadOnlySpan<byte> source)
    {
        int count = _socket.Send(source, SocketFlags.None, out SocketError error);
        if (error == SocketError.Success)
            return count;
        if (error is not (SocketError.WouldBlock or SocketError.IOPending or SocketError.Interrupted))
            return -1;
        lock (_lock)
        {
            if (_isWaitingToWrite || _isClosed)
                return 0;
            _isWaitingToWrite = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.WaitToWrite(), this, preferLocal: false);
        return 0;
    }

    private void WaitToWrite()
    {
        const int microseconds = 100_000;
        try
        {
            while (!_isClosed && !_socket.Poll(microseconds, SelectMode.SelectWrite))
            {
                // Somebody may close it meanwhile.
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // The next write tells.
        }
        lock (_lock)
            _isWaitingToWrite = false;
        if (!_isClosed)
            _roomAvailable?.Invoke();
    }

    public void EndOutput()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // The other side was faster.
        }
    }

    public void Close(bool isReset)
    {
        lock (_lock)
            _isClosed = true;
        // Closing at once, with a time of 0, resets (socket(7), SO_LINGER).
        if (isReset)
            _socket.Close(timeout: 0);
        else
            _socket.Dispose();
    }
}
