using System.Buffers.Binary;
using System.Net.Sockets;
using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// A switch between worlds of several <c>viv</c> processes of one user: each port is a datagram socket in the switch's folder, its
/// file's name the port's number. A frame is sent to the port that its address names, or to all. A datagram is the length of its
/// origin (0 or <see cref="OriginLength"/>), the origin, and the frame.
/// </summary>
internal sealed class HostSwitch : ISwitchPort
{
    /// <summary>Of the datagrams: processes that write them differently do not meet.</summary>
    private const int WireVersion = 2;

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
        string folder = Path.Combine(parent, $"viv-switches-{Native.Libc.GetUid()}.{WireVersion}", name);
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

    /// <summary>Of an origin: the call's place, its place among those that send, its process, and its world's identity.</summary>
    private const int OriginNumbers = 8 + 4 + 4, OriginLength = OriginNumbers + Telemetry.Traces.TraceIdentity.Length;

    public void Receive(Action<byte[], CallOrigin?> received) =>
        new Thread(() => ReceiveLoop(received), 128 * 1024) { IsBackground = true, Name = "switch" }.Start();

    private void ReceiveLoop(Action<byte[], CallOrigin?> received)
    {
        byte[] buffer = new byte[LongestFrame];
        while (true)
        {
            try
            {
                _socket.Poll(-1, SelectMode.SelectRead);
                int count = _socket.Receive(buffer);
                Take(buffer.AsSpan(0, count), received);
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

    private static void Take(ReadOnlySpan<byte> datagram, Action<byte[], CallOrigin?> received)
    {
        if (datagram.IsEmpty || datagram[0] is not (0 or OriginLength) || datagram.Length <= datagram[0])
            return;
        ReadOnlySpan<byte> origin = datagram.Slice(1, datagram[0]);
        CallOrigin? call = origin.IsEmpty ? null : new CallOrigin(
            origin[OriginNumbers..].ToArray(),
            BinaryPrimitives.ReadInt64LittleEndian(origin),
            BinaryPrimitives.ReadInt32LittleEndian(origin[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(origin[8..]));
        received(datagram[(1 + origin.Length)..].ToArray(), call);
    }

    private static byte[] Datagram(ReadOnlySpan<byte> frame, CallOrigin? call)
    {
        int length = call is { World.Length: Telemetry.Traces.TraceIdentity.Length } ? OriginLength : 0;
        byte[] datagram = new byte[1 + length + frame.Length];
        datagram[0] = (byte)length;
        frame.CopyTo(datagram.AsSpan(1 + length));
        if (length == 0)
            return datagram;
        BinaryPrimitives.WriteInt64LittleEndian(datagram.AsSpan(1), call!.Sequence);
        BinaryPrimitives.WriteInt32LittleEndian(datagram.AsSpan(9), call.Sent);
        BinaryPrimitives.WriteInt32LittleEndian(datagram.AsSpan(13), call.Process);
        call.World.CopyTo(datagram, 1 + OriginNumbers);
        return datagram;
    }

    public void Send(ReadOnlySpan<byte> frame, CallOrigin? origin)
    {
        ReadOnlySpan<byte> to = frame[..EthernetFrame.AddressLength];
        byte[] datagram = Datagram(frame, origin);
        lock (_lock)
        {
            if (!EthernetFrame.IsGroup(to) && to[..4].SequenceEqual(SwitchAddresses.Hardware(0).AsSpan(0, 4)))
            {
                SendTo((to[4] << 8) | to[5], datagram);
                return;
            }
            foreach (string file in Directory.EnumerateFiles(_folder))
            {
                if (int.TryParse(Path.GetFileName(file), out int number) && number != _number)
                    SendTo(number, datagram);
            }
        }
    }

    private void SendTo(int number, byte[] datagram)
    {
        // The host queues some ten datagrams for a socket: a burst waits a little for its reader.
        for (int tries = 0; tries < MostTries; tries++)
        {
            try
            {
                _socket.SendTo(datagram, new UnixDomainSocketEndPoint(PathOf(number)));
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
