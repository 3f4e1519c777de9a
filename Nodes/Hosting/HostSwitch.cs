using System.Net.Sockets;
using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// A switch between worlds of several <c>viv</c> processes of one user: each port is a datagram socket in the switch's folder, its
/// file's name the port's number. A frame is sent to the port that its address names, or to all.
/// </summary>
internal sealed class HostSwitch : ISwitchPort
{
    private const int MostPorts = 4096;
    private const int LongestFrame = 70_000;
    private const int BufferSize = 4 << 20;

    /// <summary>Milliseconds before a frame is lost, as cables lose them.</summary>
    private const int MostTries = 5;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly int _number;

    private HostSwitch(string folder)
    {
        _folder = folder;
        _number = Bind();
        HardwareAddress = SwitchAddresses.Hardware(_number);
        DefaultAddress = SwitchAddresses.Internet(_number);
        _socket.ReceiveBufferSize = BufferSize;
        _socket.SendBufferSize = BufferSize;
        _socket.Blocking = false;
    }

    public IReadOnlyList<byte> HardwareAddress { get; }

    public InterfaceAddress DefaultAddress { get; }

    /// <summary>Joins a switch by its name.</summary>
    public static ISwitchPort Join(string name)
    {
        string parent = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime ? runtime : Path.GetTempPath();
        string folder = Path.Combine(parent, $"viv-switches-{Native.Libc.GetUid()}", name);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new HostSwitch(folder);
    }

    private string PathOf(int number) => Path.Combine(_folder, number.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Takes the lowest number that no living process has.</summary>
    private int Bind()
    {
        for (int number = 1; number < MostPorts; number++)
        {
            var name = new UnixDomainSocketEndPoint(PathOf(number));
            if (File.Exists(PathOf(number)) && !IsAlive(name))
                File.Delete(PathOf(number));
            try
            {
                _socket.Bind(name);
                return number;
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next may be free.
            }
        }
        throw new InvalidOperationException($"switch {_folder} has no free port");
    }

    private static bool IsAlive(UnixDomainSocketEndPoint name)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            probe.Connect(name);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public void Receive(Action<byte[]> received) =>
        new Thread(() => ReceiveLoop(received), 128 * 1024) { IsBackground = true, Name = "switch" }.Start();

    private void ReceiveLoop(Action<byte[]> received)
    {
        byte[] buffer = new byte[LongestFrame];
        while (true)
        {
            try
            {
                _socket.Poll(-1, SelectMode.SelectRead);
                int count = _socket.Receive(buffer);
                received(buffer[..count]);
            }
            catch (SocketException failure) when (failure.SocketErrorCode is SocketError.WouldBlock or SocketError.Interrupted)
            {
                // Not yet.
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    public void Send(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> to = frame[..EthernetFrame.AddressLength];
        lock (_lock)
        {
            if (!EthernetFrame.IsGroup(to) && to[..4].SequenceEqual(SwitchAddresses.Hardware(0).AsSpan(0, 4)))
            {
                SendTo((to[4] << 8) | to[5], frame);
                return;
            }
            foreach (string file in Directory.EnumerateFiles(_folder))
            {
                if (int.TryParse(Path.GetFileName(file), out int number) && number != _number)
                    SendTo(number, frame);
            }
        }
    }

    private void SendTo(int number, ReadOnlySpan<byte> frame)
    {
        // The host queues some ten datagrams for a socket: a burst waits a little for its reader.
        for (int tries = 0; tries < MostTries; tries++)
        {
            try
            {
                _socket.SendTo(frame, new UnixDomainSocketEndPoint(PathOf(number)));
                return;
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.WouldBlock)
            {
                Thread.Sleep(1);
            }
            catch (SocketException)
            {
                // Gone.
                return;
            }
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        File.Delete(PathOf(_number));
    }
}
