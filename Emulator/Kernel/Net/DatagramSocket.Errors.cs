using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Errors that come back for datagrams (udp(7)).</summary>
public sealed partial class DatagramSocket
{
    /// <summary>Errors that wait for whoever wants them; more are lost.</summary>
    private const int MostErrors = 64;

    private readonly Queue<ReturnedError> _errors = new();
    private bool _wantsErrors;

    /// <summary>IP_RECVERR: errors are kept, and an unconnected socket is told of them as well.</summary>
    public bool WantsErrors
    {
        get => _wantsErrors;
        set
        {
            _wantsErrors = value;
            if (!value)
                _errors.Clear();
        }
    }

    /// <summary>An error came back for something sent.</summary>
    internal void Refuse(ReturnedError error)
    {
        // Whoever did not ask hears of what is final alone, and only when connected (__udp4_lib_err in net/ipv4/udp.c).
        bool isFinal = error.Error is Errno.ECONNREFUSED or Errno.ENOPROTOOPT or Errno.EACCES;
        if (!WantsErrors && (Remote is null || !isFinal))
            return;
        if (WantsErrors && _errors.Count < MostErrors)
            _errors.Enqueue(error);
        PendingError = error.Error;
        Source.Pulse(Readiness.Error);
    }

    /// <summary>What was sent inside met nobody: as if its refusal had come back as a packet.</summary>
    private void Refuse(ReadOnlySpan<byte> bytes, InternetAddress target)
    {
        const byte unreachable4 = 3, portUnreachable4 = 3, unreachable6 = 1, portUnreachable6 = 4;
        // What fits into the error's packet behind the headers that it quotes.
        const int quoted4 = 576 - 28 - 28, quoted6 = 1280 - 48 - 48;
        bool is4 = IpPrefix.Is4(target.Address);
        byte[] payload = WantsErrors ? bytes[..Math.Min(bytes.Length, is4 ? quoted4 : quoted6)].ToArray() : [];
        (byte type, byte code) = is4 ? (unreachable4, portUnreachable4) : (unreachable6, portUnreachable6);
        Refuse(new ReturnedError(Errno.ECONNREFUSED, target, target.Address, type, code, 0, payload));
    }

    /// <summary>Takes the oldest error that was kept (MSG_ERRQUEUE): EAGAIN without one. The next one is then the socket's.</summary>
    public Received ReceiveError(Span<byte> destination)
    {
        if (!_errors.TryDequeue(out ReturnedError? error))
            return Errno.EAGAIN;
        PendingError = _errors.TryPeek(out ReturnedError? next) ? next.Error : Errno.None;
        int count = Math.Min(destination.Length, error.Payload.Length);
        error.Payload.AsSpan(0, count).CopyTo(destination);
        return new Received(count, error.Payload.Length, error.Destination, Ancillary.None with { Error = error }, Errno.None);
    }
}
